"""Whether the current round has a vote: a question to ask before a change that would break counts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from failover import gateway
from polls.ballots.models import BallotRow, shard_prefix
from polls.surveys.survey import Survey

SHARDS_A_CALL = 8  # 8 round trips to a region 70 ms away fit into the time of one call
AT_ONCE = 4
TIMEOUT_S = 1.5


def maybe_voted(survey: Survey) -> bool:
    """Whether a ballot of this round is in any region, or may be: a region that does not answer may
    hold the only copy of one. A vote that is cast during this reading may be missed. A round that
    has expired has no ballots. Raises NoRegionAnswered.
    """
    if survey.is_gone:
        return False
    prefix = shard_prefix(survey.code, survey.round)
    shards = [f"{prefix}{number}" for number in range(survey.shards)]
    calls = [shards[at : at + SHARDS_A_CALL] for at in range(0, len(shards), SHARDS_A_CALL)]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="any-votes") as pool:
        return any(pool.map(_any, calls))


def _any(shards: Sequence[str]) -> bool:
    def op(bound: gateway.Bound) -> bool:
        return any(
            next(iter(BallotRow.query(shard, limit=1, consistent_read=bound.strong)), None) is not None
            for shard in shards
        )

    by_region = gateway.everywhere(op, timeout=TIMEOUT_S, half_open=True)
    return any(by_region.values()) or len(by_region) < len(gateway.regions())
