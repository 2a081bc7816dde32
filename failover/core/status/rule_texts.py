"""The sentence of each rule, for the table in rules.py. A function has the name of its rule."""

from __future__ import annotations

from failover.core.phrases import Phrase, counted, phrase
from failover.core.signals.breaker import CircuitState
from failover.core.watching.facts import RegionFacts

_STATES = {
    CircuitState.CLOSED: phrase("closed"),
    CircuitState.HALF_OPEN: phrase("half-open"),
    CircuitState.OPEN: phrase("open"),
}


def state_text(state: CircuitState) -> Phrase:
    """A circuit's state within a sentence."""
    return _STATES[state]


def canary_call_ms(facts: RegionFacts) -> float | None:
    """How long the latest canary's calls took, in ms."""
    return None if facts.health.latest is None else facts.health.latest.call_ms


def consecutive_failures(facts: RegionFacts) -> Phrase:
    """Failures of live traffic in a row."""
    return phrase(
        "{region}: {failures} in a row in the worst worker; {limit} open the circuit.",
        region=facts.name,
        failures=counted("{count} live failure", "{count} live failures", facts.failures_in_a_row),
        limit=facts.config.failures_to_open,
    )


def canary_failures(facts: RegionFacts) -> Phrase:
    """Failures of canaries in a row."""
    return phrase(
        "{region}: {canaries} failed in a row; {limit} open the circuit.",
        region=facts.name,
        canaries=counted("{count} fresh-connection canary", "{count} fresh-connection canaries", facts.health.failures),
        limit=facts.config.canary_failures_to_open,
    )


def error_rate(facts: RegionFacts) -> Phrase:
    """The error rate, and whether there are requests enough to believe it."""
    judged, config = facts.judged, facts.config
    rate = phrase(
        "{region}: {percent:.1f}% of {requests} failed within {window:.0f} s; more than {limit:.0f}% open the circuit",
        region=facts.name,
        percent=judged.error_rate * 100,
        requests=_requests(facts),
        window=config.error_window_s,
        limit=config.error_rate * 100,
    )
    if judged.error_rate > config.error_rate and judged.weighed < config.min_volume:
        return phrase("{rate}, but these are too few to say.", rate=rate)
    return phrase("{rate}.", rate=rate)


def minimum_volume(facts: RegionFacts) -> Phrase:
    """The requests that the error rate is of."""
    return phrase(
        "{region}: {requests} in the window; the error rate is believed from {limit}.",
        region=facts.name,
        requests=_requests(facts),
        limit=facts.config.min_volume,
    )


def refused_writes(facts: RegionFacts) -> Phrase:
    """Writes that were refused here and accepted elsewhere."""
    return phrase(
        "{region}: {writes} in a row were refused here and accepted elsewhere, in the worst worker; {limit} open the "
        "circuit. {calls} were refused within {window:.0f} s.",
        region=facts.name,
        writes=counted("{count} write", "{count} writes", facts.refused_writes),
        limit=facts.config.failures_to_open,
        calls=counted("{count} call", "{count} calls", facts.traffic.denied),
        window=facts.config.error_window_s,
    )


def slow_volume(facts: RegionFacts) -> Phrase:
    """The answers whose latency is judged."""
    return phrase(
        "{region}: {answers} within {window:.0f} s; their latency is believed from {limit}.",
        region=facts.name,
        answers=counted("{count} live answer", "{count} live answers", facts.slowness.pace.volume),
        window=facts.config.slow_window_s,
        limit=facts.config.slow_volume,
    )


def slow_p99(facts: RegionFacts) -> Phrase:
    """The p99 against the region's own past."""
    limit, usual_ms = facts.slowness.own_limit_ms, facts.slowness.pace.usual_p99_ms
    usual = (
        phrase("what is usual here is not known yet, so it is not called slow")
        if limit is None or usual_ms is None
        else phrase("usually {usual:.0f} ms, and slow above {limit:.0f} ms", usual=usual_ms, limit=limit)
    )
    return phrase("{region}: {p99}; {usual}.", region=facts.name, p99=_p99(facts), usual=usual)


def slow_elsewhere(facts: RegionFacts) -> Phrase:
    """The p99 against another region."""
    limit = facts.slowness.rival_limit_ms
    if limit is None:
        return phrase("{region}: {p99}; {there}.", region=facts.name, p99=_p99(facts), there=_there(facts))
    return phrase(
        "{region}: {p99}; {there}, which is clearly better from {limit:.0f} ms on.",
        region=facts.name,
        p99=_p99(facts),
        there=_there(facts),
        limit=limit,
    )


def slow_for_most(facts: RegionFacts) -> Phrase:
    """The mean, and a pin that overrides slowness."""
    mean_ms, limit = facts.slowness.pace.mean_ms, facts.slowness.mean_limit_ms
    mean = (
        phrase("no steady traffic")
        if mean_ms is None
        else phrase("at least {ms:.0f} ms on average all the time", ms=mean_ms)
    )
    if limit is not None:
        mean = phrase("{mean}; most calls are slow above {limit:.0f} ms", mean=mean, limit=limit)
    if facts.slowness.pinned:
        return phrase(
            "{region}: {mean}, but it is pinned, and slowness alone overrides nobody.", region=facts.name, mean=mean
        )
    return phrase("{region}: {mean}.", region=facts.name, mean=mean)


