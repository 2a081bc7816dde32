"""A person's decision about the routing: which decision holds, and the texts that it may carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from failover.core.phrases import phrase
from failover.core.text import harm, harmless, is_empty, tidy

Mode = Literal["auto", "pinned"]

CLOCKS_DIFFER_S = 10.0
"""Two hosts' clocks may differ by so much without an event being wrong. No decision is ever made by a clock."""

LONGEST_REASON = 200

LONGEST_ACTOR = 150
"""Characters; Django's account names are no longer."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision: follow the rules (`auto`), or a first choice (`pinned`). `at` is seconds since the epoch.

    It is sticky: only a later decision ends it. `forced` records that a safety rule was overridden.
    """

    mode: Mode
    region: str | None
    epoch: int
    id: str
    actor: str
    reason: str
    at: float
    forced: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "pinned"):
            raise ValueError(f"a routing mode is auto or pinned, not {self.mode!r}")
        if (self.mode == "pinned") != (self.region is not None):
            raise ValueError("a pin names its region, auto names none")

    @property
    def rank(self) -> tuple[int, float, str]:
        """The highest rank holds, for every reader: the higher epoch, then the later time, then the id."""
        return (self.epoch, self.at, self.id)


def checked_reason(text: str) -> str:
    """The reason of a decision, as it is kept. Raises ValueError, with a phrase, for one that cannot be kept."""
    reason = tidy(text)
    if is_empty(reason):
        raise ValueError(phrase("a reason is needed"))
    if len(reason) > LONGEST_REASON:
        raise ValueError(phrase("the reason is longer than {most} characters", most=LONGEST_REASON))
    if (character := harm(reason)) is not None:
        raise ValueError(phrase("the reason holds a character that cannot be shown: {character}", character=character))
    return reason


def actor_name(text: str) -> str:
    """The name of the person who decided, made fit to be shown. It is never refused: it may be the name of an account
    of the operating system, which people do not choose."""
    name = harmless(tidy(text), most=LONGEST_ACTOR)
    return "unknown" if is_empty(name) else name


def latest(decisions: Iterable[Decision]) -> tuple[Decision | None, tuple[Decision, ...]]:
    """The decision that holds, and the decisions that it supersedes although its maker did not know of them.

    Superseded are the others of the same epoch, and those of a lower epoch that were made later: both come only from
    two people who decided on two sides of a split. An earlier decision of a lower epoch was simply followed by another
    one. "Later" means by more than hosts' clocks may differ, since each decision bears the time of its own host.
    """
    distinct = {decision.id: decision for decision in decisions}
    if not distinct:
        return None, ()
    ranked = sorted(distinct.values(), key=lambda decision: decision.rank, reverse=True)
    winner, losers = ranked[0], ranked[1:]
    return winner, tuple(
        loser for loser in losers if loser.epoch == winner.epoch or loser.at - winner.at > CLOCKS_DIFFER_S
    )
