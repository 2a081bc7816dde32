"""Merges the rows that several regions wrote about a survey into one row. Standard library only.

Every item's key ends in the region that wrote it, so no region overwrites what another one wrote,
and readers merge. Merging is commutative, associative and idempotent: in whatever order and however
often readers see the rows, they get the same survey.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from polls.surveys.retention import EXPIRES, KEPT_S, expiry_name, expiry_rank
from polls.surveys.version_vector import Name, Version, Versions, joined

JSON = Any  # what json.loads returns; the shapes are checked where they enter (definitions.py, answers.py)

# What an author writes and could lose. For these properties a row keeps what each writer had seen.
# Every other property is a switch that anybody sees and can set again, or is written once.
AUTHORED = frozenset({"title", "help", "questions", "allow_change", "access"})

FIRST_BORN = 1  # the round in which the first survey under a code begins


def born_from(value: JSON) -> int:
    """The round in which a survey began, from a row's value; that of a first survey for a value
    that is no round.
    """
    return value if type(value) is int and 1 <= value <= 10**9 else FIRST_BORN


def canonical(value: JSON) -> str:
    """One text for one JSON value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def mark(value: JSON) -> str:
    """8 hexadecimal characters that tell two values apart."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Field:
    """One property of a survey, and when it was last changed, in milliseconds since the epoch.

    `born` is the round in which its survey began: under the code of a deleted survey another one
    may begin.
    """

    value: JSON
    at: int
    born: int = 1

    @property
    def rank(self) -> tuple[int, int, str]:
        """The later survey wins, then the later change. Of two changes in the same millisecond the
        greater text wins, so that every reader agrees.
        """
        return self.born, self.at, canonical(self.value)

    @property
    def name(self) -> Name:
        """The name of this change: its time, and 8 hexadecimal characters that tell two of one
        millisecond apart.
        """
        return self.at, mark(self.value)


@dataclass(frozen=True)
class Row:
    """What one region wrote about a survey, or several such rows merged. `versions` are of AUTHORED
    properties.
    """

    round: int = 0
    fields: Mapping[str, Field] = field(default_factory=dict)
    versions: Mapping[str, Versions] = field(default_factory=dict)

    def value(self, name: str, default: JSON = None) -> JSON:
        """The latest value of a property."""
        return self.fields[name].value if name in self.fields else default

    @property
    def born(self) -> int:
        """The round in which the survey under this code began."""
        return born_from(self.value("born"))

    @property
    def changed_at(self) -> int:
        """When anything was last changed, in milliseconds since the epoch; 0 for an empty row."""
        return max((entry.at for entry in self.fields.values()), default=0)


def merge(rows: Iterable[Row]) -> Row:
    """One row: the highest `round`, for each round the earliest expiry, for every other field the
    latest change. Versions stay until somebody who saw them writes.
    """
    number = 0
    fields: dict[str, Field] = {}
    versions: Mapping[str, Versions] = {}
    for row in rows:
        number = max(number, row.round)
        versions = joined(versions, row.versions)
        for name, entry in row.fields.items():
            if name not in fields or _rank(name, fields[name]) < _rank(name, entry):
                fields[name] = entry
    return Row(number, fields, versions)


def _rank(name: str, entry: Field) -> tuple[Any, ...]:
    """Of a round's expiry the earliest one holds, of every other field the latest change."""
    return (*expiry_rank(entry.value), *entry.rank) if name.startswith(EXPIRES) else entry.rank


def change(merged: Row, values: Mapping[str, JSON], *, now_ms: int, new_round: bool = False) -> Row:
    """A row with only what changes. Its time is later than that of every change in `merged`,
    whatever this machine's clock says.

    A row that names a round also says when that round expires, since the region that began it may
    not answer a reader.
    """
    at = max(now_ms, merged.changed_at + 1)
    born = born_from(values["born"]) if "born" in values else merged.born
    seen = {name: merged.versions.get(name, Versions()) for name in values if name in AUTHORED}
    expiry = expiry_name(merged.round)
    fields = {expiry: merged.fields[expiry]} if expiry in merged.fields else {}
    fields |= {name: Field(value, at, born) for name, value in values.items()}
    return Row(merged.round + new_round, fields, seen)


def put_on(own: Row | None, changed: Row, *, region: str) -> Row:
    """The row of `region` with a change in it; `own` is that row as it stands. The expiry of a
    round is left out once the round had expired before the current one began.
    """
    changed_versions: dict[str, Versions] = {}
    for name, known in changed.versions.items():
        entry = changed.fields[name]
        if own is not None and name in own.fields and own.fields[name].rank > entry.rank:
            continue  # this region's own value is later: it stands, with what its writer had seen
        here = own.versions.get(name, Versions()) if own is not None else Versions()
        version = Version(entry.value, entry.born, frozenset({region}))
        changed_versions[name] = known.joined(here).with_new(entry.name, version)
    rows = [changed, own] if own is not None else [changed]
    merged = merge(replace(row, versions={}) for row in rows)
    kept = {name: entry for name, entry in merged.fields.items() if not _is_long_gone(name, entry, merged)}
    return Row(merged.round, kept, {**(own.versions if own is not None else {}), **changed_versions})


def _is_long_gone(name: str, entry: Field, merged: Row) -> bool:
    current = merged.value(expiry_name(merged.round))
    times = name.startswith(EXPIRES) and type(entry.value) is int and type(current) is int
    return times and entry.value <= current - KEPT_S


def overtaken(own: Row, changed: Row, since: Row) -> bool:
    """Whether a property of `changed` was changed in `own` after its writer read `since`, and not
    by `changed` itself.
    """
    for name, entry in changed.fields.items():
        if name not in own.fields or own.fields[name] == entry or name.startswith(EXPIRES):
            continue
        if name in own.versions:
            seen = since.versions.get(name, Versions()).seen
            if not all(seen.knows(*kept) for kept in own.versions[name].kept.items()):
                return True
        elif name not in since.fields or own.fields[name].rank > since.fields[name].rank:
            return True
    return False


def rivals(row: Row, name: str) -> dict[Name, Version]:
    """The versions of a property that differ from the one that stands, the latest first: their
    writers did not know of each other. A version that was written for an earlier survey under this
    code does not count.
    """
    if name not in row.versions:
        return {}
    stands = row.fields[name]
    return {
        called: version
        for called, version in sorted(row.versions[name].kept.items(), reverse=True)
        if version.born == stands.born and canonical(version.value) != canonical(stands.value)
    }
