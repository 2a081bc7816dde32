"""The rules by which the lab copies items between regions: pure decisions, no I/O, no clock.

This emulates DynamoDB Global Tables (MREC) for teaching. What is the same: every region takes
writes, copies are asynchronous, the later write of a whole item wins everywhere, and a copy is not
copied on (no echo). Its limits:

- "Later" is decided by the item's own ``updated_at`` (a whole number, then by the region's name),
  not by a time that the service keeps. So the application has to keep ``updated_at`` monotone per
  item. For most items it is in microseconds.
- Deletions are not copied: the application deletes nothing, and each engine expires items by TTL on
  its own.
- An item without ``updated_at`` and ``updated_in`` stays in its region.
- After a restart both regions are compared by a scan, because a restarted engine has lost its
  stream. The service keeps 24 hours of it. A region that was killed has lost what was not yet
  copied: that tail is the RPO.
- Copies are written one by one: as in the service, there is no transaction across regions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Mapping[str, Any]]
"""An item in DynamoDB's wire form: attribute -> {type: value}."""
Key = tuple[str, ...]
"""An item's key values, hash key first, each with its type."""

CONDITION = "attribute_not_exists(updated_at) OR updated_at < :at OR (updated_at = :at AND updated_in < :region)"
"""Under this condition an engine writes a copy: "the later wins".

``later`` is the same rule in Python.
"""


@dataclass(frozen=True, order=True)
class Stamp:
    """When and where an item was written. Of two copies the one with the greater stamp wins."""

    at: int
    region: str

    def as_values(self) -> dict[str, dict[str, str]]:
        """The values that CONDITION names."""
        return {":at": {"N": str(self.at)}, ":region": {"S": self.region}}


def stamp_of(item: Item) -> Stamp | None:
    """The item's stamp, or None for an item that is not copied."""
    at, region = item.get("updated_at", {}).get("N"), item.get("updated_in", {}).get("S")
    return None if at is None or region is None else Stamp(int(at), str(region))


def key_of(item: Item, key_names: Sequence[str]) -> Key:
    """The item's key, comparable with every other key of its table."""
    return tuple(f"{kind}:{value}" for name in key_names for kind, value in item[name].items())


def later(incoming: Stamp, present: Stamp | None) -> bool:
    """Whether a copy may replace what the target holds."""
    return present is None or incoming > present


def to_copy(images: Iterable[Item], *, source: str, key_names: Sequence[str]) -> dict[Key, Item]:
    """The images of one region's stream to be copied: of its own writes, the latest per item.

    An item that another region wrote is a copy here; to send it on would be an echo.
    """
    latest: dict[Key, Item] = {}
    for image in images:
        stamp = stamp_of(image)
        if stamp is None or stamp.region != source:
            continue
        key = key_of(image, key_names)
        earlier = latest.get(key)
        if earlier is None or later(stamp, stamp_of(earlier)):
            latest[key] = image
    return latest


def missing(items: Iterable[Item], present: Mapping[Key, Stamp], key_names: Sequence[str]) -> Iterator[Item]:
    """The items of one region that another lacks or has older copies of, from any region.

    ``present`` has the other region's stamps. Unlike the stream, a scan also brings back a region's
    own writes: a region that lost its data gets them from its peer.
    """
    for item in items:
        stamp = stamp_of(item)
        if stamp is not None and later(stamp, present.get(key_of(item, key_names))):
            yield item
