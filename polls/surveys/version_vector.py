"""Which versions of a property were written without knowledge of each other: exactly those, and no
others.

Every region keeps the last version that was written there, with what its writer had seen. A version
that somebody had seen before writing another one is gone; two that are left were written on two
sides of a split, and a person has to look at both. Joining is commutative, associative and
idempotent. Standard library only, as merge.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

JSON = Any
MOST_NAMES = 32  # changes of one property that a row names; see Seen
Name = tuple[int, str]  # of a change: when it was made (milliseconds since the epoch), and its value's mark


@dataclass(frozen=True)
class Version:
    """A value, for which survey under its code it was written (the round in which that began), and
    the regions whose last word it is: more than one, where a change whose first attempt ended in
    silence was repeated.
    """

    value: JSON
    born: int
    regions: frozenset[str]


@dataclass(frozen=True)
class Seen:
    """What a writer knew: all that a region wrote up to a time (a version vector), and the latest
    changes by name.

    By its name a change is known in whatever region it lies: of a repeated one the next writer may
    have met one copy. Of more than 32 names the oldest are forgotten; somebody may then be asked
    once too often, and nothing is lost.
    """

    upto: Mapping[str, int] = field(default_factory=dict)
    names: frozenset[Name] = frozenset()

    def knows(self, name: Name, version: Version) -> bool:
        """Whether this version was seen."""
        return name in self.names or any(name[0] <= self.upto.get(region, -1) for region in version.regions)

    def joined(self, other: "Seen") -> "Seen":
        """What two know together."""
        upto = dict(self.upto)
        for region, at in other.upto.items():
            upto[region] = max(at, upto.get(region, -1))
        return Seen(upto, frozenset(sorted(self.names | other.names)[-MOST_NAMES:]))


@dataclass(frozen=True)
class Versions:
    """The versions of one property that nobody who wrote later had seen, and what all of their
    writers had seen.
    """

    kept: Mapping[Name, Version] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)

    def joined(self, other: "Versions") -> "Versions":
        """What two readers know together: a version that one of them has and the other had seen go
        is gone.
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
        """What stands once a version is written by somebody who had seen all of these."""
        written = Seen(dict.fromkeys(version.regions, name[0]), frozenset({name}))
        return Versions({name: version}, self.seen.joined(written))


def joined(one: Mapping[str, Versions], other: Mapping[str, Versions]) -> dict[str, Versions]:
    """The versions of every property."""
    return {
        name: one[name].joined(other[name]) if name in one and name in other else one.get(name) or other[name]
        for name in {**one, **other}
    }