def crowded(facts: RegionFacts) -> Phrase:
    """Calls that went on to another region because others waited here."""
    return phrase(
        "{region}: {calls} went on to another region within {window:.0f} s because others waited here; "
        "at most {limit} of a worker wait for a whole attempt.",
        region=facts.name,
        calls=counted("{count} call", "{count} calls", facts.traffic.congested),
        window=facts.config.error_window_s,
        limit=facts.config.share,
    )


def failback_canaries(facts: RegionFacts) -> Phrase:
    """Canaries that passed in a row."""
    text = phrase(
        "{region}: {canaries} passed in a row; failback needs {limit}.",
        region=facts.name,
        canaries=counted("{count} canary", "{count} canaries", facts.health.passes),
        limit=facts.config.canaries_to_close,
    )
    return _idle(facts, text)


def failback_hold(facts: RegionFacts) -> Phrase:
    """How long the circuit has been as it is, and how long it is held."""
    circuit = facts.circuit
    if circuit.openings == 0:
        return phrase("{region}: it has not been open yet.", region=facts.name)
    since = max(0.0, facts.now - circuit.since)
    if circuit.state is CircuitState.OPEN:
        return phrase(
            "{region}: open for {since:.0f} s; it is held for at least {wait:.0f} s.",
            region=facts.name,
            since=since,
            wait=circuit.wait_s,
        )
    text = phrase(
        "{region}: {state} for {since:.0f} s; the latest hold was {wait:.0f} s.",
        region=facts.name,
        state=state_text(circuit.state),
        since=since,
        wait=circuit.wait_s,
    )
    return _idle(facts, text)


def flapping(facts: RegionFacts) -> Phrase:
    """How often the circuit opened lately."""
    return phrase(
        "{region}: it went from closed to open {times} within {window:.0f} s; from {limit} on it is held for "
        "{hold:.0f} s.",
        region=facts.name,
        times=counted("{count} time", "{count} times", facts.circuit.flaps(facts.now, facts.config)),
        window=facts.config.flap_window_s,
        limit=facts.config.flap_openings,
        hold=facts.config.flap_hold_s,
    )


def failback_lag(facts: RegionFacts) -> Phrase:
    """The replication lag that failback waits for."""
    return _idle(facts, phrase("{region}: {lag}", region=facts.name, lag=_lag(facts)))


def failback_pace(facts: RegionFacts) -> Phrase:
    """Whether a region that was too slow is quick again."""
    taken_ms = canary_call_ms(facts)
    if facts.quick_ms is None:
        return phrase("{region}: it was not left for being slow.", region=facts.name)
    if taken_ms is None:
        return phrase(
            "{region}: it was too slow; its latest canary brought no answer that took at most {limit:.0f} ms.",
            region=facts.name,
            limit=facts.quick_ms,
        )
    return phrase(
        "{region}: it was too slow; its latest canary took {ms:.0f} ms, and may take {limit:.0f} ms.",
        region=facts.name,
        ms=taken_ms,
        limit=facts.quick_ms,
    )


def trials(facts: RegionFacts) -> Phrase:
    """Live trials of a half-open circuit."""
    if facts.circuit.state is not CircuitState.HALF_OPEN:
        return phrase(
            "{region}: no trials, its circuit is {state}.", region=facts.name, state=state_text(facts.circuit.state)
        )
    passed = counted("{count} live trial", "{count} live trials", facts.trials_passed)
    if facts.disputed:
        return phrase(
            "{region}: {trials} passed; {limit} close the circuit, canaries alone cannot: live traffic failed while "
            "they passed.",
            region=facts.name,
            trials=passed,
            limit=facts.config.trials_to_close,
        )
    return phrase(
        "{region}: {trials} passed; {limit} close the circuit, or {canaries} canaries ({passed} passed).",
        region=facts.name,
        trials=passed,
        limit=facts.config.trials_to_close,
        canaries=facts.config.canaries_to_close,
        passed=facts.canaries_passed,
    )


def disputed(facts: RegionFacts) -> Phrase:
    """Whether live traffic contradicts the canaries."""
    if facts.disputed:
        return phrase(
            "{region}: live traffic fails while canaries pass, so canaries alone close nothing.", region=facts.name
        )
    return phrase("{region}: live traffic does not contradict the canaries.", region=facts.name)


def _requests(facts: RegionFacts) -> Phrase:
    return counted("{count} request", "{count} requests", facts.judged.weighed)


def _p99(facts: RegionFacts) -> Phrase:
    p99_ms = facts.slowness.pace.p99_ms
    return phrase("no p99 yet") if p99_ms is None else phrase("a p99 of {ms:.0f} ms", ms=p99_ms)


def _there(facts: RegionFacts) -> Phrase:
    rival, there_ms = facts.slowness.rival, facts.slowness.there_ms
    if rival is None:
        return phrase("no other region is closed, well and up to date, so none would be better")
    if there_ms is None:
        return phrase("{region} answers its canaries in {ms:.0f} ms", region=rival.name, ms=rival.canary_ms)
    return phrase("{region} would take about {ms:.0f} ms", region=rival.name, ms=there_ms)


def _idle(facts: RegionFacts, text: Phrase) -> Phrase:
    """A condition of the return, for a region that is not away."""
    if facts.circuit.state is not CircuitState.CLOSED:
        return text
    return phrase("{sentence} Nothing to come back from: the circuit is closed.", sentence=text)


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
