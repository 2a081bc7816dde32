"""A region that cannot be reached says so before its attempt is cut: then nothing was sent, and any write may go on."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import botocore.exceptions as sdk
import pytest
from botocore.awsrequest import AWSRequest
from dnslib import QTYPE, RR, A, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from failover import gateway, wiring
from failover.adapters.clients import SPARE, reach_s, read_s
from failover.adapters.control_store import ControlRow
from failover.adapters.errors import classify
from failover.adapters.transport import Transport
from failover.conf import FailoverConfig
from failover.core.errors import ErrorClass, Outcome
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.addresses import dropping
from tests.failover.adapters.faulty import EAST, WEST
from tests.failover.clocks import ShiftedClock

THIRD = "eu-west-1"
ALIVE, DEAD = "127.0.0.1", "127.0.0.2"
HOST = "dynamodb.us-east-1.amazonaws.com"


def put(_: object) -> None:
    ControlRow("k", "i", document="{}").put()


class Zone:
    """Every region's name is `ALIVE`; East's becomes `east`, and None is silence."""

    def __init__(self) -> None:
        self.east: str | None = ALIVE

    def __call__(self, question: DNSRecord) -> DNSRecord | None:
        address = self.east if EAST in str(question.q.qname) else ALIVE
        if address is None:
            return None
        answer = question.reply()
        answer.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(address), ttl=1))
        return answer


@pytest.fixture
def black_hole() -> Iterator[int]:
    """The port at which `DEAD` drops packets and `ALIVE` answers."""
    with faulty.server(faulty.says(faulty.reply(200, {}))) as port, dropping(port, [DEAD]):
        yield port


@pytest.mark.parametrize("regions", [(EAST, WEST), (EAST, WEST, THIRD)], ids=len)
@pytest.mark.parametrize(
    ("east", "outcome"),
    [
        pytest.param(None, Outcome.DNS, id="a silent name"),
        pytest.param(DEAD, Outcome.CONNECT, id="an address that drops packets"),
    ],
)
def test_a_write_that_may_not_be_repeated_goes_on_from_a_region_that_is_not_reached(
    east: str | None, outcome: Outcome, regions: tuple[str, ...], black_hole: int, tmp_path: Path
) -> None:
    zone = Zone()
    with faulty_dns.nameserver(zone) as address:
        config = faulty.make_config(tmp_path, dict.fromkeys(regions, black_hole), address)
        # With three regions an attempt gets exactly what a connection is given by the settings.
        config = dataclasses.replace(config, deadline_s=6.0, connect_timeout_s=2.0, read_timeout_s=2.0)
        with wiring.using(config) as wired:
            wired.runner.run_everywhere(regions, put, timeout=30)  # the first call of each is slow
            wired.clients[EAST].close()
            zone.east = east

            routed = gateway.write(put, idempotent=False)

    assert [(attempt.region, attempt.outcome, attempt.error_class) for attempt in routed.attempts] == [
        (EAST, outcome, ErrorClass.NOT_SENT),
        (WEST, Outcome.OK, None),
    ]


def test_what_a_name_takes_its_connection_does_not_get(black_hole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ShiftedClock()

    def slow(*_: object) -> list[object]:
        clock.ahead_s += 59.8
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (DEAD, black_hole))]

    transport = Transport(f"http://{HOST}", connect_timeout=60, read_timeout=60, size=1, clock=clock)
    request = AWSRequest("POST", f"http://{HOST}/", data=b"{}").prepare()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", slow)
        with faulty.Stopwatch() as watch, pytest.raises(sdk.ConnectTimeoutError) as caught:
            transport.send(request)

    assert classify(caught.value).error_class is ErrorClass.NOT_SENT
    assert watch.seconds < 30  # the 0.2 s that were left, on a busy machine


def config(regions: int, deadline_s: float, connect_s: float, read_s: float) -> FailoverConfig:
    names = tuple(f"us-east-{number}" for number in range(1, regions + 1))
    times = {"deadline_s": deadline_s, "connect_timeout_s": connect_s, "read_timeout_s": read_s}
    return FailoverConfig(names, {}, None, Path("unused"), **times)


@given(st.builds(config, st.integers(1, 9), st.floats(0.1, 60), st.floats(0.05, 30), st.floats(0.05, 30)))
def test_whatever_is_set_a_region_is_reached_or_not_well_within_its_attempt(config: FailoverConfig) -> None:
    attempt_s = wiring.router_config(config).attempt_timeout_s

    assert reach_s(config) * SPARE <= attempt_s + 1e-9
    assert reach_s(config) <= config.connect_timeout_s
    assert read_s(config) * SPARE <= attempt_s + 1e-9
    assert read_s(config) <= config.read_timeout_s


@pytest.mark.parametrize(("regions", "seconds"), [(1, 1.0), (2, 1.0), (3, 2.5 / 3)])
def test_only_a_third_region_shortens_the_default(regions: int, seconds: float) -> None:
    settings = config(regions, 3.0, 1.0, 1.0)
    assert (reach_s(settings), read_s(settings)) == pytest.approx((seconds, seconds))
