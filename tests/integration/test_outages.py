"""Real faults in a whole demo, with a class that votes through them and a ledger that counts its votes.

All tests share one demo. Its circuits stay open for a third of a second instead of five: each opening of a circuit
waits twice as long as the one before, so that many tests would wait for minutes.
"""

import itertools
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from failover.drills.checker import check
from failover.drills.figures import first_receipts
from tests.failover.drills.server import application
from tests.integration.demo import EAST, WEST, Demo, Students, assert_no_vote_failed, demo_in, named
from tests.integration.zombies import Zombies, frozen_in_mid_burst
from tests.waiting import patience, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

DEADLINE_MS = 3_000  # FAILOVER_DEADLINE_S: for one vote, over all regions
CLIENT_MS = 2_000  # what a busy two-core machine adds to it; less than a second deadline
SWITCHED_S = 5.0  # for three canaries or three failed votes, which take 1.5 s on a calm machine
FULL = {"q1": "o1", "q2": ["o1", "o3"], "q3": 4}


@pytest.fixture(scope="module")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo of this module."""
    with demo_in(tmp_path_factory.mktemp("demo"), FAILOVER_HOLD_S="0.3") as demo:
        yield demo


@pytest.fixture
def demo(running_demo: Demo) -> Iterator[Demo]:
    """The demo; mends it after each test."""
    yield running_demo
    running_demo.mend()


def seconds(text: str) -> float:
    """A status document's time as epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


def events(status: dict[str, Any], kind: str, *, since: float) -> list[dict[str, Any]]:
    """The events of one kind since a time (epoch seconds), newest first."""
    return [event for event in status["events"] if event["kind"] == kind and seconds(event["at"]) >= since]


def outage(demo: Demo, kind: str, layer: str, *words: str) -> float:
    """us-east-1 breaks while a class votes 40 times a second, and is mended. Returns the longest wait of a student, ms.

    Asserts that no vote fails, that the status reports the failover with one of `words` and the layer of the canary
    that fails, and that each vote is found.
    """
    began = time.time()
    with Students(demo, kind) as students:
        students.await_votes(40)
        demo.fault(EAST, kind, "--for", "600")
        broken = time.time()
        status = demo.await_status(
            lambda status: status["routing"]["active"] == WEST, within=20, what="us-west-2 is said to serve"
        )
        # By the time in the event, not by the time at which a process started by this test has read it.
        (failover,) = events(status, "failover", since=began)
        assert seconds(failover["at"]) - broken <= SWITCHED_S * patience()
        printed = json.loads(demo.output_of("regions", "--json"))
        assert printed["routing"]["active"] == WEST
        assert printed["summary"].startswith(f"Serving from {WEST}")
        assert any(word in printed["summary"] for word in words), printed["summary"]
        demo.await_status(
            lambda status: status["regions"][0]["checks"][layer]["ok"] is False, within=20, what=f"its {layer} fails"
        )
        students.await_votes(40)
        demo.fault(EAST, "--clear")
        mended = time.time()
        status = demo.await_status(
            lambda status: events(status, "failback", since=began), within=60, what=f"{EAST} serves again, by the rules"
        )
        assert status["routing"]["active"] == EAST
        assert len(events(status, "failover", since=began)) == 1
        students.await_votes(40)
        ledger = students.stop()
    assert_no_vote_failed(ledger)
    assert [tried for tried in ledger.tries if tried.failed and tried.at >= began] == []
    assert EAST in {receipt.region for receipt in first_receipts(ledger) if ledger.votes[receipt.vote_id].at > mended}
    verdict = demo.verdict(ledger)
    assert verdict.ok, verdict.summary()
    assert verdict.acknowledged == verdict.found == len(ledger.votes)
    assert set(verdict.regions) == {EAST, WEST}
    assert verdict.worst_ms is not None
    return verdict.worst_ms


