"""The figures of a report: which wrong computation would still pass?"""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.drills import verify
from failover.drills.entries import Act, Entry, FinalRead
from tests.failover.drills.runs import EAST, WEST, World, replaced, write


def test_a_calm_run_is_stable() -> None:
    world = World()
    for voter in ("student-1", "student-2", "student-3"):
        world.vote(voter)
    figures = world.figures()
    assert figures["votes"] == {
        "attempted": 3,
        "acknowledged": 3,
        "failed": 0,
        "found": 3,
        "late": 0,
        "lost": 0,
        "duplicated": 0,
        "reverted": 0,
    }
    assert figures["classes"]["stable"] == 3
    assert (figures["rto_ms"], figures["extra_calls"], figures["regions"]) == (0.0, 0, {EAST: 3, WEST: 0})


@pytest.mark.parametrize(
    ("vote", "kind"),
    [
        ({}, "stable"),
        ({"arrives_s": 4.9}, "stable"),
        ({"arrives_s": 5.1}, "late"),
        ({"arrives_s": None}, "late"),
        ({"kept": False}, "lost"),
        ({"http": (0, 0)}, "ambiguous-absent"),
        ({"http": (0, 503), "kept": True}, "ambiguous-applied"),
        ({"http": (0, 409)}, "refused"),
        ({"http": (0, 503, 201)}, "stable"),
    ],
)
def test_every_vote_has_one_class(vote: dict[str, Any], kind: str) -> None:
    world = World()
    world.vote("student-1", **vote)
    world.vote("student-2")
    expected = dict.fromkeys(verify.CLASSES, 0)
    expected["stable"] = 1
    expected[kind] += 1
    assert world.figures()["classes"] == expected


def test_a_vote_that_was_seen_and_is_gone_is_lost_and_an_unacknowledged_one_was_applied() -> None:
    world = World()
    lost = world.vote("student-1")
    unknown = world.vote("student-2", http=(0,), kept=True)
    world.rows = {}
    world.vote("student-3")
    classes = world.figures()["classes"]
    assert (classes["lost"], classes["ambiguous-applied"], classes["stable"]) == (1, 1, 1), (lost, unknown)


def test_a_vote_that_its_voter_replaced_is_judged_by_the_later_one() -> None:
    world = World()
    first = world.vote("student-1", arrives_s=None)
    world.vote("student-1", above=first)
    assert world.figures()["classes"]["stable"] == 2


def test_an_older_vote_in_place_of_a_later_one_is_lost_and_reverted() -> None:
    world = World()
    first = world.vote("student-1")
    rows = dict(world.rows)
    world.vote("student-1", above=first)
    world.rows = rows
    votes = world.figures()["votes"]
    assert (votes["lost"], votes["reverted"], votes["found"]) == (1, 1, 1)


def test_a_vote_that_one_region_lacks_is_lost() -> None:
    world = World()
    world.vote("student-1")
    world.rows[WEST] = []
    assert world.figures()["classes"]["lost"] == 1


def test_where_votes_cannot_be_changed_the_first_stands() -> None:
    world = World(may_change=False)
    first = world.vote("student-1")
    world.vote("student-1", above=first, http=(409,))
    assert world.figures()["classes"] == dict.fromkeys(verify.CLASSES, 0) | {"stable": 1, "refused": 1}


def test_other_answers_than_those_that_were_sent_are_no_vote() -> None:
    world = World()
    vote_id = world.vote("student-1")
    world.keep("student-1", vote_id, {"q1": "another"})
    assert world.figures()["classes"]["lost"] == 1


@pytest.mark.parametrize("copy", [("student-9", "the same"), ("student-1", "another"), ("somebody", "the same")])
def test_a_vote_under_another_name_is_doubled(copy: tuple[str, str]) -> None:
    world = World()
    vote_id = world.vote("student-1")
    voter, which = copy
    for place in world.rows:
        world.rows[place].append((voter, vote_id if which == "the same" else "0", "x"))
    votes = world.figures()["votes"]
    assert (votes["duplicated"], votes["lost"]) == (1, 0)


def test_a_voter_who_is_counted_twice_is_doubled() -> None:
    world = World(counted=3)
    world.vote("student-1")
    world.vote("student-2")
    assert world.figures()["votes"]["duplicated"] == 1


def test_what_no_region_could_show_is_never_read() -> None:
    world = World()
    world.vote("student-1")
    entries = replaced(world.all_entries(), FinalRead, rows=None)
    figures = figures_of(entries)
    assert figures["classes"]["never-read"] == 1
    assert figures["votes"]["lost"] == 0


def test_a_counter_is_compared_by_its_sum() -> None:
    world = World()
    for voter in range(4):
        world.vote(f"student-{voter}")
    short = figures_of(replaced(world.all_entries(), FinalRead, rows=None, counted=3))
    assert (short["votes"]["lost"], short["classes"]["stable"], short["votes"]["duplicated"]) == (1, 3, 0)
    much = figures_of(replaced(world.all_entries(), FinalRead, rows=None, counted=6))
    assert (much["votes"]["lost"], much["votes"]["duplicated"]) == (0, 2)


def test_rto_runs_from_the_fault_to_the_first_success_after_the_last_failure() -> None:
    world = World(broken=1.5, mended=9.0)
    world.vote("student-0", http=(503, 201))
    world.vote("student-1")
    world.vote("student-2", http=(503,))
    world.vote("student-3")
    world.vote("student-4", http=(0, 503))
    world.vote("student-5")
    assert world.figures()["rto_ms"] == pytest.approx(3520.0)


