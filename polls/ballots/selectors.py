"""Reads of ballots."""

from failover import gateway
from polls.ballots.bulk_reads import read_replica, read_round
from polls.ballots.merge import Cast, merge_ballots, stands
from polls.ballots.models import BallotRow, ballot_keys
from polls.common.freshness import Known
from polls.surveys.survey import Survey


def ballot_get(survey: Survey, voter: str) -> Known[Cast | None]:
    """A voter's ballot in the current round; None where there is none, or once the round has
    expired. The read is strong in the region of first choice, because a voter who has just voted
    wants to see that vote. Raises NoRegionAnswered.
    """
    keys = ballot_keys(survey, voter)
    routed = gateway.read(
        lambda bound: [item.cast() for item in BallotRow.batch_get(keys, consistent_read=bound.strong)],
        consistency=gateway.Consistency.STRONG_ELSE_EVENTUAL,
    )
    standing = None if survey.is_gone else stands(routed.value, may_change=survey.definition.allow_change)
    return Known.read(standing, routed, gateway.clock.wall())


def ballots(survey: Survey, *, region: str | None = None) -> Known[list[Cast]]:
    """One ballot for each voter, by time of voting, from the replica of `region` or from any region
    that answers. A round that has expired has no ballots. Raises NoRegionAnswered.
    """
    if region is not None:
        asked = given = gateway.Consistency.STRONG
        rows = read_replica(survey, region)
    else:
        read = read_round(survey)
        rows, region, asked, given = read.value, read.region, read.asked, read.given
    merged = merge_ballots([row.cast() for row in rows], may_change=survey.definition.allow_change)
    ordered = sorted(merged.values(), key=lambda cast: cast.rank)
    return Known(ordered, region, gateway.clock.wall(), asked, given)
