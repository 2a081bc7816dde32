"""Why, and why not: each rule's value beside its threshold for every region, also when nothing happened."""

from __future__ import annotations

from collections.abc import Iterator

from failover.core.breaker import CircuitState
from failover.core.facts import RegionFacts
from failover.core.status import ExplainDocument


def explain(facts: RegionFacts) -> list[ExplainDocument]:
    """The rules that open a region's circuit, then those that let it come back."""
    return [*_opening(facts), *_returning(facts)]


def _opening(facts: RegionFacts) -> Iterator[ExplainDocument]:
    config, name = facts.config, facts.name
    row, limit = facts.failures_in_a_row, config.failures_to_open
    yield _row(
        "consecutive-failures",
        facts,
        row,
        limit,
        row >= limit,
        f"{name}: {_some(row, 'live failure')} in a row in the worst worker; {limit} open the circuit.",
    )
    row, limit = facts.health.failures, config.canary_failures_to_open
    yield _row(
        "canary-failures",
        facts,
        row,
        limit,
        row >= limit,
        f"{name}: {_some(row, 'fresh-connection canary', 'fresh-connection canaries')} failed in a row; "
        f"{limit} open the circuit.",
    )
    judged = facts.judged
    enough = judged.requests >= config.min_volume
    rate_text = f"{name}: {judged.error_rate:.1%} of {_some(judged.requests, 'request')} failed within "
    rate_text += f"{config.error_window_s:.0f} s; more than {config.error_rate:.0%} open the circuit"
    over = judged.error_rate > config.error_rate
    yield _row(
        "error-rate",
        facts,
        round(judged.error_rate, 4),
        config.error_rate,
        over and enough,
        f"{rate_text}." if enough or not over else f"{rate_text}, but these are too few to say.",
    )
    yield _row(
        "minimum-volume",
        facts,
        judged.requests,
        config.min_volume,
        enough,
        f"{name}: {_some(judged.requests, 'request')} in the window; the error rate is believed from "
        f"{config.min_volume}.",
    )


def _returning(facts: RegionFacts) -> Iterator[ExplainDocument]:
    config, name, circuit = facts.config, facts.name, facts.circuit
    conditions = facts.failback
    closed = circuit.state is CircuitState.CLOSED
    idle = " Nothing to come back from: the circuit is closed." if closed else ""
    passes, limit = facts.health.passes, config.canaries_to_close
    yield _row(
        "failback-canaries",
        facts,
        passes,
        limit,
        conditions.canaries,
        f"{name}: {_some(passes, 'canary', 'canaries')} passed in a row; failback needs {limit}.{idle}",
    )
    if circuit.openings == 0:
        yield _row("failback-hold", facts, None, config.hold_s, True, f"{name}: it has not been open yet.")
    else:
        since = max(0.0, facts.now - circuit.since)
        is_open = circuit.state is CircuitState.OPEN
        text = f"open for {since:.0f} s; it is held for at least {circuit.wait_s:.0f} s"
        text = text if is_open else f"{circuit.state} for {since:.0f} s; the latest hold was {circuit.wait_s:.0f} s"
        held = conditions.held or not is_open
        yield _row("failback-hold", facts, round(since, 1), circuit.wait_s, held, f"{name}: {text}.{idle}")
    yield _row(
        "failback-lag",
        facts,
        None if facts.lag is None else _ms(facts.lag.ms),
        config.lag_limit_ms,
        facts.lag_fine,
        f"{name}: {_lag_text(facts)}{idle}",
    )
    passed, limit = facts.trials_passed, config.trials_to_close
    if circuit.state is CircuitState.HALF_OPEN:
        text = f"{_some(passed, 'live trial')} passed; {limit} close the circuit"
        text += (
            ", canaries alone cannot: live traffic failed while they passed."
            if facts.disputed
            else (f", or {config.canaries_to_close} canaries ({facts.canaries_passed} passed).")
        )
        yield _row("trials", facts, passed, limit, passed >= limit, f"{name}: {text}")
    else:
        yield _row("trials", facts, None, limit, False, f"{name}: no trials, its circuit is {circuit.state}.")
    yield _row(
        "disputed",
        facts,
        None,
        None,
        facts.disputed,
        f"{name}: live traffic fails while canaries pass, so canaries alone close nothing."
        if facts.disputed
        else f"{name}: live traffic does not contradict the canaries.",
    )


def _lag_text(facts: RegionFacts) -> str:
    limit = f"{facts.config.lag_limit_ms / 1000:.1f} s"
    if not facts.lags:
        return "there is no other region to lag behind."
    if facts.lag is None:
        return "no other region takes traffic, so there is nothing newer that results could run back from."
    if facts.lag.ms is None:
        return f"the lag into it is unknown, which blocks failback; it must be known and at most {limit}."
    return f"replication into it is {facts.lag.ms / 1000:.1f} s behind; failback needs at most {limit}."


def _row(
    rule: str, facts: RegionFacts, value: float | None, threshold: float | None, met: bool, text: str
) -> ExplainDocument:
    return {"rule": rule, "region": facts.name, "value": value, "threshold": threshold, "met": met, "text": text}


def _some(count: int, one: str, many: str = "") -> str:
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value)
