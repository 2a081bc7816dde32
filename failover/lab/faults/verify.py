"""Checks from outside the lab whether a fault is really felt, and whether it is really gone.

There is one check for each kind. It gets the lab's state document (for its addresses), the fault,
and ``broken``: whether the fault should be felt now. A fault that another one hides, as a closed port
hides what would be replied, cannot be checked, and the finding says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from failover.lab.config import account_host, endpoint_host
from failover.lab.errors import ReplicaDown
from failover.lab.faults import probe_items
from failover.lab.faults.hiding import hidden_by, is_alone
from failover.lab.faults.outside import (
    Finding,
    FrontConnection,
    Outcome,
    State,
    ask_engine,
    ask_nameserver,
    connects,
    process_lives,
    region_of,
)
from failover.lab.waiting import wait_until

HELD_S = 1.0
"""How long a probe item must not arrive to prove a pause: about ten times the usual lag."""
LONG_HELD_S = 4.0
"""The same for a delay: a longer one is not waited for to its end."""
ARRIVES_S = 30.0
"""How long a probe may take behind the backlog of a long pause.

About 600 items are copied per second.
"""
TRIES = 3
"""How often a time is measured that a busy machine may lengthen; the best measurement counts."""
MOST_DRIPS = 8
"""A reply of more bytes than this within one check does not drip."""
CROWD = 6
"""How many requests at the same time show that a region works on one after the other."""
Fault = dict[str, Any]


Check = Callable[[State, Fault, bool], Finding]


def took_hold(state: State, fault: Fault) -> Finding:
    """Whether a fault is felt.

    ``state`` is from before it was set: a stopped engine's pid is still in it.
    """
    finding = _check(state, fault, True)
    return replace(finding, text=f"{finding.text}{_connections(fault)}")


def is_gone(state: State, fault: Fault) -> Finding:
    """Whether a cleared fault is no longer felt."""
    return _check(state, fault, False)


def _check(state: State, fault: Fault, broken: bool) -> Finding:
    check = CHECKS.get(fault["kind"])
    if check is None:
        return Finding(False, f"nobody knows how to check {fault['kind']}")
    if other := hidden_by(state, fault):
        return Finding(True, f"{other['kind']} in {other['region']} hides it", hidden=True)
    try:
        return check(state, fault, broken)
    except OSError as error:
        return Finding(False, f"a connection to {fault['region']} fails: {error}")


def _connections(fault: Fault) -> str:
    if fault["keep_connections"]:
        return "; open connections were kept"
    match fault["cut"]:
        case 0:
            return ""
        case 1:
            return "; 1 open connection was cut"
        case count:
            return f"; {count} open connections were cut"


def _dns(code: str) -> Check:
    def check(state: State, fault: Fault, broken: bool) -> Finding:
        expected: tuple[str, list[str]] = (code, []) if broken else ("NOERROR", ["127.0.0.1"])
        names = endpoint_host(fault["region"]), account_host(fault["region"])
        with ThreadPoolExecutor(len(names)) as pool:
            answers = dict(zip(names, pool.map(partial(ask_nameserver, state), names), strict=True))
        words = [
            f"does not answer for {name}"
            if answer == "SILENCE"
            else f"answers {answer} with {len(addresses)} addresses for {name}"
            for name, (answer, addresses) in answers.items()
        ]
        holds = all(answer == expected for answer in answers.values())
        return Finding(holds, f"the nameserver {' and '.join(words)}")

    return check


def _connecting(expected: str) -> Check:
    """A new connection ends as ``expected`` under the fault."""

    def check(state: State, fault: Fault, broken: bool) -> Finding:
        port = region_of(state, fault["region"])["front"]["port"]
        result = connects(port)
        is_gone = result == "accepted" if is_alone(state, fault) else result != expected
        holds = result == expected if broken else is_gone
        return Finding(holds, f"a connection to {fault['region']} (port {port}) is {result}")

    return check


def _stop(state: State, fault: Fault, broken: bool) -> Finding:
    """The engine's process, and the front where it shows nothing else."""
    pid = region_of(state, fault["region"])["engine"]["pid"]
    lives = pid is not None and process_lives(pid)
    engine = f"its engine runs (pid {pid})" if lives else f"its engine (pid {pid}) is gone"
    if not is_alone(state, fault):
        return Finding(lives is not broken, engine)
    front = _connecting("refused")(state, fault, broken)
    return Finding(front.holds and lives is not broken, f"{front.text}, {engine}")


