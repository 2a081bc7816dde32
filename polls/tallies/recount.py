"""Keeps tallies level with the ballots, by counting again and never by counting up. Standard library only.

A signal says no more than that a shard may have changed. Whoever hears one counts the whole shard again, and writes if
nobody else has written since: signals may be lost, repeated, late or in any order, and two projectors may work at once.
A sweep finds what no signal told of.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from polls.common.limits import BoundedDict
from polls.tallies.ports import Clock, Compared, Scheme, Shard, Stored, TallyStore, Unreachable
from polls.tallies.tally import Tally, count

REST = 5  # a small shard is counted again no sooner than five times what its last count took, ...
SMALL_REST_S = 0.25  # ... and no later: a long count of it was the machine's trouble, not its weight
LARGE = 500  # ballots; a shard with more is 20 ms and more of a local engine, which shares its machine with the voters
TRIES = 10  # each lost race is another projector's success, so ten in a row are no race
MOST_KNOWN = 4_096  # shards whose last writing is remembered: 64 rounds of 64
IDLE_ROUNDS = 4  # a sweep looks at so many rounds that nobody votes in, the one longest not looked at first
LIVELY_S = 600.0  # a round whose tallies changed within this time is looked at by every sweep


@dataclass(frozen=True)
class Difference:
    """A shard whose tally is not what its ballots come to; `kept` is None where there is no tally."""

    shard: Shard
    kept: Tally | None
    ballots: Tally


@dataclass(frozen=True)
class Swept:
    """What a sweep did."""

    rounds: int = 0
    shards: int = 0
    corrected: int = 0


@dataclass(frozen=True)
class _Last:
    version: str | None
    rests_until: float  # monotonic
    is_large: bool


class Projector:
    """Counts for one region. What it remembers only saves work: several may work at once, in threads or processes.

    After a large shard all counting of large ones rests `large_rest` times as long as it took: votes come first, where
    they share a machine with the counting.
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

    def count(self, shards: Iterable[Shard], *, aside: Callable[[Shard], None] | None = None) -> frozenset[Shard]:
        """Counts these shards again, each once, those first that have rested longest; waits for those that have not.
        Those that are known to be large it hands to `aside`, if there is one, instead of counting them.

        Returns those that could not be counted: signal them again.
        """
        failed: set[Shard] = set()
        schemes: dict[str, Scheme | None] = {}
        for shard in sorted(set(shards), key=lambda shard: (self._rested_at(shard), shard)):
            last = self._last.get(shard)
            if aside is not None and last is not None and last.is_large:
                aside(shard)
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
        """Counts a shard and keeps the result. Raises Unreachable.

        The options and the rule of a past round are those that it was last counted by, where there was a count.
        A tally expires with its round's ballots.
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
        """Compares tallies with ballots and puts right what differs: all open rounds that people vote in, and a few of
        the others in turn, or all of them when signals are known to be lost. Raises Unreachable.
        """
        swept = Swept()
        now = self._clock.wall()
        found = [(scheme, self._store.kept(scheme.code, scheme.round)) for scheme in self._store.open_schemes()]
        lively = [scheme for scheme, kept in found if now - kept.counted_at < LIVELY_S]
        others = sorted(
            (kept.compared.at if kept.compared else 0.0, scheme.code, scheme)
            for scheme, kept in found
            if now - kept.counted_at >= LIVELY_S
        )
        for scheme in [*lively, *(scheme for _at, _code, scheme in others[: None if everything else IDLE_ROUNDS])]:
            corrected = self.correct(scheme)
            swept = Swept(swept.rounds + 1, swept.shards + scheme.shards, swept.corrected + corrected)
        return swept

    def correct(self, scheme: Scheme) -> int:
        """Compares the current round of one survey, counts again what differs, and remembers when; returns how many
        shards differed. Raises Unreachable.
        """
        at = self._clock.wall()
        found = self.differences(scheme)
        if found:  # votes that are being counted just now need no help
            kept = self._store.kept(scheme.code, scheme.round).shards
            found = [
                one for one in found if one.shard.number not in kept or kept[one.shard.number].tally != one.ballots
            ]
        for difference in found:
            self.recount(difference.shard, scheme)
        self._store.mark(scheme, Compared(at, len(found)))
        return len(found)

    def differences(self, scheme: Scheme, numbers: Iterable[int] | None = None) -> list[Difference]:
        """The audit: the same count, held against what is kept, of all shards or of some. Writes nothing. Raises
        Unreachable.
        """
        kept = self._store.kept(scheme.code, scheme.round)
        found = []
        for number in range(scheme.shards) if numbers is None else numbers:
            shard = Shard(scheme.code, scheme.round, number)
            self._rest(None)
            began = self._clock.monotonic()
            casts = self._store.casts(shard)
            tally = count(casts, options=scheme.options, may_change=scheme.may_change)
            self._slow_down(len(casts), began)
            stored = kept.shards.get(number)
            if tally != stored.tally if stored else tally.voters:
                found.append(Difference(shard, stored.tally if stored else None, tally))
        return found

    def _slow_down(self, ballots: int, began: float) -> None:
        if ballots > LARGE:
            now = self._clock.monotonic()
            self._rests_until = now + self._large_rest * (now - began)

    def _rested_at(self, shard: Shard) -> float:
        last = self._last.get(shard)
        return last.rests_until if last else 0.0

    def _rest(self, shard: Shard | None) -> None:
        """Waits until this shard may be counted again. What large shards cost the engine they alone pay for: the class
        that votes now must not wait for the comparing (None) of a survey of a hundred thousand.
        """
        last = self._last.get(shard) if shard else None
        everyone = self._rests_until if shard is None or (last and last.is_large) else 0.0
        until = max(everyone, last.rests_until if last else 0.0)
        wait = until - self._clock.monotonic()
        if wait > 0:
            self._clock.wait(wait)
