"""Real faults through real clients: what each says about the request is what the router acts on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import botocore.exceptions
import pytest
from pynamodb.exceptions import DoesNotExist, GetError, PutError

from failover.adapters.binding import RegionNotBound, bind
from failover.adapters.control_store import ControlRow
from failover.adapters.errors import classify, is_condition_failure
from failover.core.errors import ErrorClass, Outcome
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.faulty import EAST
from tests.failover.adapters.items import ITEM, get, put, query, raised_by
from tests.processes import free_port


@pytest.mark.parametrize("operation", [put, get, query])
@pytest.mark.parametrize(
    ("behave", "error_class", "outcome"),
    [
        pytest.param(faulty.hangs, "B", Outcome.TIMEOUT, id="accepts and never answers"),
        pytest.param(faulty.resets, "B", Outcome.CONNECT, id="resets after the request"),
        pytest.param(faulty.closes, "B", Outcome.CONNECT, id="closes after the request"),
        pytest.param(faulty.says(b"nonsense\r\n\r\n", then_close=True), "B", Outcome.CONNECT, id="no HTTP"),
        pytest.param(faulty.says(faulty.reply(500, {})), "B", Outcome.SERVER_ERROR, id="500"),
        pytest.param(faulty.says(faulty.reply(503, {})), "B", Outcome.SERVER_ERROR, id="503"),
        pytest.param(
            faulty.says(b"HTTP/1.1 502 Bad\r\nContent-Length: 12\r\n\r\n<html></html"),
            "B",
            Outcome.SERVER_ERROR,
            id="502 with a page",
        ),
        pytest.param(
            faulty.says(faulty.refusal("InternalServerError", status=500)), "B", Outcome.SERVER_ERROR, id="internal"
        ),
        pytest.param(
            faulty.says(faulty.refusal("ServiceUnavailable", status=503)), "B", Outcome.SERVER_ERROR, id="unavailable"
        ),
        pytest.param(
            faulty.says(faulty.refusal("SomethingNewException")), "B", Outcome.SERVER_ERROR, id="an unheard-of code"
        ),
        pytest.param(
            faulty.says(b"HTTP/1.1 403 No\r\nContent-Length: 13\r\n\r\n<html></html>"),
            "B",
            Outcome.SERVER_ERROR,
            id="403 of a proxy",
        ),
        pytest.param(
            faulty.says(faulty.refusal("ProvisionedThroughputExceededException")), "C", Outcome.THROTTLED, id="capacity"
        ),
        pytest.param(faulty.says(faulty.refusal("ThrottlingException")), "C", Outcome.THROTTLED, id="throttling"),
        pytest.param(faulty.says(faulty.refusal("RequestLimitExceeded")), "C", Outcome.THROTTLED, id="request limit"),
        pytest.param(
            faulty.says(faulty.refusal("ReplicatedWriteConflictException")), "C", Outcome.THROTTLED, id="conflict"
        ),
        pytest.param(faulty.says(faulty.refusal("ValidationException")), "D", Outcome.DENIED, id="validation"),
        pytest.param(faulty.says(faulty.refusal("AccessDeniedException")), "E", Outcome.DENIED, id="access"),
        pytest.param(faulty.says(faulty.refusal("ResourceNotFoundException")), "E", Outcome.DENIED, id="no table"),
        pytest.param(
            faulty.says(faulty.refusal("UnrecognizedClientException")), "E", Outcome.DENIED, id="bad credentials"
        ),
        pytest.param(
            faulty.says(faulty.refusal("ExpiredTokenException")), "E", Outcome.DENIED, id="expired credentials"
        ),
        pytest.param(faulty.says(faulty.refusal("TransactionCanceledException")), "D", Outcome.DENIED, id="cancelled"),
    ],
)
def test_what_a_region_answers_decides_the_class_and_the_word(
    operation: Callable[[], object],
    behave: faulty.Behaviour,
    error_class: str,
    outcome: Outcome,
    region: faulty.Region,
) -> None:
    region.behaves(behave)

    failure = classify(raised_by(operation))

    assert (failure.error_class, failure.outcome) == (error_class, outcome)
    assert failure.detail
    assert "\n" not in failure.detail


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (faulty.reply(503, {}), "HTTP 503"),
        (faulty.refusal("InternalServerError", status=500), "HTTP 500 InternalServerError"),
        (faulty.refusal("ThrottlingException"), "ThrottlingException"),
    ],
)
def test_the_detail_names_the_status_and_the_code(answer: bytes, detail: str, region: faulty.Region) -> None:
    region.behaves(faulty.says(answer))

    assert classify(raised_by(put)).detail == detail


def test_a_refused_connection_was_not_sent(tmp_path: Path) -> None:
    with faulty.models_wired(faulty.make_config(tmp_path, {EAST: free_port()})):
        failure = classify(raised_by(put))

    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.CONNECT)
    assert failure.detail == "the connection was refused"


def test_an_address_that_drops_packets_was_not_sent(tmp_path: Path) -> None:
    # A listener whose queue is full drops further SYNs, as a black hole does.
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        with faulty.models_wired(faulty.make_config(tmp_path, {EAST: listener.getsockname()[1]})):
            failure = classify(raised_by(put))

    assert (failure.error_class, failure.outcome) == (ErrorClass.NOT_SENT, Outcome.CONNECT)
    assert failure.detail == "no connection in time"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        pytest.param(faulty_dns.empty, "DNS answers empty", id="empty"),
        pytest.param(faulty_dns.nxdomain, "DNS says that there is no such name", id="nxdomain"),
        pytest.param(faulty_dns.servfail, "DNS answers with an error (SERVFAIL)", id="servfail"),
        pytest.param(faulty_dns.silence, "DNS does not answer", id="silent"),
    ],
)
def test_a_name_without_an_address_was_not_sent_and_the_detail_says_what_dns_said(
    answer: Callable[..., None], detail: str, tmp_path: Path
) -> None:
    with (
        faulty_dns.nameserver(answer) as address,
        faulty.models_wired(faulty.make_config(tmp_path, {EAST: 80}, address)),
        faulty.Stopwatch() as watch,
    ):
        failure = classify(raised_by(put))

    assert (failure.error_class, failure.outcome, failure.detail) == (ErrorClass.NOT_SENT, Outcome.DNS, detail)
    assert watch.seconds < faulty.TIMEOUT_S + 1


def test_a_name_that_resolves_reaches_the_region(tmp_path: Path) -> None:
    with (
        faulty.server(faulty.says(faulty.reply(200, ITEM))) as port,
        faulty_dns.nameserver(faulty_dns.loopback) as address,
        faulty.models_wired(faulty.make_config(tmp_path, {EAST: port}, address)),
        bind(EAST),
    ):
        assert ControlRow.get("k", "i").document == "{}"


def cut(*, keep: int, length: str, checksum: str = "") -> bytes:
    """A good reply to GetItem of which only the first `keep` bytes of the body arrive."""
    whole = faulty.reply(200, ITEM, checksum=False)
    head, _, body = whole.partition(b"\r\n\r\n")
    head = head.split(b"Content-Length")[0].rstrip(b"\r\n")
    headers = (f"\r\nContent-Length: {length}" if length else "") + (f"\r\nx-amz-crc32: {checksum}" if checksum else "")
    assert 0 <= keep < len(body)
    return head + headers.encode() + b"\r\n\r\n" + body[:keep]


BODY_LENGTH = str(len(faulty.reply(200, ITEM, checksum=False).partition(b"\r\n\r\n")[2]))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(cut(keep=40, length=BODY_LENGTH), id="the length announces more"),
        pytest.param(cut(keep=0, length=BODY_LENGTH), id="nothing of it came"),
        pytest.param(cut(keep=40, length="40"), id="the length agrees with the cut"),
        pytest.param(cut(keep=0, length="0"), id="an empty body with its length"),
        pytest.param(cut(keep=40, length=""), id="no length and no checksum"),
        pytest.param(cut(keep=40, length="40", checksum="12345"), id="the checksum is another's"),
        pytest.param(cut(keep=40, length="", checksum="12345"), id="no length, and the checksum is another's"),
        pytest.param(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"Ite\r\n', id="cut between chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n<html>hi</html", id="the page of a portal"),
    ],
)
def test_a_cut_reply_is_never_item_not_found(answer: bytes, region: faulty.Region) -> None:
    region.behaves(faulty.says(answer, then_close=True))

    error = raised_by(get)

    assert not isinstance(error, DoesNotExist)
    failure = classify(error)
    assert failure.error_class is ErrorClass.UNKNOWN
    assert failure.outcome in (Outcome.SERVER_ERROR, Outcome.CONNECT)


def test_a_wrong_checksum_over_a_whole_reply_is_no_answer(region: faulty.Region) -> None:
    region.behaves(faulty.says(faulty.reply(200, ITEM).replace(b"x-amz-crc32: ", b"x-amz-crc32: 1")))

    failure = classify(raised_by(get))

    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.SERVER_ERROR)


def test_an_item_that_is_not_there_is_the_callers_business(region: faulty.Region) -> None:
    region.behaves(faulty.says(faulty.reply(200, {})))

    error = raised_by(get)

    assert isinstance(error, DoesNotExist)
    assert classify(error).error_class is ErrorClass.CALLER


def test_one_call_is_one_attempt(region: faulty.Region) -> None:
    asked = []

    def counts(connection: socket.socket, over: object) -> None:
        faulty.read_request(connection)
        asked.append(1)
        connection.sendall(faulty.reply(503, {}))

    region.behaves(counts)
    raised_by(put)

    assert len(asked) == 1


def test_the_failure_keeps_the_error_that_the_caller_would_have_seen(region: faulty.Region) -> None:
    region.behaves(faulty.closes)

    wrapped, read = raised_by(put), raised_by(get)

    assert isinstance(wrapped, PutError)
    assert isinstance(read, GetError)
    assert classify(wrapped).error is wrapped


def test_a_refused_condition_is_told_from_other_refusals(region: faulty.Region) -> None:
    errors = {}
    for code in ("ConditionalCheckFailedException", "ValidationException"):
        region.behaves(faulty.says(faulty.refusal(code)))
        errors[code] = raised_by(lambda: ControlRow("k", "i", document="{}", updated_at=1, updated_in=EAST).save())

    assert is_condition_failure(errors["ConditionalCheckFailedException"])
    assert not is_condition_failure(errors["ValidationException"])
    assert not is_condition_failure(KeyError("ConditionalCheckFailedException"))
    assert classify(errors["ConditionalCheckFailedException"]).error_class is ErrorClass.CALLER


@pytest.mark.usefixtures("no_credentials")
def test_credentials_that_cannot_be_found_are_a_refusal(tmp_path: Path) -> None:
    with faulty.models_wired(faulty.make_config(tmp_path, {EAST: free_port()})):
        failure = classify(raised_by(put))

    assert (failure.error_class, failure.outcome) == (ErrorClass.DENIED, Outcome.DENIED)


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (RegionNotBound("no"), "D"),
        (KeyError("a mistake of ours"), "D"),
        (KeyboardInterrupt(), "D"),
        (TimeoutError("raised by the operation itself"), "B"),
        (ConnectionResetError(), "B"),
        (PutError("unwrapped"), "D"),
        (botocore.exceptions.ClientError({}, "PutItem"), "B"),
        (botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), "B"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"), "A"),
    ],
)
def test_classify_has_an_answer_for_whatever_an_operation_raises(error: BaseException, error_class: str) -> None:
    failure = classify(error)

    assert failure.error_class == error_class
    assert failure.error is error