def _request(is_felt: Callable[[Outcome], bool]) -> Check:
    """A request on a new connection; ``is_felt`` says whether its outcome is that of the fault."""

    def check(state: State, fault: Fault, broken: bool) -> Finding:
        with FrontConnection(state, fault["region"]) as connection:
            outcome = connection.ask()
        is_gone = _is_well(outcome) if is_alone(state, fault) else not is_felt(outcome)
        return Finding(is_felt(outcome) if broken else is_gone, outcome.text)

    return check


def _is_well(outcome: Outcome) -> bool:
    return outcome.end == "answered" and outcome.status == 200


def _drips(outcome: Outcome) -> bool:
    return outcome.end == "silence" and 0 < outcome.received <= MOST_DRIPS


def _is_reset(outcome: Outcome) -> bool:
    return outcome.end == "reset" and outcome.received == 0


def _refused(status: int, code: str) -> Callable[[Outcome], bool]:
    """A whole error of DynamoDB's, with its request id and checksum."""

    def is_felt(outcome: Outcome) -> bool:
        is_whole = "x-amzn-requestid:" in outcome.headers and "x-amz-crc32:" in outcome.headers
        return is_whole and (outcome.status, outcome.code) == (status, code)

    return is_felt


def _hang(state: State, fault: Fault, broken: bool) -> Finding:
    return _which_is_silent(state, fault, broken, engine="answered")


def _freeze(state: State, fault: Fault, broken: bool) -> Finding:
    if not is_alone(state, fault):
        engine = ask_engine(state, fault["region"])
        holds = engine.end == "silence" if broken else _is_well(engine)
        return Finding(holds, f"its engine, asked directly: {engine.text}")
    return _which_is_silent(state, fault, broken, engine="silence")


def _which_is_silent(state: State, fault: Fault, broken: bool, *, engine: str) -> Finding:
    """The front must be silent. A request past it tells which of the two hangs: front or engine."""
    with FrontConnection(state, fault["region"]) as connection, ThreadPoolExecutor(1) as pool:
        direct = pool.submit(ask_engine, state, fault["region"])
        front, behind = connection.ask(), direct.result()
    is_silent = front.end == "silence" and front.received == 0
    holds = (is_silent and behind.end == engine) if broken else (_is_well(front) and _is_well(behind))
    return Finding(holds, f"{front.text}; its engine, asked directly: {behind.text}")


def _latency(state: State, fault: Fault, broken: bool) -> Finding:
    """The fastest of several requests on one open connection, where each takes one round trip."""
    added = fault["ms"]
    with FrontConnection(state, fault["region"], patience_s=min(2 * added / 1000, LONG_HELD_S)) as connection:
        fastest = connection.ask()
        for _ in range(TRIES - 1):
            if fastest.end == "answered":
                fastest = min(fastest, connection.ask(), key=lambda outcome: outcome.ms)
    expected = region_of(state, fault["region"])["front"]["rtt_ms"] + added
    if broken:
        holds = fastest.ms >= expected or (fastest.end == "silence" and added >= LONG_HELD_S * 500)
    else:
        holds = _is_well(fastest) and fastest.ms < expected
    return Finding(holds, f"{fastest.text}, {fastest.ms:.0f} ms later")


def _overload(state: State, fault: Fault, broken: bool) -> Finding:
    """Some requests at the same time: under the fault the last of them waits behind the others."""
    waits_ms, patience_s = (CROWD - 1) * fault["ms"], min(2 * CROWD * fault["ms"] / 1000, LONG_HELD_S)

    def ask(connection: FrontConnection) -> Outcome:
        return connection.ask()

    def differ_ms() -> float:
        """How much later the last one was answered than the first; infinite when it was not."""
        with ExitStack() as stack, ThreadPoolExecutor(CROWD) as pool:
            connections = [
                stack.enter_context(FrontConnection(state, fault["region"], patience_s=patience_s))
                for _ in range(CROWD)
            ]
            outcomes = list(pool.map(ask, connections))
        times = [outcome.ms if _is_well(outcome) else math.inf for outcome in outcomes]
        return math.inf if math.inf in times else max(times) - min(times)

    measured = [differ_ms() for _ in range(TRIES)]
    holds = max(measured) >= waits_ms * 0.9 if broken else min(measured) < waits_ms * 0.9
    took = max(measured) if broken else min(measured)
    words = "some were not answered" if took == math.inf else f"the last was answered {took:.0f} ms after the first"
    return Finding(holds, f"of {CROWD} requests at the same time {words}")


