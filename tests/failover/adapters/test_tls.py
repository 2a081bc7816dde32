"""Real TLS that breaks, through the models and through the canary: in the handshake nothing was sent, after it nobody
knows.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from failover.adapters import dns
from failover.adapters.binding import bind
from failover.adapters.clients import make_client
from failover.adapters.clock import SystemClock
from failover.adapters.control_store import ControlRow
from failover.adapters.errors import classify
from failover.adapters.probes import Probe
from failover.conf import FailoverConfig
from failover.core.errors import ErrorClass, Outcome
from failover.core.signals.health import Canary, Verdict
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST
from tests.failover.adapters.items import ITEM, put, raised_by

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()
PLAIN_HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


def says_at_once(connection, over: threading.Event) -> None:
    connection.sendall(PLAIN_HTTP)
    connection.recv(1000)


IN_THE_HANDSHAKE = [
    pytest.param(faulty.hangs, "no TLS handshake in time", id="never answered"),
    pytest.param(faulty.resets_at_once, "the TLS handshake failed", id="reset"),
    pytest.param(faulty.closes_at_once, "the TLS handshake failed", id="closed"),
    pytest.param(says_at_once, "the TLS handshake failed", id="plain HTTP"),
    pytest.param(
        faulty.over_tls(AUTHORITY, faulty.hangs, name="another-name.invalid"),
        "the certificate is not valid",
        id="a certificate for another name",
    ),
    pytest.param(
        faulty.over_tls(STRANGER, faulty.hangs), "the certificate is not valid", id="a certificate by a stranger"
    ),
]


@pytest.fixture(autouse=True)
def _trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application trusts the authority through its environment, as in the lab."""
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))


@contextlib.contextmanager
def region(run_dir: Path, behave: faulty.Behaviour) -> Iterator[FailoverConfig]:
    """Settings for a region that is to speak TLS, and the models of this process talk to it."""
    with faulty.server(behave) as port:
        config = replace(faulty.make_config(run_dir, {EAST: port}), endpoints={EAST: f"https://127.0.0.1:{port}"})
        with faulty.models_wired(config):
            yield config


def canary(config: FailoverConfig) -> Canary:
    client, resolver = make_client(config, EAST), dns.Resolver([], None, timeout=5)
    probe = Probe(config.endpoint(EAST), client, resolver, SystemClock(), timeout=faulty.TIMEOUT_S)
    return probe.run(1, lambda: None, lambda: None)


@pytest.mark.parametrize(("behave", "detail"), IN_THE_HANDSHAKE)
def test_a_handshake_that_fails_was_not_sent(behave: faulty.Behaviour, detail: str, tmp_path: Path) -> None:
    with region(tmp_path, behave):
        failure = classify(raised_by(put))

    assert (failure.error_class, failure.outcome, failure.detail) == (ErrorClass.NOT_SENT, Outcome.TLS, detail)


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        pytest.param(faulty.hangs, Outcome.TIMEOUT, id="never answered"),
        pytest.param(faulty.resets, Outcome.CONNECT, id="reset"),
        pytest.param(faulty.closes, Outcome.CONNECT, id="closed"),
        pytest.param(faulty.talks_nonsense, Outcome.CONNECT, id="no encryption"),
        pytest.param(faulty.says(faulty.reply(503, {})), Outcome.SERVER_ERROR, id="503"),
    ],
)
def test_what_breaks_after_the_handshake_may_have_been_applied(
    behave: faulty.Behaviour, outcome: Outcome, tmp_path: Path
) -> None:
    with region(tmp_path, faulty.over_tls(AUTHORITY, behave)):
        failure = classify(raised_by(put))

    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, outcome)


def test_a_connection_that_was_reset_at_its_second_request_has_no_handshake_to_blame(tmp_path: Path) -> None:
    def once(connection, over: threading.Event) -> None:
        faulty.read_request(connection)
        connection.sendall(faulty.reply(200, ITEM))
        faulty.resets(connection, over)

    with region(tmp_path, faulty.over_tls(AUTHORITY, once)):
        with bind(EAST):
            assert ControlRow.get("k", "i").document == "{}"
        failure = classify(raised_by(put))

    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.CONNECT)


def test_a_connection_that_is_cut_while_a_large_request_is_sent_is_a_cut_connection(tmp_path: Path) -> None:
    def large() -> object:
        return ControlRow("k", "i", document="x" * 300_000).put()

    with region(tmp_path, faulty.over_tls(AUTHORITY, faulty.resets_at_once)):
        failures = [classify(raised_by(large)) for _ in range(10)]

    assert {(failure.error_class, failure.outcome) for failure in failures} == {(ErrorClass.UNKNOWN, Outcome.CONNECT)}


@pytest.mark.parametrize(("behave", "detail"), IN_THE_HANDSHAKE)
def test_a_canary_says_that_it_was_the_handshake(behave: faulty.Behaviour, detail: str, tmp_path: Path) -> None:
    with region(tmp_path, behave) as config:
        seen = canary(config)

    assert (seen.connect.ok, seen.connect.detail) == (False, detail)
    assert seen.connect.error_class is ErrorClass.NOT_SENT
    assert (seen.write.ok, seen.verdict) == (None, Verdict.FAILED)


def test_a_canary_passes_where_the_sdk_trusts_the_certificate(tmp_path: Path) -> None:
    with region(tmp_path, faulty.over_tls(AUTHORITY, faulty.hangs)) as config:
        assert canary(config).connect.ok is True


def test_a_canary_trusts_nobody_whom_the_sdk_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))  # the host's own list, which the SDK does not read
    with region(tmp_path, faulty.over_tls(AUTHORITY, faulty.hangs)) as config:
        assert classify(raised_by(put)).outcome is Outcome.TLS
        assert canary(config).connect.detail == "the certificate is not valid"


def test_a_handshake_that_drips_does_not_hold_up_the_canary(tmp_path: Path) -> None:
    def drips(connection, over: threading.Event) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")  # the head of a long handshake record
        while not over.is_set():
            connection.sendall(b"\x00")
            over.wait(faulty.TIMEOUT_S / 5)

    with region(tmp_path, drips) as config, faulty.Stopwatch() as watch:
        seen = canary(config)

    assert seen.connect.detail == "no TLS handshake in time"
    assert watch.seconds < 5
