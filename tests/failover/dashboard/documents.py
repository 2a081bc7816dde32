"""Status documents as a monitor publishes them, written out by hand, for the states that a page
must show.
"""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from failover.core.phrases import Phrase, from_json, phrase, to_json
from failover.core.status.types import StatusDocument, iso

EAST, WEST = "us-east-1", "us-west-2"
_DNS_FAILS = phrase("{layer} fails ({detail})", layer=phrase("DNS"), detail="the name has no address")


def _check(ok: bool | None, ms: float | None = None, detail: str = "") -> dict[str, Any]:
    return {"ok": ok, "ms": ms, "detail": detail}


def _rule(rule: str, region: str, value: float | None, threshold: float | None, met: bool, text: str) -> dict[str, Any]:
    return {"rule": rule, "region": region, "value": value, "threshold": threshold, "met": met, "text": text}


def healthy(at: float) -> StatusDocument:
    """Both regions well, us-east-1 serves. `at` is when it was written, seconds since the epoch."""
    document: Any = {
        "generated_at": iso(at),
        "routing": {
            "mode": "auto",
            "region": None,
            "active": EAST,
            "epoch": 0,
            "actor": "automatic",
            "reason": "never changed by hand",
            "since": iso(at - 3600),
        },
        **_summary(EAST, at - 3600, phrase("it is the first choice and every circuit is closed"), 0.1),
        "regions": [_healthy_region(EAST, 0, 1.0, 2412, 4.2, 18.4), _healthy_region(WEST, 1, 71.0, 96, 72.4, 141.0)],
        "replication": [
            {"from": EAST, "to": WEST, "lag_ms": 118, "state": "ok", "age_ms": 240},
            {"from": WEST, "to": EAST, "lag_ms": 97, "state": "ok", "age_ms": 310},
        ],
        "alarms": [
            {"name": name, "region": region, "state": "ok", "detail": ""}
            for region in (EAST, WEST)
            for name in ("circuit", "error-rate", "canary", "replication-lag")
        ],
        "explain": [row for region in (EAST, WEST) for row in _rules(region)],
        "events": [],
    }
    return document  # type: ignore[no-any-return]  # literal JSON, as it is read from a file


def east_down(at: float) -> StatusDocument:
    """us-east-1's DNS answers empty; traffic has gone to us-west-2."""
    document: Any = deepcopy(healthy(at))
    document["routing"] |= {"active": WEST, "since": iso(at - 42)}
    document |= _summary(WEST, at - 42, phrase("{region}'s {trouble}", region=EAST, trouble=_DNS_FAILS), 0.4)
    document["regions"][0] |= {
        "state": "unreachable",
        "circuit": "open",
        "checks": {
            "dns": _check(False, 2.6, "the name has no address"),
            "connect": _check(None, None, "not reached"),
            "write": _check(None, None, "not reached"),
            "read": _check(None, None, "not reached"),
        },
        "requests_2m": 1876,
        "error_rate_2m": 0.0016,
    }
    document["regions"][1] |= {"requests_2m": 612}
    document["replication"][0] |= {"lag_ms": None, "state": "unknown", "age_ms": 41_800}
    document["replication"][1] |= {"lag_ms": 12_400, "state": "stalled", "age_ms": 41_200}
    document["alarms"][0] |= {"state": "alarm", "detail": "open: 3 failures in a row: the name has no address"}
    document["alarms"][2] |= {"state": "alarm", "detail": "84 failed in a row"}
    document["explain"][0] |= {
        "value": 3,
        "met": True,
        "text": f"{EAST}: 3 live failures in a row in the worst worker; 3 open the circuit.",
    }
    document["explain"][1] |= {
        "value": 84,
        "met": True,
        "text": f"{EAST}: 84 fresh-connection canaries failed in a row; 3 open the circuit.",
    }
    document["events"] = [
        _event("e2", at - 42, "failover", WEST, EAST, WEST, "automatic", f"{EAST}'s DNS fails"),
        _event("e1", at - 42.2, "circuit-opened", EAST, "closed", "open", "automatic", "3 failures in a row: dns"),
    ]
    return document  # type: ignore[no-any-return]  # literal JSON


def pinned(at: float) -> StatusDocument:
    """A person has pinned us-west-2."""
    document: Any = deepcopy(healthy(at))
    document["routing"] |= {
        "mode": "pinned",
        "region": WEST,
        "active": WEST,
        "epoch": 3,
        "actor": "instructor",
        "reason": "maintenance in the east",
        "since": iso(at - 300),
    }
    why = phrase("pinned by {actor} ({reason})", actor="instructor", reason="maintenance in the east")
    document |= _summary(WEST, at - 300, why, 0.1)
    document["events"] = [
        _event("e4", at - 299.6, "switched", WEST, EAST, WEST, "instructor", "maintenance in the east"),
        _event("e3", at - 300, "routing-pinned", WEST, "auto", WEST, "instructor", "maintenance in the east"),
    ]
    return document  # type: ignore[no-any-return]  # literal JSON


