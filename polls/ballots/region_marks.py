"""Which regions a voter's earlier ballot may have been written in: on a calm day in none but the one that votes go to
now, and then a vote is one call and not two.

A region that takes a ballot of a round is marked in that region, beside the ballots and replicated as they are. So
where a ballot of another region's can be seen, its mark can be too, and a mark is looked for once a second instead of a
ballot for each vote. Within that second after a region's *first* ballot of a round a voter who turns up in another
region is told "recorded" where "changed" or "already-recorded" would be right; what is counted is the same. A process
knows its own marks at once.
"""

from collections import OrderedDict
from threading import Lock

from failover import gateway
from polls.ballots.models import BallotRow, mark_key
from polls.surveys.survey import Survey

FRESH_S = 1.0
MOST_ROUNDS = 1_000

_lock = Lock()
_known: OrderedDict[tuple[str, int], set[str]] = OrderedDict()
_looked: dict[tuple[str, int, str], float] = {}


def others(survey: Survey, region: str) -> list[str]:
    """The regions, besides the bound `region`, that may have written ballots of the current round; marks that one as
    well when nobody has. Raises what the database raises.
    """
    this = (survey.code, survey.round)
    if _is_due((*this, region)):
        marked = _look(survey, region)
        with _lock:
            _known.setdefault(this, set()).update(marked)
            _known.move_to_end(this)
            _looked[*this, region] = gateway.clock.monotonic()
            if len(_known) > MOST_ROUNDS:
                gone, _ = _known.popitem(last=False)
                for key in [key for key in _looked if key[:2] == gone]:
                    del _looked[key]
    with _lock:
        known = _known.get(this, set(gateway.regions()))  # it may have had to make room meanwhile
        return sorted(known - {region})


def forget() -> None:
    """Looks anew at every round."""
    with _lock:
        _known.clear()
        _looked.clear()


def _is_due(key: tuple[str, int, str]) -> bool:
    """Whether the caller is to look now; those who come meanwhile go by what is known, where something is."""
    now = gateway.clock.monotonic()
    with _lock:
        looked = _looked.get(key)
        if looked is not None and now - looked < FRESH_S:
            return False
        if looked is not None:
            _looked[key] = now
        return True


def _look(survey: Survey, region: str) -> set[str]:
    keys = {mark_key(survey.code, survey.round, one): one for one in gateway.regions()}
    marked = {keys[str(row.shard), str(row.voter_region)] for row in BallotRow.batch_get(list(keys))}
    if region not in marked:
        place = mark_key(survey.code, survey.round, region)
        BallotRow(*place, vote_id="", digest="", answers={}, expires_at=survey.kept_until).put()
    return marked | {region}
