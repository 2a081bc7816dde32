"""Rows of several regions -> one survey; ballots of several regions -> one vote a voter.

Every item's key ends in the region that wrote it, so nothing is ever overwritten by another region
and readers merge. Merging is commutative, associative and idempotent: in whatever order and however
often a reader sees the rows, it comes to the same survey. Standard library only.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from polls.surveys.retention import EXPIRES, KEPT_S, expiry_name, expiry_rank
from polls.surveys.version_vector import Name, Version, Versions, joined

JSON = Any  # what json.loads returns; the shapes are checked where they enter (definitions.py, answers.py)

# What an author writes and can lose: of these it is kept who had seen what. Everything else is a
# switch that anybody sees and can set again, or is written once.
AUTHORED = frozenset({"title", "help", "questions", "allow_change", "access"})

FIRST_BORN = 1  # the round in which the first survey under a code begins


def born_from(value: JSON) -> int:
    """The round in which a survey began, as a row says it; that of a first survey where it says
    something else.
    """
    return value if type(value) is int and 1 <= value <= 10**9 else FIRST_BORN


def canonical(value: JSON) -> str:
    """One text for one JSON value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Field:
    """One property of a survey and when it was last changed, in milliseconds since the epoch.
    `born` is the round in which the survey began that it was written for: under the code of a
    deleted survey another one may begin.
    """

    value: JSON
    at: int
    born: int = 1

    @property
    def rank(self) -> tuple[int, int, str]:
        """The later survey wins over the one before it, then the later change; two in the same
        millisecond are settled by their text, so that every reader agrees.
        """
        return self.born, self.at, canonical(self.value)

    @property
    def name(self) -> Name:
        """What this change is called: its time, and 8 hexadecimal characters that tell two of one
        millisecond apart.
        """
        return self.at, hashlib.sha256(canonical(self.value).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Row:
    """What one region wrote about a survey, or what several rows come to. `versions` are of what
    authors write.
    """

    round: int = 0
    fields: Mapping[str, Field] = field(default_factory=dict)
    versions: Mapping[str, Versions] = field(default_factory=dict)

    def value(self, name: str, default: JSON = None) -> JSON:
        """The latest value of a property."""
        return self.fields[name].value if name in self.fields else default

    @property
    def born(self) -> int:
        """The round in which the survey began that stands under its code now."""
        return born_from(self.value("born"))

    @property
    def changed_at(self) -> int:
        """When anything was last changed, in milliseconds since the epoch; 0 for an empty row."""
        return max((entry.at for entry in self.fields.values()), default=0)


def merge(rows: Iterable[Row]) -> Row:
    """`round` is the highest, a round's expiry the earliest, every other field its latest change;
    versions stay until somebody who saw them wrote.
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
    """A round's expiry is the earliest that any region said; of anything else the latest change
    holds.
    """
    return (*expiry_rank(entry.value), *entry.rank) if name.startswith(EXPIRES) else entry.rank


def change(merged: Row, values: Mapping[str, JSON], *, now_ms: int, new_round: bool = False) -> Row:
    """The row that says only what changes: never earlier than what it changes, whatever this
    machine's clock says.

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
    """The row of `region` with a change in it; `own` is that row as it stands. Rounds that had
    expired before the current one began are forgotten.
    """
    made: dict[str, Versions] = {}
    for name, known in changed.versions.items():
        entry = changed.fields[name]
        if own is not None and name in own.fields and own.fields[name].rank > entry.rank:
            continue  # what this region says already is later: it stands, and so does what its writer had seen
        here = own.versions.get(name, Versions()) if own is not None else Versions()
        version = Version(entry.value, entry.born, frozenset({region}))
        made[name] = known.joined(here).with_new(entry.name, version)
    rows = [changed, own] if own is not None else [changed]
    merged = merge(replace(row, versions={}) for row in rows)
    kept = {name: entry for name, entry in merged.fields.items() if not _is_long_gone(name, entry, merged)}
    return Row(merged.round, kept, {**(own.versions if own is not None else {}), **made})


def _is_long_gone(name: str, entry: Field, merged: Row) -> bool:
    current = merged.value(expiry_name(merged.round))
    times = name.startswith(EXPIRES) and type(entry.value) is int and type(current) is int
    return times and entry.value <= current - KEPT_S


def overtaken(own: Row, changed: Row, since: Row) -> bool:
    """Whether a property that is to be changed was changed without the knowledge of who read
    `since`, by anybody but this very change.
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
    """The versions of a property that say something else than the one that stands, the latest
    first: whoever wrote one did not know of the other. What was written for an earlier survey under
    this code is none.
    """
    if name not in row.versions:
        return {}
    stands = row.fields[name]
    return {
        called: version
        for called, version in sorted(row.versions[name].kept.items(), reverse=True)
        if version.born == stands.born and canonical(version.value) != canonical(stands.value)
    }
