"""Says, from outside the lab, whether a fault is really felt and really gone: one check for each kind.

A check is given the state of the lab (for its addresses), the fault, and whether it should be felt now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from failover.lab.config import account_host, endpoint_host
from failover.lab.errors import ReplicaDown
from failover.lab.faults import probe_items
from failover.lab.faults.outside import (
    Heard,
    Line,
    State,
    ask_engine,
    ask_nameserver,
    connects,
    process_lives,
    region_of,
)
from failover.lab.waiting import wait_until

HELD_S = 1.0
"""How long a probe item must stay away for a pause to be believed: some ten times the usual lag."""
LONG_HELD_S = 4.0
"""The same for a delay, of which no more is waited for."""
ARRIVES_S = 30.0
"""How long a probe may take behind the backlog of a long pause, which is copied at some 600 items a second."""
LOOKS = 3
"""How often something that a busy machine may delay is looked at; the best look counts."""
DRIPS = 8
"""More bytes of a reply than this within a look are no drip."""
Fault = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What was seen from outside: ``holds`` when it is as it should be."""

    holds: bool
    text: str


Check = Callable[[State, Fault, bool], Finding]


def took_hold(state: State, fault: Fault) -> Finding:
    """Whether a fault is felt. ``state`` is from just before it was set: it still knows a stopped engine's pid."""
    finding = _look(state, fault, True)
    return Finding(finding.holds, f"{finding.text}{_connections(fault)}")


def is_gone(state: State, fault: Fault) -> Finding:
    """Whether a cleared fault is no longer felt."""
    return _look(state, fault, False)


def _look(state: State, fault: Fault, broken: bool) -> Finding:
    check = CHECKS.get(fault["kind"])
    if check is None:
        return Finding(False, f"nobody knows how to check {fault['kind']}")
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
            if said == "SILENCE"
            else f"answers {said} with {len(addresses)} addresses for {name}"
            for name, (said, addresses) in answers.items()
        ]
        holds = all(answer == expected for answer in answers.values())
        return Finding(holds, f"the nameserver {' and '.join(words)}")

    return check


def _door(word: str) -> Check:
    def check(state: State, fault: Fault, broken: bool) -> Finding:
        port = region_of(state, fault["region"])["front"]["port"]
        seen = connects(port)
        holds = seen == (word if broken else "accepted")
        return Finding(holds, f"a connection to {fault['region']} (port {port}) is {seen}")

    return check


def _stop(state: State, fault: Fault, broken: bool) -> Finding:
    door = _door("refused")(state, fault, broken)
    pid = region_of(state, fault["region"])["engine"]["pid"]
    lives = pid is not None and process_lives(pid)
    engine = f"its engine runs (pid {pid})" if lives else f"its engine (pid {pid}) is gone"
    return Finding(door.holds and lives is not broken, f"{door.text}, {engine}")


def _request(felt: Callable[[Heard], bool]) -> Check:
    """A request on a fresh connection; `felt` says whether what came of it is this kind's."""

    def check(state: State, fault: Fault, broken: bool) -> Finding:
        with Line(state, fault["region"]) as line:
            heard = line.ask()
        return Finding(felt(heard) if broken else _well(heard), heard.text)

    return check


def _well(heard: Heard) -> bool:
    return heard.end == "answered" and heard.status == 200


def _refused(status: int, code: str) -> Callable[[Heard], bool]:
    def felt(heard: Heard) -> bool:
        whole = "x-amzn-requestid:" in heard.headers and "x-amz-crc32:" in heard.headers
        return whole and (heard.status, heard.code) == (status, code)

    return felt


def _hang(state: State, fault: Fault, broken: bool) -> Finding:
    return _which_is_silent(state, fault, broken, engine="answered")


def _freeze(state: State, fault: Fault, broken: bool) -> Finding:
    return _which_is_silent(state, fault, broken, engine="silence")


def _which_is_silent(state: State, fault: Fault, broken: bool, *, engine: str) -> Finding:
    """What hangs in front of an engine that answers, and an engine that hangs itself, are two things."""
    with Line(state, fault["region"]) as line, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask_engine, state, fault["region"])
        heard, behind = line.ask(), asked.result()
    silent = heard.end == "silence" and heard.received == 0
    holds = (silent and behind.end == engine) if broken else (_well(heard) and _well(behind))
    return Finding(holds, f"{heard.text}; its engine, asked directly: {behind.text}")


