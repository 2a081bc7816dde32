"""The little HTTP that a front knows: where a request ends, and how DynamoDB words a refusal."""

import json
import zlib

import pytest

from failover.lab.network.wire import DENIED, THROTTLED, UNAVAILABLE, Refusal, Requests

ONE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-Amz-Target: y\r\n\r\nhello"
LIKE_A_HEAD = b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nhe\r\n\r\n"
EMPTY = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("stream", "count"),
    [
        pytest.param(ONE, 1, id="one"),
        pytest.param(ONE + ONE + EMPTY, 3, id="three behind each other"),
        pytest.param(EMPTY, 1, id="without a body"),
        pytest.param(ONE.replace(b"Content-Length: ", b"content-length:"), 1, id="in small letters"),
        pytest.param(ONE[:-1], 0, id="not yet whole"),
        pytest.param(LIKE_A_HEAD + EMPTY, 2, id="a body that looks like the end of a head"),
        pytest.param(ONE.replace(b"Host: x", b"X-Content-Length: 99"), 1, id="a header that ends in the same words"),
    ],
)
def test_requests_are_told_apart_however_the_bytes_arrive(stream: bytes, count: int):
    assert Requests().feed(stream) == count
    slowly = Requests()
    assert sum(slowly.feed(stream[index : index + 1]) for index in range(len(stream))) == count


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (UNAVAILABLE, 503, "ServiceUnavailable"),
        (THROTTLED, 400, "ProvisionedThroughputExceededException"),
        (DENIED, 400, "AccessDeniedException"),
    ],
)
def test_a_refusal_reads_as_dynamodbs_own(refusal: Refusal, status: int, code: str):
    head, _, body = refusal.as_bytes().partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.split(": ") for line in rest)
    assert first.startswith(f"HTTP/1.1 {status} ")
    assert headers["Content-Length"] == str(len(body))
    assert headers["x-amz-crc32"] == str(zlib.crc32(body))
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert json.loads(body)["__type"].endswith("#" + code)
    assert refusal.as_bytes() != refusal.as_bytes(), "every reply has a request id of its own"
