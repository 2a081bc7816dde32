"""Keeps tallies equal to the ballots: it counts a whole shard again, and never adds to a count.
Standard library only.

A signal says only that a shard may have changed. A recounter that gets one counts the whole shard
again, and writes the result if no other recounter has written since. So signals may be lost,
repeated, late or in any order, and two recounters may work at once. A sweep finds what no signal
named.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from polls.common.limits import BoundedDict
from polls.tallies.ports import Clock, Compared, Scheme, Shard, Stored, TallyStore, Unreachable
from polls.tallies.tally import Tally, count

REST = 5  # a small shard rests five times as long as its last count took, ...
SMALL_REST_S = 0.25  # ... and at most so long: the machine made a long count of it long, not the shard
LARGE = 500  # ballots; a larger shard takes a local engine 20 ms and more, and votes need the same machine
TRIES = 10  # each lost race is another recounter's success, so ten lost in a row are no race
MOST_KNOWN = 4_096  # shards whose last write is remembered: 64 rounds of 64 shards
IDLE_ROUNDS = 4  # rounds without new votes that one sweep compares; those not compared for longest come first
LIVELY_S = 600.0  # every sweep compares the rounds whose tallies changed within this time


@dataclass(frozen=True)
class Difference:
    """A shard whose tally `kept` differs from the count of its `ballots`; `kept` is None where
    there is no tally.
    """

    shard: Shard
    kept: Tally | None
    ballots: Tally


@dataclass(frozen=True)
class Swept:
    """The numbers of rounds and shards that a sweep compared, and of shards that it corrected."""

    rounds: int = 0
    shards: int = 0
    corrected: int = 0


@dataclass(frozen=True)
class _Last:
    """The last write of a shard by this recounter."""

    version: str | None
    rests_until: float  # monotonic
    is_large: bool


class Recounter:
    """Counts for one region. Several may work at once, in threads or processes: what one remembers
    only saves work.

    After a large shard all counting of large shards rests `large_rest` times as long as the count
    took: votes come first, where they share a machine with the counting. `version` makes the unique
    names of writes.
    """

    def __init__(
        self,
        store: TallyStore,
        *,
        clock: Clock,
        large_rest: float = 0.0,
        version: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._store = store
        self._clock = clock
        self._large_rest = large_rest
        self._version = version
        self._last: BoundedDict[Shard, _Last] = BoundedDict(MOST_KNOWN)
        self._rests_until = 0.0

    def count(self, shards: Iterable[Shard], *, defer: Callable[[Shard], None] | None = None) -> frozenset[Shard]:
        """Counts each of these shards again, those first that have rested longest, and waits for
        those that must rest. A shard that is known to be large goes to `defer` instead, where that
        is given.

        Returns the shards that could not be counted: signal them again.
        """
        failed: set[Shard] = set()
        schemes: dict[str, Scheme | None] = {}
        for shard in sorted(set(shards), key=lambda shard: (self._rested_at(shard), shard)):
            last = self._last.get(shard)
            if defer is not None and last is not None and last.is_large:
                defer(shard)
                continue
            try:
                if shard.code not in schemes:
                    schemes[shard.code] = self._store.scheme(shard.code)
                scheme = schemes[shard.code]
                # A ballot may be replicated before the survey or the round that it belongs to.
                if scheme is None or scheme.round < shard.round:
                    failed.add(shard)
                    continue
                if scheme.expiry_of(shard.round) <= self._clock.wall():
                    continue  # its ballots are being removed, and nobody reads its tally
                self._rest(shard)
                self.recount(shard, scheme)
            except Unreachable:
                failed.add(shard)
        return frozenset(failed)

    def recount(self, shard: Shard, scheme: Scheme) -> Tally:
        """Counts a shard and stores the result. Raises Unreachable.

        A past round keeps the options and the rule of its last count, where there was one. A tally
        expires with the ballots of its round.
        """
        past = shard.round < scheme.round
        last = None if past else self._last.get(shard)
        stored = self._store.stored(shard) if last is None else None
        version = last.version if last else stored.version if stored else None
        for _try in range(TRIES):
            began, at = self._clock.monotonic(), self._clock.wall()
            rule: Scheme | Stored = stored if past and stored else scheme
            casts = self._store.casts(shard)
            tally = count(casts, options=rule.options, may_change=rule.may_change)
            self._slow_down(len(casts), began)
            new = Stored(tally, self._version(), rule.may_change, at, scheme.expiry_of(shard.round))
            written = self._store.write(shard, new, over=version)
            if written:
                now = self._clock.monotonic()
                is_large, took = len(casts) > LARGE, now - began
                rest = self._large_rest * took if is_large else min(REST * took, SMALL_REST_S)
                self._last[shard] = _Last(new.version, now + rest, is_large)
                return tally
            self._last.pop(shard, None)
            stored = self._store.stored(shard)
            version = stored.version if stored else None
        raise Unreachable(f"{shard} is written by others all the time")

    def sweep(self, *, everything: bool = False) -> Swept:
        """Compares tallies with ballots, and counts again what differs. It compares all open rounds
        that people vote in, and a few of the others in turn; with `everything` all of the others,
        for when signals are known to be lost. Raises Unreachable.
        """
        swept = Swept()
        now = self._clock.wall()
        rounds = [(scheme, self._store.kept(scheme.code, scheme.round)) for scheme in self._store.open_schemes()]
        lively = [scheme for scheme, kept in rounds if now - kept.counted_at < LIVELY_S]
        others = sorted(
            (kept.compared.at if kept.compared else 0.0, scheme.code, scheme)
            for scheme, kept in rounds
            if now - kept.counted_at >= LIVELY_S
        )
        for scheme in [*lively, *(scheme for _at, _code, scheme in others[: None if everything else IDLE_ROUNDS])]:
            corrected = self.correct(scheme)
            swept = Swept(swept.rounds + 1, swept.shards + scheme.shards, swept.corrected + corrected)
        return swept

    def correct(self, scheme: Scheme) -> int:
        """Compares the current round of one survey, counts again what differs, and stores when that
        was. Returns how many shards differed. Raises Unreachable.
        """
        at = self._clock.wall()
        differences = self.differences(scheme)
        if differences:  # other recounters may have counted the latest votes meanwhile
            kept = self._store.kept(scheme.code, scheme.round).shards
            differences = [
                difference
                for difference in differences
                if difference.shard.number not in kept or kept[difference.shard.number].tally != difference.ballots
            ]
        for difference in differences:
            self.recount(difference.shard, scheme)
        self._store.mark(scheme, Compared(at, len(differences)))
        return len(differences)

    def differences(self, scheme: Scheme, numbers: Iterable[int] | None = None) -> list[Difference]:
        """The audit: counts all shards, or some, and compares that with what is stored. Writes
        nothing. Raises Unreachable.
        """
        kept = self._store.kept(scheme.code, scheme.round)
        differences = []
        for number in range(scheme.shards) if numbers is None else numbers:
            shard = Shard(scheme.code, scheme.round, number)
            self._rest(None)
            began = self._clock.monotonic()
            casts = self._store.casts(shard)
            tally = count(casts, options=scheme.options, may_change=scheme.may_change)
            self._slow_down(len(casts), began)
            stored = kept.shards.get(number)
            if tally != stored.tally if stored else tally.voters:
                differences.append(Difference(shard, stored.tally if stored else None, tally))
        return differences

    def _slow_down(self, ballots: int, began: float) -> None:
        if ballots > LARGE:
            now = self._clock.monotonic()
            self._rests_until = now + self._large_rest * (now - began)

    def _rested_at(self, shard: Shard) -> float:
        last = self._last.get(shard)
        return last.rests_until if last else 0.0

    def _rest(self, shard: Shard | None) -> None:
        """Waits until this shard may be counted again, or compared (None).

        Large shards and comparing wait for what large shards cost the engine; small shards do not.
        A class that votes now must not wait while a survey of a hundred thousand ballots is
        compared.
        """
        last = self._last.get(shard) if shard else None
        after_large = self._rests_until if shard is None or (last and last.is_large) else 0.0
        until = max(after_large, last.rests_until if last else 0.0)
        wait = until - self._clock.monotonic()
        if wait > 0:
            self._clock.wait(wait)