def _latency(state: State, fault: Fault, broken: bool) -> Finding:
    """On a connection that is open, so that a round trip is one."""
    added = fault["ms"]
    with Line(state, fault["region"], patience_s=min(2 * added / 1000, LONG_HELD_S)) as line:
        least = line.ask()
        for _ in range(LOOKS - 1):
            if least.end == "answered":
                least = min(least, line.ask(), key=lambda heard: heard.ms)
    expected = region_of(state, fault["region"])["front"]["rtt_ms"] + added
    if broken:
        holds = least.ms >= expected or (least.end == "silence" and added >= LONG_HELD_S * 500)
    else:
        holds = _well(least) and least.ms < expected
    return Finding(holds, f"{least.text}, {least.ms:.0f} ms later")


def _lost_reply(state: State, fault: Fault, broken: bool) -> Finding:
    region, table = fault["region"], state["probe_table"]
    try:
        engine = probe_items.replica(state, region)
        key = probe_items.key(engine.key_names(table), region)
        with Line(state, region) as line:
            heard = line.ask("PutItem", {"TableName": table, "Item": probe_items.item(key, region)})
        written = engine.get(table, key) is not None
    except ReplicaDown as error:
        return Finding(False, f"the engine cannot be asked: {error}")
    there = "the item that it wrote is there" if written else "the item is not there"
    return Finding(written and (heard.end == "reset" if broken else _well(heard)), f"{heard.text}, and {there}")


def _handshake(word: str) -> Check:
    def check(state: State, fault: Fault, broken: bool) -> Finding:
        with Line(state, fault["region"]) as line:
            seen = line.handshake
        return Finding(seen.startswith(word) if broken else seen == "done", f"the TLS handshake is {seen}")

    return check


def _replication(state: State, fault: Fault, broken: bool, *, held_s: float) -> Finding:
    started = time.monotonic()
    try:
        probes = probe_items.probes(state, fault["region"])
        for probe in probes:
            probe.send()
        if broken:
            holds = not wait_until(lambda: any(probe.arrived() for probe in probes), held_s)
        else:
            holds = wait_until(lambda: all(probe.arrived() for probe in probes), ARRIVES_S)
        took = (time.monotonic() - started) * 1000
        seen = [probe.report(took) for probe in probes]
    except ReplicaDown as error:
        return Finding(False, f"replication cannot be probed: {error}")
    return Finding(holds, "; ".join(seen))


def _pause(state: State, fault: Fault, broken: bool) -> Finding:
    return _replication(state, fault, broken, held_s=HELD_S)


def _delay(state: State, fault: Fault, broken: bool) -> Finding:
    """Items must stay away while they are held, and once they are not, one must come sooner than that."""
    held_s = fault["ms"] / 1000
    if broken:
        return _replication(state, fault, broken, held_s=min(held_s * 0.9, LONG_HELD_S))
    for _ in range(LOOKS):
        started = time.monotonic()
        finding = _replication(state, fault, broken, held_s=held_s)
        sooner = time.monotonic() - started < held_s
        if finding.holds and sooner:
            return finding
    return Finding(False, finding.text)


CHECKS: dict[str, Check] = {
    "dns-empty": _dns("NOERROR"),
    "dns-nxdomain": _dns("NXDOMAIN"),
    "dns-servfail": _dns("SERVFAIL"),
    "dns-silent": _dns("SILENCE"),
    "refuse": _door("refused"),
    "blackhole": _door("not answered"),
    "hang": _hang,
    "drip": _request(lambda heard: heard.end == "silence" and 0 < heard.received <= DRIPS),
    "reset": _request(lambda heard: heard.end == "reset" and heard.received == 0),
    "latency": _latency,
    "http-503": _request(_refused(503, "ServiceUnavailable")),
    "throttle": _request(_refused(400, "ProvisionedThroughputExceededException")),
    "deny": _request(_refused(400, "AccessDeniedException")),
    "lost-reply": _lost_reply,
    "freeze": _freeze,
    "stop": _stop,
    "replication-pause": _pause,
    "replication-delay": _delay,
    "tls-hang": _handshake("not answered"),
    "tls-reset": _handshake("reset"),
    "tls-wrong-certificate": _handshake("refused, Hostname mismatch"),
}