def test_a_pin_moves_the_next_vote_in_every_worker_within_a_second(demo: Demo) -> None:
    tries = itertools.count()

    def moved() -> bool:
        demo.mend()
        # At this rate more votes are under way in that region, 70 ms away, than may have a whole timeout.
        with Students(demo, f"pin-{next(tries)}", rate=45) as students:
            students.await_votes(45)
            asked = time.time()
            demo.output_of("routing", "pin", WEST, "--reason", "the class wants to see it")
            pinned = time.time()
            wait_until(lambda: time.time() >= pinned + 1, within=20, what="a second has passed")
            students.await_votes(90)
            ledger = students.stop()
        assert_no_vote_failed(ledger)
        served = {receipt.vote_id: receipt.region for receipt in first_receipts(ledger)}
        before = {served[vote.vote_id] for vote in ledger.votes.values() if vote.at < asked}
        after = [served[vote.vote_id] for vote in ledger.votes.values() if vote.at >= pinned + 1]
        assert before == {EAST}
        # Enough that both workers got some. On a busy machine many of the ninety receipts are of earlier votes.
        return len(after) >= 30 and set(after) == {WEST}

    wait_until(moved, within=120, what="a pin that every vote follows which begins a second later")


def test_no_vote_fails_while_a_regions_dns_is_empty_and_the_status_says_so(demo: Demo) -> None:
    assert outage(demo, "dns-empty", "dns", "DNS") <= DEADLINE_MS + CLIENT_MS * patience()


def test_no_vote_fails_while_a_region_refuses_connections(demo: Demo) -> None:
    assert outage(demo, "refuse", "connect", "connect", "refused") <= DEADLINE_MS + CLIENT_MS * patience()


def test_no_vote_fails_while_a_region_denies_every_call_and_the_status_says_so(demo: Demo) -> None:
    # With its connections kept they would go on to serve, and the circuit would open only when a new one is made. They
    # are cut, and that can be what opens it.
    words = ("refused (AccessDeniedException)", "was cut")
    assert outage(demo, "deny", "write", *words) <= DEADLINE_MS + CLIENT_MS * patience()


def test_what_both_regions_deny_is_one_alarm_and_a_plain_503_and_no_circuit_opens(demo: Demo) -> None:
    began = time.time()
    assert {row["circuit"] for row in demo.status()["regions"]} == {"closed"}
    for region in (EAST, WEST):
        demo.fault(region, "deny", "--for", "120")
    replies = [demo.vote(f"denied-{number:08}", named(), {"q1": "o1"}) for number in range(20)]

    assert {(reply.status_code, reply.json().get("reason")) for reply in replies} == {(503, "configuration")}
    status = demo.await_status(
        lambda status: [alarm["region"] for alarm in status["alarms"] if alarm["state"] == "alarm"] == [""],
        within=30,
        what="the configuration is the one alarm",
    )
    assert {row["circuit"] for row in status["regions"]} == {"closed"}
    assert status["summary"].startswith("Every region refuse")
    assert len(events(status, "configuration-alarm", since=began)) == 1
    assert not events(status, "circuit-opened", since=began)


def test_no_vote_fails_while_an_engine_is_stopped_and_started_and_both_regions_end_equal(demo: Demo) -> None:
    assert outage(demo, "stop", "connect", "connect", "refused") <= DEADLINE_MS + CLIENT_MS * patience()


def test_votes_go_on_while_replication_is_paused_and_the_lag_drains_afterwards(demo: Demo) -> None:
    def lags(status: dict[str, Any]) -> dict[str, float]:
        return {line["to"]: line["lag_ms"] or 0.0 for line in status["replication"]}

    with Students(demo, "replication-pause") as students:
        demo.fault(WEST, "replication-pause", "--for", "600")
        demo.await_status(lambda status: lags(status)[WEST] > 2_000, within=20, what="the lag rises above its limit")
        students.await_votes(20)
        held = {region: {row.vote_id for row in rows} for region, rows in demo.replicas().items()}
        assert held[EAST] - held[WEST], "the pause held nothing back"
        demo.fault(WEST, "--clear")
        demo.await_status(lambda status: max(lags(status).values()) < 2_000, within=20, what="the lag drains")
        ledger = students.stop()
    assert_no_vote_failed(ledger)
    verdict = demo.verdict(ledger)
    assert verdict.ok, verdict.summary()


