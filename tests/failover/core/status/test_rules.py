"""What an operator reads about every rule: its value, its threshold, whether it is met, and the sentence."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from failover.core.signals.breaker import CircuitState
from tests.failover.core.signals.days import Day
from tests.processes import ROOT
from tests.simulation.support import CONFIG, EAST, Post, failing, met

Row = tuple[float | None, float | None, bool, str]


def read(post: Post, *rules: str) -> list[Row]:
    """The rows of these rules for the first region, in this order."""
    rows = {row["rule"]: row for row in post.watch.status(post.now, post.wall, [])["explain"] if row["region"] == EAST}
    return [(row["value"], row["threshold"], row["met"], row["text"]) for row in map(rows.__getitem__, rules)]


def test_on_a_calm_day_every_rule_is_told_beside_its_threshold() -> None:
    post = Post()
    post.step(5)
    idle = "Nothing to come back from: the circuit is closed."
    told = {
        "consecutive-failures": (0, 3, False, "0 live failures in a row in the worst worker; 3 open the circuit."),
        "canary-failures": (0, 3, False, "0 fresh-connection canaries failed in a row; 3 open the circuit."),
        "error-rate": (0, 0.05, False, "0.0% of 0 requests failed within 120 s; more than 5% open the circuit."),
        "minimum-volume": (0, 40, False, "0 requests in the window; the error rate is believed from 40."),
        "slow-volume": (0, 40, False, "0 live answers within 30 s; their latency is believed from 40."),
        "slow-p99": (None, None, False, "no p99 yet; what is usual here is not known yet, so it is not called slow."),
        "slow-elsewhere": (None, None, False, "no p99 yet; us-west-2 answers its canaries in 1 ms."),
        "slow-for-most": (None, None, False, "no steady traffic."),
        "crowded": (
            0,
            None,
            False,
            "0 calls went on to another region within 120 s because others waited here; "
            "at most 3 of a worker wait for a whole attempt.",
        ),
        "failback-canaries": (5, 3, True, f"5 canaries passed in a row; failback needs 3. {idle}"),
        "failback-hold": (None, 5, True, "it has not been open yet."),
        "flapping": (
            0,
            6,
            False,
            "it went from closed to open 0 times within 600 s; from 6 on it is held for 120 s.",
        ),
        "failback-lag": (
            0,
            2000,
            True,
            f"replication into it is 0.0 s behind; failback needs at most 2.0 s. {idle}",
        ),
        "failback-pace": (1, None, True, "it was not left for being slow."),
        "trials": (None, 3, False, "no trials, its circuit is closed."),
        "disputed": (None, None, False, "live traffic does not contradict the canaries."),
    }
    assert read(post, *told) == [(*figures, f"{EAST}: {words}") for *figures, words in told.values()]


def test_every_rule_and_every_alarm_is_described() -> None:
    post = Post()
    status = post.watch.status(post.now, post.wall, [])
    described = (ROOT / "docs" / "json.md").read_text()
    (alarms,) = re.findall(r"^`alarms`, each for every region: (.*?): ", described, re.MULTILINE | re.DOTALL)

    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", described, re.MULTILINE)) == {
        one["rule"] for one in status["explain"]
    }
    assert set(re.findall(r"`([a-z-]+)`", alarms)) - {"region"} == {one["name"] for one in status["alarms"]}


@pytest.mark.parametrize(
    ("count", "met_", "live", "canaries"),
    [
        (1, False, "1 live failure", "1 fresh-connection canary"),
        (2, False, "2 live failures", "2 fresh-connection canaries"),
        (3, True, "3 live failures", "3 fresh-connection canaries"),
    ],
)
def test_a_row_of_failures_is_met_from_its_threshold_on(count: int, met_: bool, live: str, canaries: str) -> None:
    post = Post()
    post.reports(w1={EAST: met(count, count, consecutive_failures=count)})
    post.canaries[EAST] = failing()
    post.step(count)
    assert read(post, "consecutive-failures", "canary-failures") == [
        (count, 3, met_, f"us-east-1: {live} in a row in the worst worker; 3 open the circuit."),
        (count, 3, met_, f"us-east-1: {canaries} failed in a row; 3 open the circuit."),
    ]


def test_live_failures_and_canaries_are_counted_apart_and_held_against_limits_of_their_own() -> None:
    post = Post(replace(CONFIG, failures_to_open=7, canary_failures_to_open=2))
    post.reports(w1={EAST: met(4, 4, consecutive_failures=4)})
    post.canaries[EAST] = failing()
    post.step()
    assert read(post, "consecutive-failures", "canary-failures") == [
        (4, 7, False, "us-east-1: 4 live failures in a row in the worst worker; 7 open the circuit."),
        (1, 2, False, "us-east-1: 1 fresh-connection canary failed in a row; 2 open the circuit."),
    ]


@pytest.mark.parametrize(
    ("requests", "failed", "rate", "met_", "words"),
    [
        (1, 0, 0.0, False, "0.0% of 1 request failed within 120 s; more than 5% open the circuit."),
        (
            39,
            13,
            0.3333,
            False,
            "33.3% of 39 requests failed within 120 s; more than 5% open the circuit, but these are too few to say.",
        ),
        (40, 2, 0.05, False, "5.0% of 40 requests failed within 120 s; more than 5% open the circuit."),
        (42, 3, 0.0714, True, "7.1% of 42 requests failed within 120 s; more than 5% open the circuit."),
    ],
    ids=["none failed", "too few to say", "exactly the threshold", "over it"],
)
def test_the_error_rate_is_told_as_a_share_and_is_met_by_enough_requests_only(
    requests: int, failed: int, rate: float, met_: bool, words: str
) -> None:
    post = Post()
    post.reports()
    post.reports(w1={EAST: met(requests, failed)})
    (error_rate, volume) = read(post, "error-rate", "minimum-volume")
    assert error_rate == (rate, 0.05, met_, f"us-east-1: {words}")
    assert volume[:3] == (requests, 40, requests >= 40)


def test_the_volume_of_a_single_request_is_told_in_the_singular() -> None:
    post = Day()
    post.answer(EAST, 8, 1)
    assert [row[3] for row in read(post, "minimum-volume", "slow-volume")] == [
        "us-east-1: 1 request in the window; the error rate is believed from 40.",
        "us-east-1: 1 live answer within 30 s; their latency is believed from 40.",
    ]


def test_calls_that_went_on_because_others_waited_are_told_until_they_are_out_of_the_window() -> None:
    post = Post()
    post.reports(w1={EAST: met(10)}, w2={EAST: met(10)})
    post.step(1)
    post.reports(w1={EAST: met(12, congested=3)}, w2={EAST: met(10, congested=1)})
    post.step(1)
    told = (
        "us-east-1: 4 calls went on to another region within 120 s because others waited here; "
        "at most 3 of a worker wait for a whole attempt."
    )
    assert read(post, "crowded") == [(4, None, True, told)]
    post.step(300)
    assert [row[:3] for row in read(post, "crowded")] == [(0, None, False)]


def test_calls_that_went_on_before_a_circuit_opened_are_told_while_it_is_open() -> None:
    post = Post()
    post.reports(w1={EAST: met(10)})
    post.step(1)
    post.reports(w1={EAST: met(13, 3, congested=2, openings=1, circuit=CircuitState.OPEN, last_reason="timeout")})
    post.canaries[EAST] = failing()
    post.step(1)
    assert post.state(EAST) is CircuitState.OPEN
    assert read(post, "crowded")[0][:3] == (2, None, True)
