"""The regions in which a voter's earlier ballot may have been written. On a calm day that is only
the region that votes go to now, and then a vote costs one call and not two.

A region that takes a ballot of a round is marked: the mark lies beside the ballots and is
replicated as they are. So where a ballot of another region can be seen, that region's mark can be
seen too. A process reads the marks once a second, instead of a ballot for each vote. It knows its
own marks at once.

Within a second after a region's *first* ballot of a round, a voter who turns up in another region
may be told "recorded" where "changed" or "already-recorded" would be right. What is counted is the
same.
"""

from dataclasses import dataclass, field
from threading import Lock

from failover import gateway
from polls.ballots.models import BallotRow, mark_key
from polls.common.limits import BoundedDict
from polls.surveys.survey import Survey

FRESH_S = 1.0
MOST_ROUNDS = 1_000


@dataclass
class _Round:
    """What this process knows of one round."""

    marked: set[str] = field(default_factory=set)  # regions
    looked_at: dict[str, float] = field(default_factory=dict)  # by bound region: monotonic seconds


_lock = Lock()
_rounds: BoundedDict[tuple[str, int], _Round] = BoundedDict(MOST_ROUNDS)


def others(survey: Survey, region: str) -> list[str]:
    """The regions, besides the bound `region`, that may have written ballots of the current round.

    Marks the bound region as well when no ballot has been written there. Raises what the database
    raises.
    """
    key = (survey.code, survey.round)
    if _is_due(key, region):
        marked = _look(survey, region)
        with _lock:
            known = _rounds[key] = _rounds.get(key) or _Round()
            known.marked |= marked
            known.looked_at[region] = gateway.clock.monotonic()
    with _lock:
        marked = _rounds[key].marked if key in _rounds else set(gateway.regions())  # it may have had to make room
        return sorted(marked - {region})


def forget() -> None:
    """Forget every round, so that the marks are read anew."""
    with _lock:
        _rounds.clear()


def _is_due(key: tuple[str, int], region: str) -> bool:
    """Whether the caller is to look now; callers who come meanwhile go by what is known, where
    anything is known.
    """
    now = gateway.clock.monotonic()
    with _lock:
        known = _rounds.get(key)
        if known is None or region not in known.looked_at:
            return True
        if now - known.looked_at[region] < FRESH_S:
            return False
        known.looked_at[region] = now
        return True


def _look(survey: Survey, region: str) -> set[str]:
    keys = {mark_key(survey.code, survey.round, name): name for name in gateway.regions()}
    marked = {keys[str(row.shard), str(row.voter_region)] for row in BallotRow.batch_get(list(keys))}
    if region not in marked:
        place = mark_key(survey.code, survey.round, region)
        BallotRow(*place, vote_id="", digest="", answers={}, expires_at=survey.kept_until).put()
    return marked | {region}