def test_with_both_regions_broken_a_vote_is_refused_in_words_and_its_repeat_counts_once(demo: Demo) -> None:
    demo.output_of("routing", "pin", WEST, "--reason", "before the storm")
    demo.await_status(lambda status: status["routing"]["active"] == WEST, within=20, what="the pin is in force")
    for region in (EAST, WEST):
        demo.fault(region, "refuse", "--for", "600")
    voter, vote_id = "stubborn-voter", named()
    began = time.monotonic()
    reply = demo.vote(voter, vote_id, FULL)
    took_ms = (time.monotonic() - began) * 1000
    assert reply.status_code == 503, reply.text
    assert took_ms <= DEADLINE_MS + CLIENT_MS * patience()
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    problem = reply.json()
    assert (problem["status"], problem["vote_id"]) == (503, vote_id)
    assert len(problem["detail"].split()) > 5
    assert {attempt["region"] for attempt in problem["attempts"]} == {EAST, WEST}
    routing = demo.status()["routing"]
    assert (routing["mode"], routing["region"]) == ("pinned", WEST)
    demo.fault("--clear")
    held = demo.replicas()
    assert set(held) == {EAST, WEST}
    assert voter not in {row.voter for rows in held.values() for row in rows}

    def repeated() -> httpx.Response | None:
        again = demo.vote(voter, vote_id, FULL)
        return None if again.status_code == 503 else again

    first = wait_until(repeated, within=20, what="a region takes the repeat")
    assert first is not None
    assert (first.status_code, first.json()["status"], first.json()["vote_id"]) == (201, "recorded", vote_id)
    second = demo.vote(voter, vote_id, FULL)
    assert (second.status_code, second.json()["status"]) == (200, "already-recorded")
    ballots = [ballot for ballot in demo.store().merged if ballot.voter == voter]
    assert [(ballot.vote_id, ballot.answers) for ballot in ballots] == [(vote_id, FULL)]
    routing = demo.status()["routing"]
    assert (routing["mode"], routing["region"]) == ("pinned", WEST)


def test_a_pin_to_an_unreachable_region_needs_force_and_the_force_is_recorded(demo: Demo) -> None:
    demo.fault(WEST, "refuse", "--for", "600")
    demo.await_status(
        lambda status: next(row for row in status["regions"] if row["name"] == WEST)["state"] == "unreachable",
        within=20,
        what="us-west-2 is said to be unreachable",
    )
    refused = demo.manage("routing", "pin", WEST, "--reason", "by mistake")
    assert refused.returncode == 3, refused.stderr
    assert "unreachable" in refused.stderr
    assert demo.status()["routing"]["mode"] == "auto"
    demo.output_of("routing", "pin", WEST, "--reason", "on purpose", "--force")
    status = demo.await_status(
        lambda status: status["routing"]["mode"] == "pinned", within=20, what="the forced pin is in force"
    )
    (event, *_) = [event for event in status["events"] if event["kind"] == "routing-pinned"]
    assert "forced" in event["reason"]
    # A pin is a first choice, not a wall.
    reply = demo.vote("pinned-voter", named(), FULL)
    assert (reply.status_code, reply.json()["region"]) == (201, EAST)


def test_a_vote_that_surfaces_late_does_not_undo_its_change(demo: Demo) -> None:
    """us-east-1 freezes after a put of an older choice was sent, and carries it out when it thaws."""
    demo.fault(WEST, "replication-pause", "--for", "600")
    book = Zombies(demo)
    with frozen_in_mid_burst(demo, book):
        book.change_everything()
    assert book.worst_ms() <= DEADLINE_MS + CLIENT_MS * patience()
    zombies = wait_until(book.surfaced, within=15, what="a put that was sent before is carried out after the thaw")
    demo.fault(WEST, "--clear")
    store = demo.store()
    verdict = check(book.ledger(), store)
    assert verdict.ok, verdict.summary()
    for rows in store.raw.values():
        latest = {row.voter: max(other.vote_id for other in rows if other.voter == row.voter) for row in rows}
        assert {latest[voter] for voter in zombies} == {book.last[voter] for voter in zombies}


def test_students_whose_receipts_the_store_does_not_hold_end_with_exit_code_1(demo: Demo) -> None:
    with application(round=1) as liar:
        done = demo.manage("students", demo.code, "--rate", "50", "--for", "0.1", "--check", "--url", liar.url)
    assert done.returncode == 1, done.stderr or done.stdout
    assert "lost" in done.stderr
    assert "is not there" in done.stderr


def test_a_class_finds_the_demo_and_every_vote_by_itself(demo: Demo) -> None:
    output = demo.output_of("students", demo.code, "--for", "2", "--check")
    assert "40 acknowledged" in output or "0 failed" in output
    assert "0 lost" in output
    assert f"served by {EAST}" in output
