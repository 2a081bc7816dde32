"""Drills as data: each of the catalogue can be played, and a wrong file is one line."""

from pathlib import Path
from typing import Any

import pytest

from failover.drills import drill_files as drills
from failover.drills.drill import Do, DrillInvalid, Expectation, in_full
from failover.drills.entries import ROUTER

RIGHT = """
title = "A test"
claim = "Something is claimed."
question = "Is it so?"
steady = "All is well."
limits = "Most of it."
rollback = "manage.py fault --clear"
seconds = 20

[students]
rate = 10

[[timeline]]
at = 5
do = "fault"
region = "first"
kind = "dns-empty"
text = "broken"

[[hypothesis]]
text = "nothing fails"
measure = "failed"
most = 0
"""


@pytest.mark.parametrize("name", drills.names())
def test_a_drill_of_the_catalogue_can_be_played(name: str) -> None:
    drill = drills.load(name)
    assert ROUTER in drill.strategies
    assert {row.strategy for row in drill.hypothesis} <= set(drill.strategies)
    assert any(row.strategy == ROUTER for row in drill.hypothesis)
    assert drill.load.seconds == drill.seconds
    begins = next(action.at for action in drill.timeline if not action.prepares)
    assert begins >= 5, "the calm before it is what the rest is compared with"


@pytest.mark.parametrize("name", drills.names())
def test_a_drill_of_the_catalogue_mends_what_it_breaks(name: str) -> None:
    broken: set[tuple[str, str]] = set()
    pinned = False
    for action in drills.load(name).timeline:
        match action.do:
            case Do.FAULT:
                broken.add((action.region, action.kind))
            case Do.CLEAR:
                broken = {
                    fault
                    for fault in broken
                    if action.region not in ("", fault[0]) or action.kind not in ("", fault[1])
                }
            case Do.PIN | Do.AUTO:
                pinned = action.do is Do.PIN
    assert (broken, pinned) == (set(), False)


def test_a_file_of_a_teachers_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RIGHT)
    drill = drills.load(str(tmp_path / "mine.toml"))
    assert (drill.name, drill.strategies, drill.load.rate, drill.load.seconds) == ("mine", (ROUTER,), 10, 20)
    assert drill.timeline[0].kind == "dns-empty"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "A test"', "", "title"),
        ('title = "A test"', 'title = ""', "title: must be a text"),
        ('title = "A test"', "title = 7", "title: must be a text, and not 7"),
        ('title = "A test"', 'title = "A test"\nextra = 1', "extra: is not known here"),
        ("seconds = 20", "", "seconds: a number is missing"),
        ("seconds = 20", "seconds = true", "seconds: a number is missing"),
        ("seconds = 20", "seconds = 100000", "at most 3600 s"),
        ("seconds = 20", "seconds = 4", "before 4 s"),
        ("seconds = 20", 'seconds = 20\nstrategies = ["nobody"]', "there is no strategy nobody"),
        ("seconds = 20", "seconds = 20\nstrategies = []", "must be a list of names"),
        ("rate = 10", "rate = 1000", "votes a second"),
        ("rate = 10", 'rate = "fast"', "rate: must be a number, and not 'fast'"),
        ("rate = 10", "votes = 10", "votes: is not known here"),
        ("rate = 10", 'curve = "steep"', "curve: must be one of steady, class"),
        ("at = 5", "at = 0", "after the first vote"),
        ("at = 5", "at = nan", "at: must be a number"),
        ("at = 5", "at = 5\nprepares = true", "does not only prepare"),
        ("seconds = 20", "seconds = inf", "seconds: must be a number"),
        ("most = 0", "most = inf", "most: must be a number"),
        ("at = 5", 'at = "5"', "timeline, row 1: at: must be a number"),
        ('do = "fault"', 'do = "explode"', "timeline, row 1: do: must be one of fault, clear"),
        ('do = "fault"', "", "timeline, row 1: do: must be one of"),
        ('region = "first"', "", "timeline, row 1: region: is missing"),
        ('region = "first"', 'region = "us-east-1"', "region: must be first or second"),
        ('kind = "dns-empty"', 'kind = "dns-full"', "kind: must be one of dns-empty"),
        ('kind = "dns-empty"', "", "kind: must be one of"),
        ('kind = "dns-empty"', 'kind = "dns-empty"\nms = 5', "ms: must be left out here"),
        ('kind = "dns-empty"', 'kind = "latency"\nms = 0', "ms: must be 1 to 60000 here, and not 0"),
        ('measure = "failed"', 'measure = "fun"', "hypothesis, row 1: measure: must be one of"),
        ("most = 0", "", "says neither most nor least nor none"),
        ("most = 0", 'most = "0"', "hypothesis, row 1: most: must be a number"),
        ("[[hypothesis]]", "[[other]]", "other: is not known here"),
        ("[[timeline]]", "[timeline]", "timeline: must be a list of tables"),
        ("[students]", "[[students]]", "students: must be a table"),
        ("title", "= title", "mine.toml"),
    ],
)
def test_a_wrong_file_is_one_line_that_says_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    assert old in RIGHT
    path.write_text(RIGHT.replace(old, new, 1))
    with pytest.raises(DrillInvalid) as caught:
        drills.load(str(path))
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["nothing", "../drill", "", "oct20/../oct20"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(DrillInvalid, match="oct20"):
        drills.load(name)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DrillInvalid, match=r"none\.toml"):
        drills.load(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("bounds", "measured", "held"),
    [
        ({"most": 3}, 3, True),
        ({"most": 3}, 4, False),
        ({"most": 3}, None, False),
        ({"least": 3}, 3, True),
        ({"least": 3}, 2, False),
        ({"least": 1, "most": 3}, 4, False),
        ({"least": 0.5, "share": True}, 50, True),
        ({"least": 0.5, "share": True}, 49, False),
        ({"none": True}, None, True),
        ({"none": True}, 0, False),
    ],
)
def test_an_expectation_holds_within_its_bounds(bounds: dict[str, Any], measured: float | None, held: bool) -> None:
    assert Expectation(ROUTER, "it is so", "failed", **bounds).holds(measured, 100) is held


def test_a_bound_is_said_in_votes() -> None:
    assert (
        Expectation(ROUTER, "", "failed", least=0.25, most=0.5, share=True).bound(200) == "at least 50 and at most 100"
    )
    assert Expectation(ROUTER, "", "switched_ms", none=True).bound(200) == "never"
    assert Expectation(ROUTER, "", "rto_ms", least=500, most=20_000).bound(200) == "at least 0.5 s and at most 20 s"


@pytest.mark.parametrize(
    ("strategies", "mended_at"),
    [(["router", "single-region"], 38.0), (["dns-health-check-fast"], 120.0), (["router", "cold"], 930.0)],
)
def test_in_full_an_outage_lasts_as_long_as_the_slowest_strategy_needs(strategies: list[str], mended_at: float) -> None:
    drill = drills.load("oct20")
    full = in_full(drill, strategies)
    first, second, cleared, drained = full.timeline
    assert (first.at, second.at, cleared.at) == (10.0, 16.0, mended_at)
    assert drained.at - cleared.at == 4.0
    assert full.seconds - cleared.at == full.load.seconds - cleared.at == 22.0
