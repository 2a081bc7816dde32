"""Finds exactly those versions of a property that were written without knowledge of each other.

Every region keeps the last version that was written there, with what its writer had seen. A version
disappears when somebody who had seen it writes another one. Two versions that remain were written
on two sides of a split, and a person has to look at both. Joining is commutative, associative and
idempotent. Standard library only, as merge.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MOST_NAMES = 32  # changes of one property that a row names; see Seen
Name = tuple[int, str]  # of a change: when it was made (milliseconds since the epoch), and its value's mark


@dataclass(frozen=True)
class Version:
    """A value, and the regions in which it is the last version. There are several regions where a
    change was repeated after a first attempt without an answer.

    `born` is the round in which the survey began that the value was written for.
    """

    value: Any
    born: int
    regions: frozenset[str]


@dataclass(frozen=True)
class Seen:
    """What a writer had seen: all that a region wrote up to a time (a version vector, in
    milliseconds), and the latest changes by name.

    A name identifies a change in every region: of a repeated change the next writer may have seen
    only one copy. Of more than 32 names the oldest are forgotten. A person may then be asked once
    too often, and nothing is lost.
    """

    upto: Mapping[str, int] = field(default_factory=dict)
    names: frozenset[Name] = frozenset()

    def knows(self, name: Name, version: Version) -> bool:
        """Whether this version was seen."""
        return name in self.names or any(name[0] <= self.upto.get(region, -1) for region in version.regions)

    def joined(self, other: "Seen") -> "Seen":
        """What two writers had seen together."""
        upto = dict(self.upto)
        for region, at in other.upto.items():
            upto[region] = max(at, upto.get(region, -1))
        return Seen(upto, frozenset(sorted(self.names | other.names)[-MOST_NAMES:]))


@dataclass(frozen=True)
class Versions:
    """The versions of one property that no later writer had seen, and what all of their writers had
    seen.
    """

    kept: Mapping[Name, Version] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)

    def joined(self, other: "Versions") -> "Versions":
        """Two readings of the versions, together. A version is gone if one reading lacks it and had
        seen it.
        """
        kept: dict[Name, Version] = {}
        for name in {**self.kept, **other.kept}:
            mine, theirs = self.kept.get(name), other.kept.get(name)
            if mine is not None and theirs is not None:
                kept[name] = replace(mine, regions=mine.regions | theirs.regions)
            elif mine is not None and not other.seen.knows(name, mine):
                kept[name] = mine
            elif theirs is not None and not self.seen.knows(name, theirs):
                kept[name] = theirs
        return Versions(kept, self.seen.joined(other.seen))

    def with_new(self, name: Name, version: Version) -> "Versions":
        """The versions after a writer who had seen all of these has written one more."""
        written = Seen(dict.fromkeys(version.regions, name[0]), frozenset({name}))
        return Versions({name: version}, self.seen.joined(written))


def joined(first: Mapping[str, Versions], second: Mapping[str, Versions]) -> dict[str, Versions]:
    """The versions of every property, from two readings."""
    return {
        name: first[name].joined(second[name]) if name in first and name in second else first.get(name) or second[name]
        for name in {**first, **second}
    }
