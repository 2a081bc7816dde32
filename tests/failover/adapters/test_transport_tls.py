"""The transport over TLS: the certificate, and how far the request came when a handshake fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import botocore.exceptions as sdk
import pytest
import trustme

from failover.adapters.clock import SystemClock
from failover.adapters.errors import classify
from failover.adapters.transport import Transport
from failover.core.errors import ErrorClass, Outcome
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import Behaviour
from tests.failover.adapters.transports import ANSWER, HOST, Counted, addresses, ask, open_transport


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))


@pytest.mark.usefixtures("trusted")
def test_a_connection_over_tls_is_kept_too(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Counted(faulty.over_tls(authority, faulty.says(ANSWER), name=HOST))
    with faulty.server(server) as port, open_transport(f"https://{HOST}") as transport:
        addresses(monkeypatch, port)
        assert [ask(transport, f"https://{HOST}").status_code for _ in range(3)] == [200] * 3

    assert server.connections == 1


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("behaviour", "detail"),
    [
        pytest.param(
            lambda own: faulty.over_tls(own, faulty.says(ANSWER), name="else.example"),
            "the certificate is not valid",
            id="another name's certificate",
        ),
        pytest.param(
            lambda _: faulty.over_tls(trustme.CA(), faulty.says(ANSWER), name=HOST),
            "the certificate is not valid",
            id="another authority's certificate",
        ),
        pytest.param(lambda _: faulty.hangs, "no TLS handshake in time", id="a handshake that hangs"),
        pytest.param(lambda _: faulty.says(ANSWER), "no TLS handshake in time", id="a server that waits for HTTP"),
        pytest.param(lambda _: lambda connection, over: None, "the TLS handshake failed", id="a close"),
        pytest.param(
            lambda _: lambda connection, over: connection.sendall(ANSWER), "the TLS handshake failed", id="plain HTTP"
        ),
    ],
)
def test_before_the_handshake_is_over_nothing_is_sent(
    behaviour: Callable[[trustme.CA], Behaviour],
    detail: str,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        faulty.server(behaviour(authority)) as port,
        open_transport(f"https://{HOST}") as transport,
        faulty.Stopwatch() as watch,
    ):
        addresses(monkeypatch, port)
        with pytest.raises(sdk.SSLError) as caught:
            ask(transport, f"https://{HOST}")

    failure = classify(caught.value)
    assert (failure.error_class, failure.outcome, failure.detail) == (ErrorClass.NOT_SENT, Outcome.TLS, detail)
    assert watch.seconds < 5


@pytest.mark.usefixtures("trusted")
def test_an_address_whose_handshake_fails_comes_last_at_the_next_connection(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Counted(faulty.over_tls(authority, faulty.says(ANSWER), name=HOST))
    with (
        faulty.server(faulty.closes_at_once) as broken,
        faulty.server(right) as port,
    ):
        transport = Transport(f"https://{HOST}", connect_timeout=20, read_timeout=20, size=2, clock=SystemClock())
        addresses(monkeypatch, broken, port)
        with pytest.raises(sdk.SSLError):
            ask(transport, f"https://{HOST}")

        assert ask(transport, f"https://{HOST}").status_code == 200
        transport.close()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("broken", [faulty.drips, faulty.closes])
def test_after_the_handshake_nobody_knows(
    broken: Behaviour, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        faulty.server(faulty.over_tls(authority, broken, name=HOST)) as port,
        open_transport(f"https://{HOST}") as transport,
    ):
        addresses(monkeypatch, port)
        with pytest.raises(sdk.HTTPClientError) as caught:
            ask(transport, f"https://{HOST}")

    assert classify(caught.value).error_class is ErrorClass.UNKNOWN
