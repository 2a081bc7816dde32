"""Plans a class before it begins: who votes when, and why. Pure.

Arrivals do not wait for replies (an open loop): an application that gets slow does not get fewer
votes. Every strategy of a drill is given the same plan, so they differ in nothing but themselves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log

FASTEST = 200.0
"""Votes per second. Above it one laptop's web tier is full, and a ledger would measure the client."""
LONGEST_S = 3600.0
MOST_STUDENTS = 2_000
AT_ONCE_S = 0.03
"""Between the two requests of a double tap, and between two tabs."""


class CannotVote(Exception):
    """The class cannot begin; one line that a person can act on."""


class Intent(StrEnum):
    """Why a vote is sent."""

    FIRST = "first"
    CHANGE = "change"
    REPEAT = "repeat"
    """The student's last vote once more, on purpose: the same vote_id, the same answers."""
    DOUBLE = "double"
    """A double tap: the vote that was sent a moment ago, once more, before its reply."""
    TAB = "tab"
    """From a second tab, a moment after the first: another vote of the same student."""


class Curve(StrEnum):
    """How the arrivals are spread over the time."""

    STEADY = "steady"
    CLASS = "class"
    """Most open the survey when they are told to, and the rest comes later."""


@dataclass(frozen=True)
class Load:
    """`rate` votes per second for `seconds`, by so many `students`; None: a new one for each vote that
    is neither of the others.

    `changes`, `repeats`, `doubles` and `tabs` are shares (0 to 1) of all votes. A student thinks for
    `think_s` at least before they change or repeat a vote. A vote is sent `tries` times at most, and
    no longer than `patience_s` after it was due.
    """

    rate: float = 20.0
    seconds: float = 20.0
    students: int | None = None
    changes: float = 0.1
    repeats: float = 0.05
    doubles: float = 0.02
    tabs: float = 0.02
    curve: Curve = Curve.STEADY
    think_s: float = 1.0
    tries: int = 8
    patience_s: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= FASTEST:
            raise CannotVote(f"a rate is above 0 and at most {FASTEST:g} votes a second, not {self.rate:g}")
        if not 0 < self.seconds <= LONGEST_S:
            raise CannotVote(f"a class votes for more than 0 and at most {LONGEST_S:g} s, not {self.seconds:g}")
        if min(self.shares) < 0 or sum(self.shares) > 1:
            raise CannotVote("changes, repeats, doubles and tabs are shares of all votes, together at most 1")
        if self.students is not None and not 0 < self.students <= MOST_STUDENTS:
            raise CannotVote(f"a class has 1 to {MOST_STUDENTS} students, not {self.students}")
        if self.students is not None and self.students > self.votes:
            raise CannotVote(f"{self.students} students cannot all vote: {self.votes} votes are sent in all")
        if self.think_s < 0 or self.tries < 1 or self.patience_s <= 0:
            raise CannotVote("students think for 0 s or more, and send a vote at least once")

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """The shares of the votes that are not a student's first."""
        return self.changes, self.repeats, self.doubles, self.tabs

    @property
    def votes(self) -> int:
        """How many votes are sent, without the repeats of failed ones."""
        return max(1, round(self.rate * self.seconds))


@dataclass(frozen=True)
class Turn:
    """One vote that is due `due_s` seconds after the class began. Students are numbered from 0."""

    due_s: float
    student: int
    intent: Intent


def plan(load: Load, chance: random.Random, *, may_change: bool = True) -> list[Turn]:
    """Every vote of the load, in the order in which they are due.

    Where votes may not be changed, what would be a change is a repeat. All `students` vote.
    """
    moments = _moments(load, chance)
    turns: list[Turn] = []
    last_s: list[float] = []
    """When each student's last vote was due."""
    for index, due_s in enumerate(moments):
        drawn = _drawn(load, chance)
        is_full = load.students is not None and len(last_s) >= load.students
        everyone_else = load.students is not None and load.students - len(last_s) >= len(moments) - index
        if drawn is Intent.FIRST and is_full:
            drawn = Intent.CHANGE
        if everyone_else or not last_s:
            drawn = Intent.FIRST
        if not may_change:
            drawn = {Intent.CHANGE: Intent.REPEAT, Intent.TAB: Intent.DOUBLE}.get(drawn, drawn)
        student = len(last_s)
        if drawn in (Intent.DOUBLE, Intent.TAB):
            student, due_s = turns[-1].student, turns[-1].due_s + AT_ONCE_S
        elif drawn is not Intent.FIRST:
            chosen = _rested(last_s, due_s - load.think_s, chance)
            if chosen is not None:
                student = chosen
            elif is_full:
                student = min(range(len(last_s)), key=last_s.__getitem__)
            else:
                drawn = Intent.FIRST
        last_s[student : student + 1] = [due_s]
        turns.append(Turn(due_s, student, drawn))
    return sorted(turns, key=lambda turn: turn.due_s)


def _moments(load: Load, chance: random.Random) -> list[float]:
    """When the votes are due, in s: each somewhere in a slot of its own, so the rate holds."""
    slots = [(index + chance.random()) / load.votes for index in range(load.votes)]
    if load.curve is Curve.CLASS:
        # The inverse of 1 - exp(-3 t): half of the class has voted after a quarter of the time.
        whole = 1 - exp(-3)
        slots = [-log(1 - slot * whole) / 3 for slot in slots]
    return [slot * load.seconds for slot in slots]


def _drawn(load: Load, chance: random.Random) -> Intent:
    drawn = chance.random()
    for share, intent in zip(load.shares, (Intent.CHANGE, Intent.REPEAT, Intent.DOUBLE, Intent.TAB), strict=True):
        if drawn < share:
            return intent
        drawn -= share
    return Intent.FIRST


def _rested(last_s: list[float], since_s: float, chance: random.Random) -> int | None:
    """A student whose last vote was due by `since_s`; None where a few draws meet nobody."""
    for _ in range(8):
        student = chance.randrange(len(last_s))
        if last_s[student] <= since_s:
            return student
    return None