def _lost_reply(state: State, fault: Fault, broken: bool) -> Finding:
    region, table = fault["region"], state["probe_table"]
    try:
        engine = probe_items.replica(state, region)
        key = probe_items.key(engine.key_names(table), region)
        with FrontConnection(state, region) as connection:
            outcome = connection.ask("PutItem", {"TableName": table, "Item": probe_items.item(key, region)})
        is_written = engine.get(table, key) is not None
    except ReplicaDown as error:
        return Finding(False, f"the engine cannot be asked: {error}")
    written = "the item that it wrote is there" if is_written else "the item is not there"
    holds = is_written and (outcome.end == "reset" if broken else _is_well(outcome))
    return Finding(holds, f"{outcome.text}, and {written}")


def _handshake(expected: str) -> Check:
    """A handshake ends as ``expected`` under the fault."""

    def check(state: State, fault: Fault, broken: bool) -> Finding:
        with FrontConnection(state, fault["region"]) as connection:
            result, words = connection.handshake, connection.handshake_text
        return Finding(result == (expected if broken else "done"), f"the TLS handshake is {words}")

    return check


def _replication(state: State, fault: Fault, broken: bool, *, held_s: float) -> Finding:
    """Send probe items in both directions.

    Under the fault not one may arrive within ``held_s``; without it all must.
    """
    started = time.monotonic()
    try:
        probes = probe_items.probes(state, fault["region"])
        for probe in probes:
            probe.send()
        if broken:
            holds = not wait_until(lambda: any(probe.arrived() for probe in probes), held_s)
        else:
            holds = wait_until(lambda: all(probe.arrived() for probe in probes), ARRIVES_S)
        took_ms = (time.monotonic() - started) * 1000
        reports = [probe.report(took_ms) for probe in probes]
    except ReplicaDown as error:
        return Finding(False, f"replication cannot be probed: {error}")
    return Finding(holds, "; ".join(reports))


def _pause(state: State, fault: Fault, broken: bool) -> Finding:
    return _replication(state, fault, broken, held_s=HELD_S)


def _delay(state: State, fault: Fault, broken: bool) -> Finding:
    """Under the fault no item arrives while it is held; without it they arrive sooner than that."""
    held_s = fault["ms"] / 1000
    if broken:
        return _replication(state, fault, broken, held_s=min(held_s * 0.9, LONG_HELD_S))
    for _ in range(TRIES):
        started = time.monotonic()
        finding = _replication(state, fault, broken, held_s=held_s)
        is_sooner = time.monotonic() - started < held_s
        if finding.holds and is_sooner:
            return finding
    return Finding(False, finding.text)


CHECKS: dict[str, Check] = {
    "dns-empty": _dns("NOERROR"),
    "dns-nxdomain": _dns("NXDOMAIN"),
    "dns-servfail": _dns("SERVFAIL"),
    "dns-silent": _dns("SILENCE"),
    "refuse": _connecting("refused"),
    "blackhole": _connecting("not answered"),
    "hang": _hang,
    "drip": _request(_drips),
    "reset": _request(_is_reset),
    "latency": _latency,
    "http-503": _request(_refused(503, "ServiceUnavailable")),
    "throttle": _request(_refused(400, "ProvisionedThroughputExceededException")),
    "deny": _request(_refused(400, "AccessDeniedException")),
    "overload": _overload,
    "lost-reply": _lost_reply,
    "freeze": _freeze,
    "stop": _stop,
    "replication-pause": _pause,
    "replication-delay": _delay,
    "tls-hang": _handshake("not answered"),
    "tls-reset": _handshake("reset"),
    "tls-wrong-certificate": _handshake("wrong name"),
}
