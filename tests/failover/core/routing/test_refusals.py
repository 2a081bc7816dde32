"""A region that alone refuses (class E): the next one takes the call, and the refusal counts once it has."""

from __future__ import annotations

import pytest

from failover.core.errors import ErrorClass, Failure, NoRegionAnswered, Outcome, OutcomeUnknown, RefusedEverywhere
from failover.core.exchange.reports import RegionReport, WorkerReport, report_from_json, report_to_json
from failover.core.fakes import Step, answers, fails
from failover.core.ports import Consistency
from failover.core.signals.breaker import CircuitState
from tests.simulation.support import EAST, WEST, Bench, Post, decision, denied, met, passing, where

A, B, C, D, E = (
    ErrorClass.NOT_SENT,
    ErrorClass.UNKNOWN,
    ErrorClass.REFUSED,
    ErrorClass.CALLER,
    ErrorClass.DENIED,
)
OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


LOST = Step(Failure(B, Outcome.TIMEOUT, "no reply in time", TimeoutError(), pooled=True))


def write(bench: Bench, *, idempotent: bool = True) -> str:
    return bench.router.call(where, idempotent=idempotent).value


def read(bench: Bench) -> str:
    return bench.router.read(where).value


def open_by_refusals(bench: Bench) -> None:
    bench.runner.plays(EAST, *[fails(E)] * 3)
    for _ in range(3):
        write(bench)


@pytest.mark.parametrize("idempotent", [True, False])
def test_any_write_goes_on_to_the_next_region_because_a_refusal_was_not_applied(idempotent: bool) -> None:
    bench = Bench()
    bench.runner.plays(EAST, fails(E))

    routed = bench.router.call(where, idempotent=idempotent)

    assert routed.region == WEST
    assert [(one.region, one.outcome) for one in routed.attempts] == [(EAST, Outcome.DENIED), (WEST, Outcome.OK)]


def test_three_writes_in_a_row_that_another_region_accepts_open_the_circuit_and_the_reason_says_so() -> None:
    bench = Bench()
    open_by_refusals(bench)

    report = bench.router.report().regions[EAST]
    assert (report.circuit, report.openings, report.denied, report.failed) == (OPEN, 1, 3, 0)
    assert report.last_reason == "3 writes in a row were refused (as the script says), and another region accepted them"
    before = len(bench.asked())
    assert write(bench) == WEST
    assert bench.asked()[before:] == [WEST]


def test_a_write_that_is_accepted_in_between_ends_the_row_and_an_answered_read_does_not() -> None:
    bench = Bench()
    for between, state in ((write, CLOSED), (read, OPEN)):
        bench.runner.plays(EAST, fails(E), fails(E), answers(), fails(E))
        write(bench), write(bench), between(bench), write(bench)
        assert bench.circuit(EAST) is state


def test_reads_that_are_refused_open_nothing_however_many_they_are() -> None:
    bench = Bench()
    bench.runner.plays(EAST, *[fails(E)] * 50)

    assert {read(bench) for _ in range(50)} == {WEST}

    report = bench.router.report().regions[EAST]
    assert (report.circuit, report.denied, report.refused_writes) == (CLOSED, 50, 0)
    assert write(bench) == EAST


@pytest.mark.parametrize("names", [(EAST,), (EAST, WEST)])
def test_what_every_region_refuses_is_our_configuration_and_opens_no_circuit(names: tuple[str, ...]) -> None:
    bench = Bench(*names)
    for name in names:
        bench.runner.always(name, fails(E))

    for _ in range(10):
        with pytest.raises(RefusedEverywhere) as caught:
            write(bench, idempotent=False)

    assert caught.value.detail == "as the script says"
    report = bench.router.report()
    assert {(one.circuit, one.failed, one.denied, one.refused_writes) for one in report.regions.values()} == {
        (CLOSED, 0, 10, 0)
    }
    assert (report.unanswered, report.denied) == (10, 10)


