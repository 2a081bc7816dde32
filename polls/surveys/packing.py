"""A merged row as the JSON that its region stores, and back. Standard library only, as merge.py.

Reading never fails: a newer version of this program may have written the JSON, or it may be
damaged. What is not understood is left out of the row that readers merge, and stays in the JSON
when the row is written again.
"""

from collections.abc import Mapping

from polls.surveys.merge import FIRST_BORN, JSON, Field, Row, born_from
from polls.surveys.version_vector import Seen, Version, Versions

LATEST_MS = 253_402_300_799_000  # the end of the year 9999; a later time cannot be shown as a date
LARGEST_ROUND = 10**9  # more resets than any survey has, and short enough for every URL and export


def unpacked(number: JSON, fields: JSON, *, region: str) -> Row:
    """The row that `region` stored: its round, and {"v": value, "at": milliseconds since the epoch,
    "born": round in which its survey began, "seen" and "names": see Seen} by property.
    """
    understood = {name: entry for name, entry in _entries(fields).items() if is_understood(entry)}
    read: dict[str, Field] = {}
    versions: dict[str, Versions] = {}
    for name, entry in understood.items():
        field = read[name] = Field(entry["v"], entry["at"], born_from(entry.get("born")))
        if "seen" in entry:
            version = Version(field.value, field.born, frozenset({region}))
            mark = entry.get("mark")  # of the long value that this one stands for
            called = (field.at, mark) if isinstance(mark, str) else field.name
            versions[name] = Versions({called: version}, _seen(entry["seen"], entry.get("names")))
    return Row(_round(number), read, versions)


def packed(row: Row, over: JSON = None) -> dict[str, JSON]:
    """The JSON of a row. `over` is the JSON that it replaces: what was not understood there stays,
    beside the properties and within those that are the same.
    """
    before = _entries(over)
    written = {name: entry for name, entry in before.items() if not is_understood(entry)}
    for name, field in row.fields.items():
        entry = _packed(field, row.versions.get(name))
        old = before.get(name, {})
        if is_understood(old) and (old["v"], old["at"]) == (field.value, field.at):
            entry = {**old, **entry}
        written[name] = entry
    return written


def is_understood(entry: JSON) -> bool:
    """Whether this version can merge such a property: it has a value, and a valid time of change."""
    return isinstance(entry, dict) and "v" in entry and type(entry.get("at")) is int and 0 <= entry["at"] <= LATEST_MS


def _entries(fields: JSON) -> Mapping[str, JSON]:
    return fields if isinstance(fields, dict) else {}


def _packed(field: Field, versions: Versions | None) -> dict[str, JSON]:
    entry: dict[str, JSON] = {"v": field.value, "at": field.at}
    if field.born != FIRST_BORN:
        entry["born"] = field.born
    if versions is not None:
        entry["seen"] = dict(versions.seen.upto)
        entry["names"] = sorted(list(name) for name in versions.seen.names)
    return entry


def _seen(upto: JSON, names: JSON) -> Seen:
    """What a writer had seen. A damaged list means that it had seen nothing, so that no version is
    lost.
    """
    known = {region: at for region, at in upto.items() if type(at) is int} if isinstance(upto, dict) else {}
    listed = names if isinstance(names, list) else []
    return Seen(known, frozenset((name[0], name[1]) for name in listed if _is_name(name)))


def _is_name(name: JSON) -> bool:
    return isinstance(name, list) and len(name) == 2 and type(name[0]) is int and isinstance(name[1], str)


def _round(number: JSON) -> int:
    whole = isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= LARGEST_ROUND
    return int(number) if whole else 0
