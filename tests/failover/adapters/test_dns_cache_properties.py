"""The address cache against a plain list of everything that was ever told: two processes, one book, one clock."""

from __future__ import annotations

import itertools
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from failover.adapters.dns_cache import MAX_TTL_S, NEGATIVE_S, RECHECK_S, AddressBook, AddressCache, Answer, Served
from failover.core.fakes import FakeClock

HOST = "dynamodb.us-east-1.amazonaws.com"
STALE_S = 20.0
PROCESSES = st.sampled_from((0, 1))
NO_ADDRESS = (getattr(socket, "EAI_NODATA", socket.EAI_NONAME), socket.EAI_NONAME)


@dataclass(frozen=True)
class Told:
    """An answer that the nameserver gave, and until when it may be used without asking again."""

    addresses: tuple[str, ...]
    fresh_until: float


class Processes(RuleBasedStateMachine):
    """Whole seconds only, so that a boundary is met exactly and often."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.dir = Path(tempfile.mkdtemp())
        self.caches = [AddressCache(self.clock, stale_s=STALE_S, book=AddressBook(self.dir)) for _ in range(2)]
        self.numbers = itertools.count(1)
        self.failing: int | None = None  # with which code the nameserver fails now
        self.ttl_s = 5.0
        self.told: list[Told] = []
        self.own: list[Told | None] = [None, None]
        self.silent_until = [0.0, 0.0]  # until when each process may believe a failure that it met
        self.first_failed: list[float | None] = [None, None]
        self.asked = 0

    def teardown(self) -> None:
        shutil.rmtree(self.dir)

    def ask(self, timeout: float) -> Answer:
        self.asked += 1
        if self.failing is not None:
            raise socket.gaierror(self.failing, "so it is")
        addresses = (f"192.0.2.{next(self.numbers) % 250}",)
        self.told.append(Told(addresses, self.clock.monotonic() + min(self.ttl_s, MAX_TTL_S)))
        return Answer(addresses, self.ttl_s)

    @rule(seconds=st.integers(0, 12))
    def time_passes(self, seconds: int) -> None:
        self.clock.wait(seconds)

    @rule(code=st.sampled_from((*NO_ADDRESS, socket.EAI_AGAIN)))
    def the_name_stops_resolving(self, code: int) -> None:
        self.failing = code

    @rule(ttl_s=st.sampled_from((0.0, 1.0, 5.0, 30.0, 3600.0)))
    def the_name_resolves(self, ttl_s: float) -> None:
        self.failing, self.ttl_s = None, ttl_s

    @rule(process=PROCESSES)
    def a_connection_is_made(self, process: int) -> None:
        now = self.clock.monotonic()
        best = self.known(process)
        fresh = best is not None and now < best.fresh_until
        held = not fresh and now < self.silent_until[process]
        before, served = self.asked, self.outcome(process, renew=False)
        assert self.asked - before == (0 if fresh or held else 1)
        if fresh:
            assert served is not None
            assert best is not None
            assert served == Served(best.addresses)
        else:
            self.judge(process, served, asked=not held)

    @rule(process=PROCESSES)
    def a_canary_is_sent(self, process: int) -> None:
        before, served = self.asked, self.outcome(process, renew=True)
        assert self.asked == before + 1
        self.judge(process, served, asked=True)

    def known(self, process: int) -> Told | None:
        """What the process itself was told while that is fresh, else what anybody was told last."""
        own = self.own[process]
        if own is not None and self.clock.monotonic() < own.fresh_until:
            return own
        return self.told[-1] if self.told else None

    def outcome(self, process: int, *, renew: bool) -> Served | None:
        cache = self.caches[process]
        try:
            return (cache.renew if renew else cache.get)(HOST, self.ask, timeout=1)
        except socket.gaierror:
            return None

    def judge(self, process: int, served: Served | None, *, asked: bool) -> None:
        """What must come of a call that was not answered by a fresh answer."""
        now = self.clock.monotonic()
        if asked and self.failing is None:
            assert served == Served(self.told[-1].addresses)
            self.own[process] = self.told[-1]
            self.first_failed[process], self.silent_until[process] = None, 0.0
            return
        known = self.known(process)
        usable = known is not None and now < known.fresh_until + STALE_S
        if asked:
            hold_s = RECHECK_S if usable and self.failing == socket.EAI_AGAIN else NEGATIVE_S
            self.silent_until[process] = now + hold_s
            self.first_failed[process] = self.first_failed[process] or self.clock.wall()
        assert (served is not None) == usable
        if served is not None and known is not None:
            assert served.addresses == known.addresses
            assert served.failure is not None
            assert served.since == self.first_failed[process]
            assert served.until - self.clock.wall() == known.fresh_until + STALE_S - now

    @invariant()
    def nothing_is_left_half_written(self) -> None:
        assert [path.name for path in self.dir.iterdir()] in ([], [f"{HOST}.json"])


TestProcesses = Processes.TestCase
TestProcesses.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
