"""Compares tallies with ballots, or counts them again, in every region at once: for a person who
wants to be sure.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from failover import gateway
from polls.surveys import expiry
from polls.surveys.survey import Survey
from polls.tallies import store
from polls.tallies.ports import Scheme, Shard, Unreachable
from polls.tallies.recount import Difference

AT_ONCE = 8  # shards; the round trips to a far region overlap
LOOKS = 3  # a vote that is being counted makes no lasting difference: what differs is compared again
PAUSE_S = 1.0


@dataclass(frozen=True)
class Finding:
    """What is said about a region, and whether the region is as it should be."""

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

    def look_at(region: str) -> Finding:
        try:
            return look(region, scheme)
        except Unreachable as error:
            return Finding(False, f"did not answer: {error}")

    with ThreadPoolExecutor(len(regions)) as pool:
        return dict(zip(regions, pool.map(look_at, regions), strict=True))


def _compare(region: str, scheme: Scheme) -> Finding:
    differences = _differences(region, scheme, range(scheme.shards))
    for _look in range(LOOKS - 1):
        if not differences:
            break
        gateway.clock.wait(PAUSE_S)
        differences = _differences(region, scheme, [difference.shard.number for difference in differences])
    kept = store.RegionTallies(region).kept(scheme.code, scheme.round)
    voters = sum(stored.tally.voters for stored in kept.shards.values())
    if not differences:
        return Finding(True, f"equal\t{voters} voters in {scheme.shards} shards")
    listed = "; ".join(_words(difference) for difference in differences[:5])
    more = f"; and {len(differences) - 5} more" if len(differences) > 5 else ""
    return Finding(False, f"DIFFERS\t{len(differences)} of {scheme.shards} shards: {listed}{more}")


def _words(difference: Difference) -> str:
    counted = difference.kept.voters if difference.kept else 0
    tail = "" if counted != difference.ballots.voters else " with other answers"
    return f"shard {difference.shard.number}: {counted} voters counted, {difference.ballots.voters} voted{tail}"


def _differences(region: str, scheme: Scheme, numbers: range | list[int]) -> list[Difference]:
    parts = [numbers[at::AT_ONCE] for at in range(min(AT_ONCE, len(numbers)))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        compared = pool.map(lambda part: store.recounter(region).differences(scheme, part), parts)
        return sorted((difference for part in compared for difference in part), key=lambda d: d.shard)


def _recount(region: str, scheme: Scheme) -> Finding:
    recounter = store.recounter(region)
    shards = [Shard(scheme.code, scheme.round, number) for number in range(scheme.shards)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counted = list(pool.map(lambda shard: recounter.recount(shard, scheme), shards))
    return Finding(True, f"counted again\t{sum(tally.voters for tally in counted)} voters in {scheme.shards} shards")