@pytest.mark.parametrize(
    ("east", "west", "idempotent", "raised"),
    [
        pytest.param(E, A, True, NoRegionAnswered, id="refused, not sent"),
        pytest.param(E, B, True, NoRegionAnswered, id="refused, unknown"),
        pytest.param(E, B, False, OutcomeUnknown, id="refused, unknown, not to be repeated"),
        pytest.param(B, E, True, NoRegionAnswered, id="unknown, refused"),
        pytest.param(B, E, False, OutcomeUnknown, id="unknown and not to be repeated, not asked"),
        pytest.param(A, E, False, NoRegionAnswered, id="not sent, refused"),
        pytest.param(C, E, True, NoRegionAnswered, id="throttled, refused"),
        pytest.param(E, C, True, NoRegionAnswered, id="refused, throttled"),
        pytest.param(E, D, True, RuntimeError, id="refused, the caller's business"),
    ],
)
def test_a_refusal_beside_another_failure_is_no_configuration_mistake_and_counts_against_nobody(
    east: ErrorClass, west: ErrorClass, idempotent: bool, raised: type[Exception]
) -> None:
    bench = Bench()
    bench.runner.always(EAST, fails(east))
    bench.runner.always(WEST, fails(west))

    with pytest.raises(raised) as caught:
        write(bench, idempotent=idempotent)

    assert not isinstance(caught.value, RefusedEverywhere)
    assert raised is not NoRegionAnswered or type(caught.value) is NoRegionAnswered
    report = bench.router.report()
    assert all(one.refused_writes == 0 for one in report.regions.values())
    assert report.denied == 0


def test_a_region_that_refuses_after_its_reply_was_lost_leaves_the_outcome_unknown() -> None:
    bench = Bench()
    bench.runner.plays(EAST, LOST, fails(E))
    bench.runner.plays(WEST, fails(E))

    with pytest.raises(NoRegionAnswered) as caught:
        write(bench)

    assert not isinstance(caught.value, RefusedEverywhere)


def test_a_pin_stays_while_the_pinned_region_refuses_and_the_other_one_serves() -> None:
    bench = Bench()
    bench.follow(decision=decision(WEST))
    bench.runner.plays(WEST, *[fails(E)] * 3)

    assert [write(bench) for _ in range(3)] == [EAST] * 3

    assert (bench.circuit(WEST), bench.circuit(EAST)) == (OPEN, CLOSED)


def test_a_strong_read_that_is_refused_at_home_is_degraded_elsewhere_and_says_so() -> None:
    bench = Bench()
    bench.runner.plays(EAST, fails(E))

    routed = bench.router.read(where, consistency=Consistency.STRONG_ELSE_EVENTUAL)

    assert (routed.region, routed.degraded) == (WEST, True)


def test_a_trial_that_is_refused_reopens_only_when_another_region_accepts_the_call() -> None:
    bench = Bench()
    open_by_refusals(bench)
    bench.clock.wait(6.0)
    bench.runner.plays(EAST, fails(E))
    bench.runner.plays(WEST, fails(E))
    with pytest.raises(RefusedEverywhere):
        write(bench)
    assert bench.circuit(EAST) is HALF_OPEN

    bench.runner.plays(EAST, fails(E))
    assert write(bench) == WEST

    report = bench.router.report().regions[EAST]
    assert (report.circuit, report.trials_failed) == (OPEN, 1)
    assert report.last_reason.startswith("a trial was refused (as the script says)")


def test_a_region_that_refuses_no_more_comes_back_by_its_trials() -> None:
    bench = Bench()
    open_by_refusals(bench)
    bench.clock.wait(6.0)

    assert [write(bench) for _ in range(3)] == [EAST] * 3

    report = bench.router.report().regions[EAST]
    assert (report.circuit, report.refused_writes) == (CLOSED, 0)


def test_a_region_whose_circuit_is_open_is_asked_when_the_only_closed_one_refuses() -> None:
    bench = Bench()
    bench.follow(east=OPEN, west=CLOSED)
    bench.runner.always(WEST, fails(E))

    assert write(bench) == EAST


def test_a_report_with_refusals_comes_out_of_its_file_as_it_went_in() -> None:
    bench = Bench()
    open_by_refusals(bench)
    report = bench.router.report()

    assert report_from_json(report_to_json(report)) == report


