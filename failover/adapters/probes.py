"""The active canary: DNS, connect, write and read, each measured alone, over a fresh connection.

Pooled connections hide a DNS outage completely (measured), so the canary first closes its client's
pool and then goes through every layer. A layer that was not reached is unknown, not failed: the
sentence "DNS answers empty" must not be followed by "and writes fail".
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from failover.adapters.dial import Dialer
from failover.adapters.dns import Resolver, numeric
from failover.adapters.dns_cache import Served
from failover.adapters.errors import classify, dns_detail, no_handshake
from failover.adapters.transport import tls_context
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.phrases import phrase
from failover.core.ports import Clock
from failover.core.signals.health import Canary, Layer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A step fails by raising, or by returning a `Failure`; any other result is ignored.
Step = Callable[[], object]
ADDRESSES_SHOWN = 4
NOT_REACHED = Layer(ok=None, ms=None, detail=phrase("not reached"), error_class=None)


class HandshakeFailed(Exception):
    """The TLS handshake failed; the cause says why."""


class Probe:
    """Probes the four layers of one region."""

    def __init__(
        self,
        endpoint: str,
        client: DynamoDBClient,
        resolver: Resolver,
        clock: Clock,
        *,
        timeout: float,
        loopback_only: bool = False,
    ) -> None:
        self._parts = urlsplit(endpoint)
        self._client = client
        self._resolver = resolver
        self._clock = clock
        self._timeout = timeout
        self._dialer = Dialer(clock, loopback_only=loopback_only)
        # The authorities that the SDK trusts, not the host's: they must agree about a region.
        self._tls = tls_context() if self._parts.scheme == "https" else None

    def run(self, seq: int, write: Step, read: Step) -> Canary:
        """Runs one canary and stops at the first layer that fails. Never raises.

        The caller binds the operations `write` and `read` to the region and bounds them in time: a
        region that answers one byte per second must not delay its own canary.
        """
        self._client.close()  # pooled connections would hide the fault that this looks for
        layers = dict.fromkeys(("dns", "connect", "write", "read"), NOT_REACHED)
        served: list[Served] = []
        steps: tuple[tuple[str, Step], ...] = (
            ("dns", lambda: served.append(self._resolver.look_up(self._parts.hostname or ""))),
            ("connect", lambda: self._connect(served[0].addresses)),
            ("write", write),
            ("read", read),
        )
        for name, step in steps:
            started = self._clock.monotonic()
            failure = _failure(step)
            ms = (self._clock.monotonic() - started) * 1000
            if failure is not None:
                layers[name] = Layer(ok=False, ms=ms, detail=failure.detail, error_class=failure.error_class)
                break
            layers[name] = _resolved(served[0], ms) if name == "dns" else Layer(ok=True, ms=ms)
        return Canary(seq=seq, **layers)

    def _connect(self, addresses: Sequence[str]) -> None:
        """Connects to one address, as live traffic does; one timeout covers all addresses together."""
        port = self._parts.port or (443 if self._parts.scheme == "https" else 80)
        until = self._clock.monotonic() + self._timeout
        raw, address = self._dialer.connect(numeric(addresses, port), until=until)
        with raw:
            if self._tls is None:
                return
            try:
                raw.settimeout(max(0.001, until - self._clock.monotonic()))  # of the handshake as a whole
                self._tls.wrap_socket(raw, server_hostname=self._parts.hostname).close()
            except OSError as error:
                self._dialer.failed(address)
                raise HandshakeFailed from error


def _resolved(served: Served, ms: float) -> Layer:
    """The DNS layer of a region that can be reached. A stale answer counts as working, and says so."""
    if served.failure is None:
        return Layer(ok=True, ms=ms, detail=_listed(served.addresses))
    since, until = (f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}" for at in (served.since, served.until))
    detail = phrase(
        "{trouble} since {since} UTC; the last good answer serves until {until} at most",
        trouble=dns_detail(served.failure),
        since=since,
        until=until,
    )
    return Layer(ok=True, ms=ms, detail=detail, stale=True)


def _listed(addresses: Sequence[str]) -> str:
    shown, more = ", ".join(addresses[:ADDRESSES_SHOWN]), len(addresses) - ADDRESSES_SHOWN
    return shown if more <= 0 else phrase("{addresses} and {more} more", addresses=shown, more=more)


def _failure(step: Step) -> Failure | None:
    try:
        result = step()
    except socket.gaierror as error:
        return Failure(ErrorClass.NOT_SENT, Outcome.DNS, dns_detail(error), error)
    except HandshakeFailed as error:
        return no_handshake(error.__cause__, error)
    except TimeoutError as error:
        return Failure(ErrorClass.NOT_SENT, Outcome.CONNECT, phrase("no connection in time"), error)
    except ConnectionRefusedError as error:
        return Failure(ErrorClass.NOT_SENT, Outcome.CONNECT, phrase("the connection was refused"), error)
    except Exception as error:
        return classify(error)
    return result if isinstance(result, Failure) else None
