"""What several reads come to: as strong as the weakest of them."""

import pytest

from failover.gateway import Consistency, Routed
from polls.ballots.bulk_reads import together

EVENTUAL, STRONG, ASKED = Consistency.EVENTUAL, Consistency.STRONG, Consistency.STRONG_ELSE_EVENTUAL


def read(value: int, region: str, given: Consistency) -> Routed[list[int]]:
    return Routed([value], region, (), ASKED, given)


@pytest.mark.parametrize(
    ("given", "degraded"),
    [
        ((STRONG, STRONG, STRONG), False),
        ((EVENTUAL, STRONG, STRONG), True),
        ((STRONG, EVENTUAL, STRONG), True),
        ((STRONG, STRONG, EVENTUAL), True),
    ],
)
def test_one_degraded_read_degrades_the_whole(given: tuple[Consistency, ...], degraded: bool):
    known = together([read(place, f"region-{place}", one) for place, one in enumerate(given)], 7.0)

    assert (known.value, known.region, known.at, known.asked) == ([0, 1, 2], "region-2", 7.0, ASKED)
    assert known.degraded is degraded
    assert known.given is (EVENTUAL if degraded else STRONG)
