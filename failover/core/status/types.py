"""The status that people see, as it travels as JSON: on the dashboard, in `regions --json` and in a drill's report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from failover.core.phrases import PhraseDocument

Said = str | PhraseDocument


class CheckDocument(TypedDict):
    """One layer of the latest canary. `stale`: it works by an answer that has expired, as `detail` says.

    Here and below, `said` tells how the English text beside it was made (see `phrases`), so that a page can say it in
    another language; a plain text where nobody knows.
    """

    ok: bool | None
    ms: float | None
    detail: str
    stale: bool
    said: NotRequired[Said]


class RoutingDocument(TypedDict):
    """Who decides, and where traffic goes. `since` is when `active` became active.

    `region` is the pinned one, None in auto; while it fails, another one is active.
    """

    mode: str
    region: str | None
    active: str
    epoch: int
    actor: str
    reason: str
    since: str


class RegionDocument(TypedDict):
    """One region: health, circuit, and the last two minutes of live traffic. `age_ms` is its latest canary's age.

    `error_rate_2m` is the share that brought no answer by the region's doing. It counts refusals too, so it can be
    above the rate that the alarm and the circuit go by: a reader wants to know what users meet.
    """

    name: str
    priority: int
    state: str
    circuit: str
    checks: dict[str, CheckDocument]
    requests_2m: int
    error_rate_2m: float
    p50_ms: float | None
    p99_ms: float | None
    age_ms: int | None


ReplicationDocument = TypedDict(
    "ReplicationDocument", {"from": str, "to": str, "lag_ms": int | None, "state": str, "age_ms": int | None}
)
"""The lag from one region to another. `age_ms` is how long ago a beat was last seen to arrive."""


class AlarmDocument(TypedDict):
    """One alarm, also when it is quiet. `state` is ok or alarm; `region` is empty for what is no region's fault."""

    name: str
    region: str
    state: str
    detail: str
    said: NotRequired[Said]


class ExplainDocument(TypedDict):
    """One rule for one region: what it compares, and a sentence."""

    rule: str
    region: str
    value: float | None
    threshold: float | None
    met: bool
    text: str
    said: NotRequired[Said]


EventDocument = TypedDict(
    "EventDocument",
    {
        "id": str,
        "at": str,
        "kind": str,
        "region": str,
        "from": str,
        "to": str,
        "actor": str,
        "reason": str,
        "said": NotRequired[str | PhraseDocument],
    },
)
"""An event as people see it; `at` is ISO 8601, UTC."""


class StatusDocument(TypedDict):
    """Everything that the dashboard, `regions --json` and the drills read."""

    generated_at: str
    routing: RoutingDocument
    summary: str
    summary_said: NotRequired[Said]
    regions: list[RegionDocument]
    replication: list[ReplicationDocument]
    alarms: list[AlarmDocument]
    explain: list[ExplainDocument]
    events: list[EventDocument]


def iso(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
