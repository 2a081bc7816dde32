"""What canaries say about a region."""

from __future__ import annotations

import pytest

from failover.core.errors import ErrorClass
from failover.core.signals.health import Canary, Health, HealthState, Layer, Verdict, on_canary, state_of
from tests.simulation.support import CONFIG, GOOD, denied, failing, passing


def after(*canaries: Canary) -> Health:
    health = Health()
    for now, canary in enumerate(canaries):
        health = on_canary(health, canary, config=CONFIG, now=now)
    return health


def word(*canaries: Canary, traffic_fails: bool = False, later: float = 0.0) -> HealthState:
    return state_of(after(*canaries), traffic_fails=traffic_fails, config=CONFIG, now=len(canaries) - 1 + later)


@pytest.mark.parametrize(
    ("canary", "verdict"),
    [
        (passing(), Verdict.PASSED),
        (Canary(Layer(None), GOOD, GOOD, GOOD), Verdict.PASSED),
        (failing(), Verdict.FAILED),
        (Canary(GOOD, GOOD, Layer(False, 1.0, "what no table knows"), GOOD), Verdict.FAILED),
        (denied(), Verdict.SAYS_NOTHING),
        (Canary(GOOD, GOOD, Layer(False, error_class=ErrorClass.REFUSED), GOOD), Verdict.SAYS_NOTHING),
        (
            Canary(
                GOOD,
                GOOD,
                Layer(False, error_class=ErrorClass.CALLER),
                Layer(False, error_class=ErrorClass.UNKNOWN),
            ),
            Verdict.FAILED,
        ),
        (Canary(GOOD, GOOD, GOOD), Verdict.SAYS_NOTHING),
        (Canary(GOOD, GOOD, read=GOOD), Verdict.SAYS_NOTHING),
        (Canary(), Verdict.SAYS_NOTHING),
    ],
    ids=[
        "all layers work",
        "a layer that was not looked at does no harm",
        "no address",
        "an unclassified failure counts",
        "no permission",
        "throttled",
        "no permission to write and reads that time out",
        "reads were not reached",
        "the write was not made",
        "nothing was reached",
    ],
)
def test_the_verdict_of_one_canary(canary: Canary, verdict: Verdict) -> None:
    assert canary.verdict is verdict


@pytest.mark.parametrize(
    ("canary", "words"),
    [
        (failing(), "DNS answers empty"),
        (Canary(GOOD, Layer(False, detail="refused")), "connection fails (refused)"),
        (Canary(GOOD, GOOD, GOOD, Layer(False)), "canary read fails"),
        (passing(), ""),
    ],
)
def test_a_canary_says_in_words_what_is_wrong(canary: Canary, words: str) -> None:
    assert canary.trouble == words


def test_a_canary_that_says_nothing_breaks_no_row() -> None:
    health = after(failing(), denied(), failing())
    assert (health.failures, health.passes) == (2, 0)


@pytest.mark.parametrize(
    ("canaries", "state"),
    [
        ([], HealthState.UNKNOWN),
        ([passing()], HealthState.HEALTHY),
        ([passing(), failing()], HealthState.DEGRADED),
        ([failing()] * 3, HealthState.UNREACHABLE),
        ([failing()] * 3 + [passing()], HealthState.DEGRADED),
        ([failing()] * 3 + [passing()] * 3, HealthState.HEALTHY),
        ([failing()] * 3 + [passing(), failing(), passing()], HealthState.DEGRADED),
        ([failing()] * 3 + [denied()], HealthState.UNKNOWN),
    ],
    ids=[
        "never looked",
        "passes",
        "failed once",
        "failed three times",
        "passed once since",
        "passed three times since",
        "failed again before it was sound",
        "may not look",
    ],
)
def test_one_word_for_a_region(canaries: list[Canary], state: HealthState) -> None:
    assert word(*canaries) is state


def test_a_region_whose_live_traffic_fails_is_degraded_whatever_its_canaries_say() -> None:
    assert word(passing(), traffic_fails=True) is HealthState.DEGRADED


def test_a_region_that_nobody_looked_at_lately_is_unknown() -> None:
    assert word(passing(), later=CONFIG.quiet_s) is HealthState.HEALTHY
    assert word(passing(), later=CONFIG.quiet_s + 0.1) is HealthState.UNKNOWN


def test_a_canary_takes_as_long_as_the_longer_of_its_calls() -> None:
    assert Canary(GOOD, Layer(True, 90.0), Layer(True, 5.0), Layer(True, 9.0)).call_ms == 9.0
    assert failing().call_ms is None


@pytest.mark.parametrize(
    ("canaries", "readable"),
    [
        ([], True),
        ([passing()], True),
        ([denied()], True),
        ([failing()], False),
        ([Canary(GOOD, GOOD, Layer(False, 1.0, "503", ErrorClass.UNKNOWN), GOOD)], True),
        ([Canary(GOOD, GOOD, GOOD, Layer(False, 1.0, "503", ErrorClass.UNKNOWN))], False),
    ],
    ids=["never looked", "passes", "may not look", "not reached", "only writing fails", "reading fails"],
)
def test_what_was_seen_in_a_region_is_believed_while_it_can_be_read(canaries: list[Canary], readable: bool) -> None:
    assert after(*canaries).readable is readable


def test_a_canary_that_passed_long_ago_is_not_passing() -> None:
    health = after(passing())
    assert health.passing(CONFIG.quiet_s, CONFIG)
    assert not health.passing(CONFIG.quiet_s + 0.1, CONFIG)
    assert not Health().passing(0.0, CONFIG)


@pytest.mark.parametrize(
    ("failures", "state"),
    [
        (CONFIG.canary_failures_to_open - 1, HealthState.HEALTHY),
        (CONFIG.canary_failures_to_open, HealthState.DEGRADED),
    ],
)
def test_after_it_was_unreachable_a_region_needs_more_than_one_pass(failures: int, state: HealthState) -> None:
    health = Health()
    for canary in (*[failing()] * failures, passing()):
        health = on_canary(health, canary, config=CONFIG, now=0.0)
    assert state_of(health, traffic_fails=False, config=CONFIG, now=0.0) is state
