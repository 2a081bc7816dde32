"""What the checker compares and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SHOWN = 5
"""Problems of one kind that a summary spells out; the rest are counted."""


@dataclass(frozen=True)
class Ballot:
    """A ballot as exported. `written_in` is the region of its key in a raw export, and empty in a
    merged one.
    """

    voter: str
    vote_id: str
    answers: Mapping[str, Any]
    written_in: str = ""


@dataclass(frozen=True)
class Store:
    """One round, as the application exports it: `merged` has one ballot per voter, `raw` the rows
    of each region.
    """

    round: int
    merged: tuple[Ballot, ...]
    raw: Mapping[str, tuple[Ballot, ...]] = field(default_factory=dict)


class Wrong(StrEnum):
    """What can be wrong with a store."""

    ABSENT = "absent"
    """Acknowledged, and the voter has no ballot at all."""
    REVERTED = "reverted"
    """The voter's ballot is older than one that was acknowledged after it."""
    DUPLICATED = "duplicated"
    FROM_NOWHERE = "from nowhere"
    """Nobody sent it."""
    HALF_WRITTEN = "half written"
    """Its answers are not those that were sent under its name."""
    UNEQUAL = "replicas unequal"
    MERGED_WRONG = "merged wrongly"
    """The merged ballots are not what a region's own rows come to."""
    UNCHECKED = "unchecked"
    """Acknowledged in a round that the export does not hold, so nothing is known about it."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    wrong: Wrong
    voter: str
    vote_id: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """What the checker found. Each vote_id counts once. `worst_ms` is None when nothing was
    acknowledged.
    """

    attempted: int
    acknowledged: int
    refused: int
    failed: int
    found: int
    recorded_unacknowledged: int
    regions: Mapping[str, int]
    worst_ms: float | None
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems

    def count(self, *kinds: Wrong) -> int:
        """How many problems of these kinds."""
        return sum(problem.wrong in kinds for problem in self.problems)

    @property
    def lost(self) -> int:
        """Acknowledged votes that are missing, without a later vote of the same voter. Also
        `rpo_votes`.
        """
        return self.count(Wrong.ABSENT, Wrong.REVERTED)

    def summary(self) -> str:
        """For people: one line, and a further line with examples for each kind of problem."""
        served = ", ".join(f"{region} {count}" for region, count in self.regions.items()) or "no region"
        lines = [
            f"{self.attempted} votes: {self.acknowledged} acknowledged ({served}), {self.refused} refused, "
            f"{self.failed} failed; {self.found} found, {self.lost} lost, "
            f"{self.count(Wrong.DUPLICATED)} duplicated; {self.recorded_unacknowledged} recorded without the "
            f"voter knowing; worst {self.worst_ms or 0:.0f} ms"
        ]
        for kind in Wrong:
            texts = [problem.text for problem in self.problems if problem.wrong is kind]
            if texts:
                more = f"; and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
                lines.append(f"{len(texts)} {kind}: {'; '.join(texts[:SHOWN])}{more}")
        return "\n".join(lines)