def refused(calls: int) -> RegionReport:
    return RegionReport(requests=calls, failures={"denied": calls}, denied=calls, last_denial="AccessDenied")


def reported(post: Post, region: dict[str, RegionReport], **counts: int) -> None:
    post.watch.on_reports({"w1": WorkerReport(0.0, post.wall, region, **counts)}, post.now)


def alarm(post: Post) -> dict[str, object]:
    (found,) = [one for one in post.watch.status(post.now, post.wall, [])["alarms"] if one["name"] == "configuration"]
    return {"region": found["region"], "state": found["state"], "detail": found["detail"]}


def test_refused_by_all_is_one_alarm_and_one_event_however_many_calls_are_refused() -> None:
    post = Post()
    reported(post, {})
    post.step(4)
    assert alarm(post)["state"] == "ok"
    for calls in range(1, 40):
        reported(post, {EAST: refused(calls), WEST: refused(calls)}, unanswered=calls, denied=calls)
        post.step()

    assert alarm(post) == {"region": "", "state": "alarm", "detail": "every region refuses calls: AccessDenied"}
    assert [event.kind.value for event in post.events] == ["configuration-alarm"]
    assert {post.state(EAST), post.state(WEST)} == {CLOSED}
    status = post.watch.status(post.now, post.wall, [])
    assert status["summary"].startswith("Every region refuses calls (AccessDenied): that is a mistake in the config")
    assert [region["error_rate_2m"] for region in status["regions"]] == [1.0, 1.0]

    post.step(260)
    assert alarm(post)["state"] == "ok"
    assert [event.kind.value for event in post.events] == ["configuration-alarm", "configuration-cleared"]


def test_canaries_that_every_region_refuses_raise_the_alarm_without_traffic_and_say_who_serves() -> None:
    post = Post()
    post.step(4)
    post.canaries = {EAST: denied(), WEST: denied()}
    post.step(10)

    assert alarm(post)["state"] == "alarm"
    summary = post.watch.status(post.now, post.wall, [])["summary"]
    assert summary.startswith("Serving from us-east-1")
    assert "Every region refused some calls (AccessDenied)" in summary

    post.canaries[WEST] = passing()
    post.step()
    assert alarm(post)["state"] == "ok"


def test_a_canary_that_is_denied_neither_opens_a_region_whose_votes_succeed_nor_raises_the_alarm() -> None:
    post = Post()
    post.canaries[EAST] = denied()
    for requests in range(10, 500, 10):
        reported(post, {EAST: met(requests)}, answered=requests)
        post.step()

    assert post.state(EAST) is CLOSED
    assert alarm(post)["state"] == "ok"
    assert not post.events


def test_refused_calls_that_another_region_took_are_shown_and_open_nothing_by_their_rate() -> None:
    post = Post()
    reported(post, {})
    reported(post, {EAST: met(100, denied=60, last_denial="AccessDenied")}, answered=100)
    post.step(10)

    status = post.watch.status(post.now, post.wall, [])
    assert post.state(EAST) is CLOSED
    assert status["regions"][0]["error_rate_2m"] == 0.6
    assert "us-east-1 refuses some calls (AccessDenied)." in status["summary"]
    assert alarm(post)["state"] == "ok"


def test_a_worker_that_leaves_a_region_for_its_refusals_takes_the_host_with_it_and_the_sentence_says_why() -> None:
    post = Post()
    reported(post, {})
    post.step(4)
    bench = Bench()
    open_by_refusals(bench)
    post.watch.on_reports({"w1": bench.router.report()}, post.now)
    post.canaries[EAST] = denied()
    post.step(2)

    assert (post.state(EAST), post.active()) == (OPEN, WEST)
    assert "3 writes in a row were refused" in post.watch.status(post.now, post.wall, [])["summary"]
    post.step(200)
    assert post.state(EAST) is OPEN, "a canary that is denied closes nothing"
    post.canaries[EAST] = passing()
    post.until(EAST, CLOSED)
