"""The `survey-control` table: heartbeats, the routing decision, the event log. No third service is
needed to flip.

Every row's key ends in the region that wrote it, so no row is ever written by two regions, and
readers merge. Each function here works in the bound region; the caller calls it for every region.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.exceptions import AttributeDeserializationError

from failover.adapters.binding import bound_region
from failover.adapters.models import RegionalModel
from failover.core.decisions import Decision
from failover.core.events import Event, EventKind
from failover.core.exchange.reports import decision_from_json, decision_to_json
from failover.core.phrases import Phrase, from_json, to_json
from failover.core.text import harmless_json

T = TypeVar("T")
log = logging.getLogger(__name__)
HEARTBEAT, ROUTING, EVENT = "heartbeat", "routing", "event"
BEAT_TTL_S = 86_400
EVENT_TTL_S = 30 * 86_400
END_OF_TIME_S = 100_000_000_000
"""In the year 5138: a later time, or one just before, is not a date in every time zone."""


class ControlRow(RegionalModel):
    """One row: its `kind`, its name `item` (which ends in `#region`), and its content as JSON text."""

    class Meta:
        table_name = "survey-control"

    kind = UnicodeAttribute(hash_key=True)
    item = UnicodeAttribute(range_key=True)
    document = UnicodeAttribute()
    rank = UnicodeAttribute(null=True)
    sequence = NumberAttribute(null=True)
    expires_at = TTLAttribute(null=True)


@dataclass(frozen=True)
class Beat:
    """A heartbeat as a replica holds it: written by `host` in the region `origin`, with the number
    `seq`, at `at` (seconds since the epoch, by the writer's clock).
    """

    host: str
    origin: str
    seq: int
    at: float
    counters: dict[str, dict[str, int]]


def write_beat(host: str, seq: int, at: float, counters: dict[str, Any]) -> None:
    """Writes this host's heartbeat, which is the write canary and carries the host's counters. Its
    number never goes back, so it orders the copies of the row too.
    """
    document = json.dumps({"at": at, "counters": counters}, separators=(",", ":"))
    ControlRow(HEARTBEAT, _key(host), document=document, sequence=seq, expires_at=_expiry(at, BEAT_TTL_S)).put(
        updated_at=seq
    )


def read_back(host: str) -> int:
    """The read canary: the number of this host's beat in the bound region, strongly consistent; 0
    when there is none.
    """
    for row in ControlRow.query(HEARTBEAT, ControlRow.item == _key(host), consistent_read=True):
        return int(row.sequence or 0)
    return 0


def read_beats() -> list[Beat]:
    """Every host's and region's latest heartbeat, as the bound region's replica holds them."""

    def as_beat(row: ControlRow) -> Beat:
        host, _, origin = row.item.rpartition("#")
        content = _content(row)
        counters = {
            region: {name: int(count) for name, count in counts.items()}
            for region, counts in content["counters"].items()
        }
        return Beat(host, origin, int(row.sequence or 0), float(content["at"]), counters)

    return list(_readable(ControlRow.query(HEARTBEAT), as_beat))


def write_decision(decision: Decision) -> Decision | None:
    """Writes the routing decision to the bound region's row, unless the row holds a higher-ranking
    one. Returns the decision that was there: the replaced one, or the one that stays.
    """
    rank = f"{decision.epoch:012d}|{decision.at:017.6f}|{decision.id}"
    row = ControlRow(ROUTING, _key("decision"), document=json.dumps(decision_to_json(decision)), rank=rank)
    # The rank orders decisions, so it orders copies too: a clock that is behind must not hide a
    # newer epoch.
    result = row.put(ControlRow.rank.does_not_exist() | (ControlRow.rank <= rank), updated_at=_order(decision))
    met = result.old if result.written else ControlRow.get(ROUTING, _key("decision"), consistent_read=True)
    return next(_readable([] if met is None else [met], _decision), None)


def read_decisions(*, strong: bool = False) -> list[Decision]:
    """Every region's decision, as the bound region's replica holds them. With `strong` the bound
    region's own row is read strongly consistently.
    """
    return list(_readable(ControlRow.query(ROUTING, consistent_read=strong), _decision))


def write_event(event: Event) -> None:
    """Appends an event to the log. Events are never changed: writing one again does nothing."""
    item = _key(f"{int(event.at * 1000):014d}-{event.id}")
    content = asdict(event)
    if isinstance(event.reason, Phrase):
        content["said"] = to_json(event.reason)  # the reason itself is stored in English
    row = ControlRow(EVENT, item, document=json.dumps(content), expires_at=_expiry(event.at, EVENT_TTL_S))
    row.put(ControlRow.item.does_not_exist())


def read_events(limit: int) -> list[Event]:
    """The latest `limit` events, newest first, as the bound region's replica holds them. An event
    that was written in two regions is returned once.
    """

    def as_event(row: ControlRow) -> Event:
        content = _content(row)
        reason = from_json(content.pop("said", content["reason"]))
        event = Event(**{**content, "at": _time(content["at"]), "kind": EventKind(content["kind"]), "reason": reason})
        _must_be_texts(event.id, event.from_, event.to, event.actor, event.region)
        return event

    latest: dict[str, Event] = {}
    for event in _readable(ControlRow.query(EVENT, scan_index_forward=False, page_size=2 * limit), as_event):
        if len(latest) == limit and event.id not in latest:
            break
        latest[event.id] = event
    return sorted(latest.values(), key=lambda event: (event.at, event.id), reverse=True)


def _content(row: ControlRow) -> Any:
    """A row's content, with its texts made safe to show, whatever wrote it."""
    return harmless_json(json.loads(row.document))


def _decision(row: ControlRow) -> Decision:
    decision = decision_from_json(_content(row))
    _time(decision.at)
    _must_be_texts(decision.region or "")
    return decision


def _time(at: float) -> float:
    if not 0 <= at < END_OF_TIME_S:
        raise ValueError(f"not a time: {at!r}")
    return at


def _must_be_texts(*values: object) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"not a text: {value!r}")


def _readable(rows: Iterable[ControlRow], read: Callable[[ControlRow], T]) -> Iterator[T]:
    """Reads `rows` and skips unreadable ones. A row of another version of this program must not
    hide the others: the routing decision among them has to reach the workers.
    """
    for row in _rows(iter(rows)):
        try:
            value = read(row)
        except Exception as error:
            details = {"event": "row-unreadable", "kind": row.kind, "item": row.item, "error": error}
            log.warning("the control row %(kind)s %(item)s cannot be read: %(error)r", details)
        else:
            yield value


def _rows(rows: Iterator[ControlRow]) -> Iterator[ControlRow]:
    """The rows, without those that have an attribute of another type."""
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except AttributeDeserializationError as error:
            log.warning("a control row cannot be read: %(error)r", {"event": "row-unreadable", "error": error})


def _key(name: str) -> str:
    return f"{name}#{bound_region()}"


def _expiry(at: float, seconds: int) -> datetime:
    return datetime.fromtimestamp(at + seconds, UTC)


def _order(decision: Decision) -> int:
    """One number that grows with (epoch, at): at most 26 digits of DynamoDB's 38."""
    return decision.epoch * 10**17 + int(decision.at * 1_000_000)