def unknown(at: float) -> StatusDocument:
    """A monitor that has just started: no canary has come back."""
    document: Any = deepcopy(healthy(at))
    for region in document["regions"]:
        region |= {
            "state": "unknown",
            "checks": {},
            "requests_2m": 0,
            "error_rate_2m": 0.0,
            "p50_ms": None,
            "p99_ms": None,
            "age_ms": None,
        }
    for pair in document["replication"]:
        pair |= {"lag_ms": None, "state": "unknown", "age_ms": None}
    document |= _summary(EAST, at, phrase("it is the first choice and every circuit is closed"), None)
    return document  # type: ignore[no-any-return]  # literal JSON


def publish(run_dir: Path, document: StatusDocument, at: float) -> None:
    """Put a document where a monitor would, whole."""
    run_dir.mkdir(parents=True, exist_ok=True)
    circuits = {region["name"]: {"state": region["circuit"], "reason": ""} for region in document["regions"]}
    content = {"at": at, "view": {"decision": None, "circuits": circuits}, "status": document}
    draft = run_dir / "status.draft"
    draft.write_text(json.dumps(content))
    draft.replace(run_dir / "status.json")


def behind(document: StatusDocument, seconds: float) -> dict[str, Any]:
    """The document's summary with another replication lag."""
    summary = from_json(document["summary_said"])
    assert isinstance(summary, Phrase)
    lag = phrase("Replication is {seconds:.1f} s behind.", seconds=seconds)
    changed = phrase("{serving} {replication}", serving=summary.values["serving"], replication=lag)
    return {"summary": changed, "summary_said": to_json(changed)}


def _summary(region: str, since: float, why: Phrase, lag_s: float | None) -> dict[str, Any]:
    time = f"{datetime.fromtimestamp(since, UTC):%H:%M:%S} UTC"
    serving = phrase("Serving from {region} since {time}: {why}.", region=region, time=time, why=why)
    lag = (
        phrase("The replication lag is unknown.")
        if lag_s is None
        else phrase("Replication is {seconds:.1f} s behind.", seconds=lag_s)
    )
    summary = phrase("{serving} {replication}", serving=serving, replication=lag)
    return {"summary": summary, "summary_said": to_json(summary)}


def _healthy_region(name: str, priority: int, rtt: float, requests: int, p50: float, p99: float) -> dict[str, Any]:
    return {
        "name": name,
        "priority": priority,
        "state": "healthy",
        "circuit": "closed",
        "checks": {
            "dns": _check(True, 1.8),
            "connect": _check(True, rtt),
            "write": _check(True, rtt + 2.4),
            "read": _check(True, rtt + 1.1),
        },
        "requests_2m": requests,
        "error_rate_2m": 0.0,
        "p50_ms": p50,
        "p99_ms": p99,
        "age_ms": 320,
    }


def _rules(region: str) -> list[dict[str, Any]]:
    idle = " Nothing to come back from: the circuit is closed."
    return [
        _rule(
            "consecutive-failures",
            region,
            0,
            3,
            False,
            f"{region}: 0 live failures in a row in the worst worker; 3 open the circuit.",
        ),
        _rule(
            "canary-failures",
            region,
            0,
            3,
            False,
            f"{region}: 0 fresh-connection canaries failed in a row; 3 open the circuit.",
        ),
        _rule(
            "error-rate",
            region,
            0.0,
            0.05,
            False,
            f"{region}: 0.0% of 2412 requests failed within 120 s; more than 5% open the circuit.",
        ),
        _rule(
            "failback-canaries",
            region,
            7011,
            3,
            True,
            f"{region}: 7011 canaries passed in a row; failback needs 3.{idle}",
        ),
        _rule("failback-hold", region, None, 5.0, True, f"{region}: it has not been open yet."),
        _rule(
            "failback-lag",
            region,
            118,
            2000.0,
            True,
            f"{region}: replication into it is 0.1 s behind; failback needs at most 2.0 s.{idle}",
        ),
        _rule("disputed", region, None, None, False, f"{region}: live traffic does not contradict the canaries."),
    ]


def _event(id_: str, at: float, kind: str, region: str, from_: str, to: str, actor: str, reason: str) -> dict[str, str]:
    return {
        "id": id_,
        "at": iso(at),
        "kind": kind,
        "region": region,
        "from": from_,
        "to": to,
        "actor": actor,
        "reason": reason,
    }
