"""What arrives in the place of a reply is no result and no mistake of the caller's: nobody knows what came of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from failover import gateway, wiring
from failover.adapters import dns
from failover.adapters.clients import make_client
from failover.adapters.clock import SystemClock
from failover.adapters.control_store import ControlRow
from failover.adapters.models import PutResult
from failover.adapters.probes import Probe
from failover.adapters.runner import PooledRunner
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.ports import Bound, Success
from failover.core.signals.health import Verdict
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST


def put(_: Bound) -> object:
    return ControlRow("k", "i", document="{}").put()


def get(_: Bound) -> object:
    return ControlRow.get("k", "i").document


def query(_: Bound) -> object:
    return list(ControlRow.query("k"))


def scan(_: Bound) -> object:
    return list(ControlRow.scan())


def batch(_: Bound) -> object:
    return list(ControlRow.batch_get([("k", "i")]))


Operation = Callable[[Bound], object]
EVERY = [put, get, query, scan, batch]


def raw(status: int, body: bytes, *, checksum: int | None = None, length: bool = True) -> bytes:
    """A reply with exactly this body."""
    lines = [f"HTTP/1.1 {status} X"]
    lines += [f"Content-Length: {len(body)}"] if length else []
    lines += [f"x-amz-crc32: {checksum}"] if checksum is not None else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def outcome(region: faulty.Region, answer: bytes, operation: Operation) -> Success[object] | Failure:
    # A reply without a length ends with its connection. Of the others the connection is kept.
    region.behaves(faulty.says(answer, then_close=b"Content-Length" not in answer))
    return PooledRunner((EAST,), threads=1).run(EAST, operation, Bound(EAST), 10)


LETTER = "Züge"
ITEM = json.dumps({"Item": {"document": {"S": LETTER}}}, ensure_ascii=False).encode()
HALF = ITEM[: ITEM.index("ü".encode()) + 1]
FLIPPED = ITEM.replace("ü".encode(), b"\xc3\x3c")
PAGE = "<!DOCTYPE html><p>Serviço indisponível".encode("latin-1")
PAGES = [
    pytest.param(PAGE, id="a page that is not UTF-8"),
    pytest.param(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x02", id="a zipped page"),
    pytest.param(b'"Service Unavailable"', id="a string"),
    pytest.param(b'["upstream timeout"]', id="a list"),
    pytest.param(b"null", id="null"),
    pytest.param(b"503", id="a number"),
    pytest.param(b"[" * 200_000, id="nested without an end"),
]


@pytest.mark.parametrize("operation", EVERY)
@pytest.mark.parametrize("status", [300, 403, 429, 503])
@pytest.mark.parametrize(
    "body",
    [
        *PAGES,
        pytest.param(b'{"__type": 500}', id="a code that is a number"),
        pytest.param(b'{"__type": {"a": 1}}', id="a code that is an object"),
        pytest.param(b'{"__type": null}', id="no code"),
    ],
)
def test_an_error_that_cannot_be_read_goes_by_its_status(
    body: bytes, status: int, operation: Operation, region: faulty.Region
) -> None:
    failure = outcome(region, raw(status, body), operation)

    assert isinstance(failure, Failure)
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.SERVER_ERROR)
    assert failure.detail == f"HTTP {status}"


@pytest.mark.parametrize("operation", EVERY)
@pytest.mark.parametrize(
    "answer",
    [
        *(pytest.param(raw(200, *page.values), id=page.id) for page in PAGES),
        pytest.param(raw(200, PAGE, checksum=zlib.crc32(PAGE)), id="a page that is not UTF-8 with its checksum"),
        pytest.param(raw(200, b"null", checksum=zlib.crc32(b"null")), id="null with its checksum"),
        pytest.param(raw(200, FLIPPED, checksum=zlib.crc32(ITEM)), id="a letter changed on its way"),
        pytest.param(raw(200, HALF, checksum=zlib.crc32(ITEM), length=False), id="cut within a letter"),
        pytest.param(raw(200, HALF, length=False), id="cut within a letter, no checksum"),
        pytest.param(raw(503, FLIPPED, checksum=zlib.crc32(ITEM)), id="an error changed on its way"),
        pytest.param(raw(200, b"\xef\xbb\xbf{}"), id="a byte order mark"),
    ],
)
def test_a_result_that_cannot_be_read_is_none(answer: bytes, operation: Operation, region: faulty.Region) -> None:
    failure = outcome(region, answer, operation)

    assert isinstance(failure, Failure)
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.SERVER_ERROR)
    assert failure.detail == "the reply broke off or made no sense"


@pytest.mark.parametrize(
    ("operation", "document"),
    [
        (put, {"Attributes": 5}),
        (get, {"Item": []}),
        (get, {"Item": {"document": 5}}),
        (query, {}),
        (query, {"Items": []}),
        (query, {"Items": 5, "Count": 1, "ScannedCount": 1}),
        (scan, {}),
        (batch, {}),
        (batch, {"Responses": {}}),
        (batch, {"Responses": 5, "UnprocessedKeys": {}}),
    ],
)
@pytest.mark.parametrize("checksum", [True, False])
def test_a_result_of_another_shape_is_none(
    checksum: bool, operation: Operation, document: object, region: faulty.Region
) -> None:
    failure = outcome(region, faulty.reply(200, document, checksum=checksum), operation)

    assert isinstance(failure, Failure)
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.SERVER_ERROR)


def test_what_dynamodb_says_is_read_as_before(region: faulty.Region) -> None:
    nothing = {"Count": 0, "ScannedCount": 0, "Items": []}

    assert outcome(region, raw(200, b"{}"), put) == Success(PutResult(written=True, old=None))
    assert outcome(region, faulty.reply(200, nothing), query) == Success([])
    assert outcome(region, faulty.refusal("ConditionalCheckFailedException"), put) == Success(PutResult(False, None))
    missing = outcome(region, raw(200, b"{}"), get)
    assert isinstance(missing, Failure)
    assert (missing.error_class, missing.detail) == (ErrorClass.CALLER, "DoesNotExist")


def test_a_refusal_is_one_even_where_what_it_adds_makes_no_sense(region: faulty.Region) -> None:
    refusal = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": 5}

    assert outcome(region, faulty.reply(400, refusal), put) == Success(PutResult(written=False, old=None))


def too_deep() -> object:
    return too_deep()


@pytest.mark.parametrize(
    ("mistake", "name"),
    [
        (lambda: {}["votes"], "KeyError"),
        (lambda: b"\xff".decode(), "UnicodeDecodeError"),
        (lambda: None.votes, "AttributeError"),
        (lambda: len(5), "TypeError"),
        (lambda: json.loads("<html>"), "JSONDecodeError"),
        (too_deep, "RecursionError"),
    ],
)
def test_a_mistake_in_the_operation_stays_the_callers(
    mistake: Callable[[], object], name: str, region: faulty.Region
) -> None:
    failure = outcome(region, raw(200, b"{}"), lambda bound: (put(bound), mistake()))

    assert isinstance(failure, Failure)
    assert (failure.error_class, failure.detail) == (ErrorClass.CALLER, name)


@pytest.mark.parametrize("body", [PAGE, b"null", b'{"__type": 500}'], ids=repr)
def test_a_write_goes_on_to_the_region_that_answers(body: bytes, tmp_path: Path) -> None:
    with (
        faulty.server(faulty.says(raw(503, body))) as east,
        faulty.server(faulty.says(raw(200, b"{}"))) as west,
        wiring.using(faulty.make_config(tmp_path, {EAST: east, WEST: west})),
    ):
        routed = gateway.write(put, idempotent=True)

    assert [(attempt.region, attempt.outcome) for attempt in routed.attempts] == [
        (EAST, Outcome.SERVER_ERROR),
        (WEST, Outcome.OK),
    ]


@pytest.mark.parametrize("body", [PAGE, b"null"], ids=repr)
def test_a_canary_that_gets_such_an_error_has_failed(body: bytes, region: faulty.Region, tmp_path: Path) -> None:
    config = faulty.make_config(tmp_path, {EAST: region.port})
    client, resolver = make_client(config, EAST), dns.Resolver([], None, timeout=5)
    probe = Probe(config.endpoint(EAST), client, resolver, SystemClock(), timeout=5)

    canary = probe.run(1, lambda: outcome(region, raw(503, body), put), lambda: None)

    assert canary.verdict is Verdict.FAILED
    assert canary.trouble == "canary write fails (HTTP 503)"
