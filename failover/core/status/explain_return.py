"""Why a region comes back, or does not yet."""

from __future__ import annotations

from collections.abc import Iterator

from failover.core.phrases import Phrase, counted, phrase
from failover.core.signals.breaker import CircuitState
from failover.core.status.explain_rows import milliseconds, row, word
from failover.core.status.types import ExplainDocument
from failover.core.watching.facts import RegionFacts


def returning(facts: RegionFacts) -> Iterator[ExplainDocument]:
    """The rules that let a region's open circuit come back."""
    yield from _waiting(facts)
    yield from _trying(facts)


def _waiting(facts: RegionFacts) -> Iterator[ExplainDocument]:
    """What an open circuit waits for."""
    config, name, circuit = facts.config, facts.name, facts.circuit
    conditions = facts.failback
    passes, limit = facts.health.passes, config.canaries_to_close
    text = phrase(
        "{region}: {canaries} passed in a row; failback needs {limit}.",
        region=name,
        canaries=counted("{count} canary", "{count} canaries", passes),
        limit=limit,
    )
    yield row("failback-canaries", facts, passes, limit, conditions.canaries, _idle(facts, text))
    if circuit.openings == 0:
        text = phrase("{region}: it has not been open yet.", region=name)
        yield row("failback-hold", facts, None, config.hold_s, True, text)
    else:
        since = max(0.0, facts.now - circuit.since)
        is_open = circuit.state is CircuitState.OPEN
        text = (
            phrase(
                "{region}: open for {since:.0f} s; it is held for at least {wait:.0f} s.",
                region=name,
                since=since,
                wait=circuit.wait_s,
            )
            if is_open
            else phrase(
                "{region}: {state} for {since:.0f} s; the latest hold was {wait:.0f} s.",
                region=name,
                state=word(circuit.state),
                since=since,
                wait=circuit.wait_s,
            )
        )
        held = conditions.held or not is_open
        yield row("failback-hold", facts, round(since, 1), circuit.wait_s, held, _idle(facts, text))
    flaps, limit = circuit.flaps(facts.now, config), config.flap_openings
    text = phrase(
        "{region}: it went from closed to open {times} within {window:.0f} s; from {limit} on it is held for "
        "{hold:.0f} s.",
        region=name,
        times=counted("{count} time", "{count} times", flaps),
        window=config.flap_window_s,
        limit=limit,
        hold=config.flap_hold_s,
    )
    yield row("flapping", facts, flaps, limit, flaps >= limit, text)
    lag = None if facts.lag is None else milliseconds(facts.lag.ms)
    text = phrase("{region}: {lag}", region=name, lag=_lag(facts))
    yield row("failback-lag", facts, lag, config.lag_limit_ms, facts.lag_fine, _idle(facts, text))


def _trying(facts: RegionFacts) -> Iterator[ExplainDocument]:
    """What closes a circuit that is being tried again."""
    config, name, circuit = facts.config, facts.name, facts.circuit
    latest = facts.health.latest
    taken = None if latest is None else latest.call_ms
    if facts.quick_ms is None:
        text = phrase("{region}: it was not left for being slow.", region=name)
    elif taken is None:
        text = phrase(
            "{region}: it was too slow; its latest canary brought no answer that took at most {limit:.0f} ms.",
            region=name,
            limit=facts.quick_ms,
        )
    else:
        text = phrase(
            "{region}: it was too slow; its latest canary took {ms:.0f} ms, and may take {limit:.0f} ms.",
            region=name,
            ms=taken,
            limit=facts.quick_ms,
        )
    yield row("failback-pace", facts, milliseconds(taken), facts.quick_ms, facts.quick, text)
    passed, limit = facts.trials_passed, config.trials_to_close
    if circuit.state is CircuitState.HALF_OPEN:
        yield row("trials", facts, passed, limit, passed >= limit, _trials(facts))
    else:
        text = phrase("{region}: no trials, its circuit is {state}.", region=name, state=word(circuit.state))
        yield row("trials", facts, None, limit, False, text)
    text = (
        phrase("{region}: live traffic fails while canaries pass, so canaries alone close nothing.", region=name)
        if facts.disputed
        else phrase("{region}: live traffic does not contradict the canaries.", region=name)
    )
    yield row("disputed", facts, None, None, facts.disputed, text)


def _idle(facts: RegionFacts, text: Phrase) -> Phrase:
    """A condition of the return, for a region that is not away."""
    if facts.circuit.state is not CircuitState.CLOSED:
        return text
    return phrase("{sentence} Nothing to come back from: the circuit is closed.", sentence=text)


def _trials(facts: RegionFacts) -> Phrase:
    trials = counted("{count} live trial", "{count} live trials", facts.trials_passed)
    if facts.disputed:
        return phrase(
            "{region}: {trials} passed; {limit} close the circuit, canaries alone cannot: live traffic failed while "
            "they passed.",
            region=facts.name,
            trials=trials,
            limit=facts.config.trials_to_close,
        )
    return phrase(
        "{region}: {trials} passed; {limit} close the circuit, or {canaries} canaries ({passed} passed).",
        region=facts.name,
        trials=trials,
        limit=facts.config.trials_to_close,
        canaries=facts.config.canaries_to_close,
        passed=facts.canaries_passed,
    )


def _lag(facts: RegionFacts) -> Phrase:
    limit = facts.config.lag_limit_ms / 1000
    if not facts.lags:
        return phrase("there is no other region to lag behind.")
    if facts.lag is None:
        return phrase("no other region takes traffic, so there is nothing newer that results could run back from.")
    if facts.lag.ms is None:
        return phrase(
            "the lag into it is unknown, which blocks failback; it must be known and at most {limit:.1f} s.",
            limit=limit,
        )
    return phrase(
        "replication into it is {lag:.1f} s behind; failback needs at most {limit:.1f} s.",
        lag=facts.lag.ms / 1000,
        limit=limit,
    )
