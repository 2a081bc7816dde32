"""Why a region comes back, or does not yet."""

from __future__ import annotations

from collections.abc import Iterator

from failover.core.breaker import CircuitState
from failover.core.explain_rows import milliseconds, row, some
from failover.core.facts import RegionFacts
from failover.core.status import ExplainDocument


def returning(facts: RegionFacts) -> Iterator[ExplainDocument]:
    """The rules that let a region's open circuit come back."""
    config, name, circuit = facts.config, facts.name, facts.circuit
    conditions = facts.failback
    closed = circuit.state is CircuitState.CLOSED
    idle = " Nothing to come back from: the circuit is closed." if closed else ""
    passes, limit = facts.health.passes, config.canaries_to_close
    yield row(
        "failback-canaries",
        facts,
        passes,
        limit,
        conditions.canaries,
        f"{name}: {some(passes, 'canary', 'canaries')} passed in a row; failback needs {limit}.{idle}",
    )
    if circuit.openings == 0:
        yield row("failback-hold", facts, None, config.hold_s, True, f"{name}: it has not been open yet.")
    else:
        since = max(0.0, facts.now - circuit.since)
        is_open = circuit.state is CircuitState.OPEN
        text = f"open for {since:.0f} s; it is held for at least {circuit.wait_s:.0f} s"
        text = text if is_open else f"{circuit.state} for {since:.0f} s; the latest hold was {circuit.wait_s:.0f} s"
        held = conditions.held or not is_open
        yield row("failback-hold", facts, round(since, 1), circuit.wait_s, held, f"{name}: {text}.{idle}")
    flaps, limit = circuit.flaps(facts.now, config), config.flap_openings
    window = f"{config.flap_window_s:.0f} s"
    yield row(
        "flapping",
        facts,
        flaps,
        limit,
        flaps >= limit,
        f"{name}: it went from closed to open {some(flaps, 'time')} within {window}; from {limit} on it is held for "
        f"{config.flap_hold_s:.0f} s.",
    )
    yield row(
        "failback-lag",
        facts,
        None if facts.lag is None else milliseconds(facts.lag.ms),
        config.lag_limit_ms,
        facts.lag_fine,
        f"{name}: {_lag_text(facts)}{idle}",
    )
    latest = facts.health.latest
    taken = None if latest is None else latest.call_ms
    if facts.quick_ms is None:
        text = "it was not left for being slow."
    elif taken is None:
        text = f"it was too slow; its latest canary brought no answer that took at most {facts.quick_ms:.0f} ms."
    else:
        text = f"it was too slow; its latest canary took {taken:.0f} ms, and may take {facts.quick_ms:.0f} ms."
    yield row("failback-pace", facts, milliseconds(taken), facts.quick_ms, facts.quick, f"{name}: {text}")
    passed, limit = facts.trials_passed, config.trials_to_close
    if circuit.state is CircuitState.HALF_OPEN:
        text = f"{some(passed, 'live trial')} passed; {limit} close the circuit"
        text += (
            ", canaries alone cannot: live traffic failed while they passed."
            if facts.disputed
            else (f", or {config.canaries_to_close} canaries ({facts.canaries_passed} passed).")
        )
        yield row("trials", facts, passed, limit, passed >= limit, f"{name}: {text}")
    else:
        yield row("trials", facts, None, limit, False, f"{name}: no trials, its circuit is {circuit.state}.")
    yield row(
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
