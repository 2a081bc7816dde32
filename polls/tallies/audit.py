"""Tallies held against ballots, or counted anew, in every region at once: for the person who wants to be sure."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from failover import gateway
from polls.surveys import expiry
from polls.surveys.survey import Survey
from polls.tallies import store
from polls.tallies.ports import Scheme, Shard, Unreachable
from polls.tallies.recount import Difference

AT_ONCE = 8  # shards; a far region's round trips are made side by side
LOOKS = 3  # a vote that is being counted is no difference: what differs is looked at again
PAUSE_S = 1.0


@dataclass(frozen=True)
class Finding:
    """What is said about a region, and whether it is as it should be."""

    good: bool
    text: str


def audit(survey: Survey) -> dict[str, Finding]:
    """Compares the current round's tallies with its ballots, by region. Writes nothing."""
    return _everywhere(survey, _compare)


def rebuild(survey: Survey) -> dict[str, Finding]:
    """Counts every shard of the current round again, by region."""
    return _everywhere(survey, _recount)


def _everywhere(survey: Survey, look: Callable[[str, Scheme], Finding]) -> dict[str, Finding]:
    scheme, regions = store.scheme_of(survey), gateway.regions()
    if survey.is_gone:
        return dict.fromkeys(regions, Finding(True, f"expired\t{expiry.gone(survey)}"))

    def asked(region: str) -> Finding:
        try:
            return look(region, scheme)
        except Unreachable as error:
            return Finding(False, f"did not answer: {error}")

    with ThreadPoolExecutor(len(regions)) as pool:
        return dict(zip(regions, pool.map(asked, regions), strict=True))


def _compare(region: str, scheme: Scheme) -> Finding:
    found = _differences(region, scheme, range(scheme.shards))
    for _look in range(LOOKS - 1):
        if not found:
            break
        gateway.clock.wait(PAUSE_S)
        found = _differences(region, scheme, [difference.shard.number for difference in found])
    kept = store.RegionTallies(region).kept(scheme.code, scheme.round)
    voters = sum(stored.tally.voters for stored in kept.shards.values())
    if not found:
        return Finding(True, f"equal\t{voters} voters in {scheme.shards} shards")
    said = "; ".join(_words(difference) for difference in found[:5])
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return Finding(False, f"DIFFERS\t{len(found)} of {scheme.shards} shards: {said}{more}")


def _words(difference: Difference) -> str:
    counted = difference.kept.voters if difference.kept else 0
    tail = "" if counted != difference.ballots.voters else " with other answers"
    return f"shard {difference.shard.number}: {counted} voters counted, {difference.ballots.voters} voted{tail}"


def _differences(region: str, scheme: Scheme, numbers: range | list[int]) -> list[Difference]:
    parts = [numbers[at::AT_ONCE] for at in range(min(AT_ONCE, len(numbers)))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda part: store.projector(region).differences(scheme, part), parts)
        return sorted((difference for part in found for difference in part), key=lambda d: d.shard)


def _recount(region: str, scheme: Scheme) -> Finding:
    projector = store.projector(region)
    shards = [Shard(scheme.code, scheme.round, number) for number in range(scheme.shards)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counted = list(pool.map(lambda shard: projector.recount(shard, scheme), shards))
    return Finding(True, f"counted again\t{sum(tally.voters for tally in counted)} voters in {scheme.shards} shards")
