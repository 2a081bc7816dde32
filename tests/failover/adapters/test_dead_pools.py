"""Pooled connections that die without a packet, over real sockets: no call fails, and new connections take over."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from dnslib import DNSRecord

from failover import gateway, wiring
from failover.adapters.control_store import ControlRow
from failover.core.errors import Outcome
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.signals.breaker import CircuitState
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.faulty import EAST, WEST, Network

WRITTEN = faulty.reply(200, {})
READ_S = 0.75
CALLS = 8
SLOW_S = 60.0


def put(_: object) -> None:
    ControlRow("k", "i", document="{}").put()


class World:
    """Two regions behind networks that can forget connections, and the wiring that talks to them."""

    def __init__(self, networks: dict[str, Network], zone: Zone, wired: wiring.Wired) -> None:
        self.networks = networks
        self.zone = zone
        self.wired = wired

    def warm(self) -> None:
        """Every region's pool has connections."""
        for _ in range(2):
            with ThreadPoolExecutor(CALLS) as pool:
                list(pool.map(lambda _: gateway.everywhere(put, timeout=SLOW_S), range(CALLS)))

    def die(self, *regions: str) -> None:
        for region in regions or self.networks:
            self.networks[region].dies()

    def circuit(self, region: str) -> CircuitState:
        return self.wired.router.report().regions[region].circuit


class Zone:
    """Every name is this machine, or none while it is `empty`."""

    empty = False

    def __call__(self, question: DNSRecord) -> DNSRecord | None:
        return faulty_dns.empty(question) if self.empty else faulty_dns.loopback(question)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    networks = {EAST: Network(WRITTEN), WEST: Network(WRITTEN)}
    zone = Zone()
    with contextlib.ExitStack() as stack:
        ports = {region: stack.enter_context(faulty.server(network)) for region, network in networks.items()}
        address = stack.enter_context(faulty_dns.nameserver(zone))
        config = replace(
            faulty.make_config(tmp_path, ports, address),
            deadline_s=30.0,
            connect_timeout_s=READ_S,
            read_timeout_s=READ_S,
            threads=CALLS,
        )
        world = World(networks, zone, stack.enter_context(wiring.using(config)))
        world.warm()
        yield world


def write() -> gateway.Routed[None]:
    return gateway.write(put, idempotent=True)


def outcomes(routed: gateway.Routed[None]) -> list[tuple[str, Outcome]]:
    return [(attempt.region, attempt.outcome) for attempt in routed.attempts]


def test_with_both_pools_dead_a_vote_comes_back_over_a_new_connection(world: World) -> None:
    world.die()

    assert outcomes(write()) == [(EAST, Outcome.TIMEOUT), (WEST, Outcome.TIMEOUT), (EAST, Outcome.OK)]
    assert outcomes(write()) == [(EAST, Outcome.OK)]
    assert world.circuit(EAST) is CircuitState.CLOSED


def test_with_one_pool_dead_the_other_region_takes_the_vote(world: World) -> None:
    world.die(EAST)

    assert outcomes(write()) == [(EAST, Outcome.TIMEOUT), (WEST, Outcome.OK)]
    assert outcomes(write()) == [(EAST, Outcome.OK)]


def test_a_whole_class_that_meets_both_dead_pools_at_once_loses_no_vote(world: World) -> None:
    world.die()
    with ThreadPoolExecutor(CALLS) as pool:
        routed = list(pool.map(lambda _: write(), range(4 * CALLS)))

    assert len(routed) == 4 * CALLS
    assert outcomes(write())[-1][1] is Outcome.OK
    assert world.circuit(EAST) is CircuitState.CLOSED, "what the pooled connections said is taken back"


def test_everything_that_is_asked_of_every_region_is_asked_again_over_new_connections(world: World) -> None:
    world.die()

    assert set(gateway.everywhere(put, timeout=2 * READ_S)) == {EAST, WEST}


@pytest.mark.parametrize("hanging", [EAST, WEST])
def test_a_dead_pool_beside_a_region_that_hangs(hanging: str, world: World) -> None:
    alive = WEST if hanging == EAST else EAST
    world.networks[hanging].fresh = faulty.hangs
    world.die()

    assert write().region == alive


def test_while_no_name_resolves_living_pools_hide_it(world: World) -> None:
    world.zone.empty = True

    assert [outcomes(write()) for _ in range(3)] == [[(EAST, Outcome.OK)]] * 3


def test_when_every_name_is_gone_and_every_circuit_open_living_pools_still_serve(world: World) -> None:
    world.zone.empty = True
    circuits = {region: HostCircuit(CircuitState.OPEN) for region in (EAST, WEST)}
    world.wired.router.follow(HostView(None, circuits))

    assert [write().region for _ in range(3)] == [EAST] * 3


def test_while_the_first_regions_name_is_empty_and_its_pool_dead_the_other_serves(world: World) -> None:
    world.die(EAST)
    world.zone.empty = True

    assert outcomes(write()) == [(EAST, Outcome.TIMEOUT), (WEST, Outcome.OK)]
    assert outcomes(write()) == [(EAST, Outcome.DNS), (WEST, Outcome.OK)]


def test_a_write_that_may_not_be_repeated_is_not_repeated_over_a_new_connection(world: World) -> None:
    world.die(EAST)
    before = {region: network.made for region, network in world.networks.items()}

    with pytest.raises(gateway.OutcomeUnknown):
        gateway.write(put, idempotent=False)

    assert {region: network.made for region, network in world.networks.items()} == before


def test_an_opened_circuit_leaves_no_connection_in_the_pool(world: World) -> None:
    world.networks[EAST].fresh = faulty.hangs
    world.die(EAST)
    together = threading.Barrier(CALLS)

    def at_once(_: int) -> str:
        together.wait(20)
        return write().region

    with ThreadPoolExecutor(CALLS) as pool:
        assert set(pool.map(at_once, range(CALLS))) == {WEST}
    for _ in range(3):
        write()

    assert world.circuit(EAST) is CircuitState.OPEN
    world.wired.router.order()
    assert world.wired.clients[EAST]._endpoint.http_session._idle == []
