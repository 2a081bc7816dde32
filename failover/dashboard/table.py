"""The status document as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from failover.core.status.types import CheckDocument, RegionDocument, StatusDocument
from failover.dashboard.figures import NOTHING, ago, duration, percent

LAYERS = ("dns", "connect", "write", "read")
HEADS = ("REGION", "STATE", "CIRCUIT", *map(str.upper, LAYERS), "REQ/2M", "ERRORS", "P50", "P99", "CANARY")


def table(status: StatusDocument) -> str:
    """The summary, the routing, one line per region, the replication, and the active alarms."""
    routing = status["routing"]
    pin = f" {routing['region']}" if routing["region"] else ""
    lines = [
        status["summary"],
        f"routing {routing['mode']}{pin}, active {routing['active']}: {routing['reason']} ({routing['actor']})",
        "",
        *_columns([HEADS, *(_line(region, routing["active"]) for region in status["regions"])]),
    ]
    lines += [
        f"  {region['name']} {layer}: {check['detail']}"
        for region in status["regions"]
        for layer, check in region["checks"].items()
        if check["detail"] and (check["ok"] is False or check.get("stale"))
    ]
    lines += [
        "",
        *(
            f"replication {pair['from']} -> {pair['to']}: {duration(pair['lag_ms'])} {pair['state']} "
            f"(seen {ago(pair['age_ms'])})"
            for pair in status["replication"]
        ),
        *(
            f"ALARM {alarm['name']} {alarm['region']}: {alarm['detail']}"
            for alarm in status["alarms"]
            if alarm["state"] == "alarm"
        ),
    ]
    return "\n".join(lines)


def _line(region: RegionDocument, active: str) -> tuple[str, ...]:
    return (
        f"{region['name']}{' *' if region['name'] == active else ''}",
        region["state"],
        region["circuit"],
        *(_check(region["checks"].get(layer)) for layer in LAYERS),
        str(region["requests_2m"]),
        percent(region["error_rate_2m"]) if region["requests_2m"] else NOTHING,
        duration(region["p50_ms"]),
        duration(region["p99_ms"]),
        ago(region["age_ms"]),
    )


def _check(check: CheckDocument | None) -> str:
    if check is None or check["ok"] is None:
        return NOTHING
    if not check["ok"]:
        return "FAILED"
    return "STALE" if check.get("stale") else duration(check["ms"])


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