def test_without_a_success_afterwards_there_is_no_rto() -> None:
    world = World(broken=0.5)
    world.vote("student-0")
    world.vote("student-1", http=(503,))
    assert world.figures()["rto_ms"] is None


def test_what_failed_before_the_fault_and_refusals_are_no_failures_of_the_outage() -> None:
    world = World(broken=1.5)
    for number, http in enumerate(((503, 503), (201,), (409,), (422,), (201,))):
        world.vote(f"student-{number}", http=http)
    assert world.figures()["rto_ms"] == 0.0


def test_the_monitors_log_tells_detection_switch_and_return() -> None:
    world = World(broken=2.0, mended=5.0)
    for voter in range(8):
        world.vote(f"student-{voter}")
    world.switch("circuit-opened", 1.0)
    for kind, at in (("circuit-opened", 2.4), ("failover", 2.5), ("failback", 4.0), ("failback", 7.0)):
        world.switch(kind, at)
    figures = world.figures()
    assert (figures["detected_ms"], figures["switched_ms"], figures["failback_ms"]) == (400.0, 500.0, 2000.0)


def test_who_writes_no_log_has_switched_when_another_region_serves() -> None:
    world = World(strategy="cold", broken=0.5)
    world.vote("student-0")
    world.vote("student-1")
    assert world.figures()["switched_ms"] is None
    world.vote("student-2", region=WEST)
    assert world.figures()["switched_ms"] == pytest.approx(1520.0)


def test_latencies_are_told_apart_by_when_a_vote_was_due() -> None:
    world = World(broken=1.5, mended=3.5)
    for number, ms in enumerate((10, 30, 500, 700, 20)):
        world.vote(f"student-{number}", ms=ms)
    latency = world.figures()["latency_ms"]
    assert [latency[phase]["p99"] for phase in ("before", "during", "after")] == [30, 700, 20]
    assert latency["before"]["p50"] == 10
    assert latency["worst"] == 700


@pytest.mark.parametrize(("cpu", "void"), [(0.69, False), (0.71, True)])
def test_the_latencies_of_a_busy_machine_are_void(cpu: float, void: bool) -> None:
    world = World(cpu=cpu)
    world.vote("student-1")
    assert world.figures()["latency_void"] is void


@pytest.mark.parametrize(("skew_s", "outside_ms"), [(0.0, 0.0), (0.105, 100.0), (-0.215, 200.0)])
def test_clocks_that_differ_are_found(skew_s: float, outside_ms: float) -> None:
    world = World()
    world.vote("student-1", skew_s=skew_s)
    assert world.figures()["clocks_ms"] == pytest.approx(outside_ms)


def test_skipped_regions_are_no_calls_and_repeats_are() -> None:
    world = World()
    skipped = {"region": EAST, "outcome": "skipped", "ms": 0.0}
    failed = {"region": EAST, "outcome": "dns", "ms": 3.0}
    fine = {"region": WEST, "outcome": "ok", "ms": 70.0}
    world.vote("student-1", attempts=(skipped, fine))
    assert world.figures()["extra_calls"] == 0
    world.vote("student-2", attempts=(failed, fine), http=(503, 503, 201))
    assert world.figures()["extra_calls"] == 3


VOTES = st.sampled_from(
    [{}, {"http": (0,)}, {"http": (409,)}, {"kept": False}, {"arrives_s": None}, {"http": (503, 201)}, {"region": WEST}]
)


@given(st.lists(st.tuples(st.integers(0, 3), VOTES), min_size=1, max_size=12), st.booleans())
def test_the_classes_add_up_to_what_was_attempted(votes: list[tuple[int, dict[str, Any]]], may_change: bool) -> None:
    world, last = World(may_change=may_change), {}
    for voter, vote in votes:
        last[voter] = world.vote(f"student-{voter}", above=last.get(voter), **vote)
    figures = world.figures()
    counts, classes = figures["votes"], figures["classes"]
    assert sum(classes.values()) == counts["attempted"] == len(votes)
    assert counts["acknowledged"] == sum(classes[name] for name in ("stable", "late", "lost", "never-read"))
    assert counts["failed"] == classes["ambiguous-applied"] + classes["ambiguous-absent"]
    assert counts["found"] + counts["lost"] + classes["never-read"] == counts["acknowledged"]


def figures_of(entries: list[Entry], strategy: str = "router") -> dict[str, Any]:
    parsed, _digest = verify.read(write(Path("unused"), entries, as_text=True))
    return verify.figures(parsed, strategy)


def test_many_votes_are_judged_quickly_enough_to_be_checked_by_anybody() -> None:
    """Not a timed assertion: a quadratic judgement of 4,000 votes would run into the test's limit."""
    world, chance = World(), random.Random(1)
    for _ in range(4_000):
        world.vote(f"student-{chance.randrange(200)}-{chance.random()}")
    assert world.figures()["classes"]["stable"] == 4_000


def test_an_act_that_is_no_fault_counts_as_the_begin() -> None:
    world = World(broken=1.5)
    for number in range(4):
        world.vote(f"student-{number}")
    entries = [replaced([entry], Act, what="pin")[0] for entry in world.all_entries()]
    assert figures_of(entries) == world.figures()
