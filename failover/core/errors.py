"""The possible results of one attempt at a region, and the errors that a caller of the router sees.

The five classes answer one question about each AWS SDK exception: what does it say about a write? SDK exceptions are
translated into them once, at the edge (the adapters), with their cause kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce

from failover.core.phrases import phrase


class ErrorClass(StrEnum):
    """What a failed attempt says about the request, and so what may be done next."""

    NOT_SENT = "A"
    """Never left this machine (no address, no connection). The next region at once; counts against the region."""
    UNKNOWN = "B"
    """Sent, with an unknown result. The next region only for calls that may be repeated; counts."""
    REFUSED = "C"
    """Answered "not now" and not applied. One jittered retry, then the next region; never counts."""
    CALLER = "D"
    """The caller's own business (a refused condition, an item that is not valid). Never fails over, never counts."""
    DENIED = "E"
    """Refused because of what the region says of itself or of us (no permission, no such table, bad credentials), and
    not applied. The next region at once, whatever the call is; held against the region only when another one accepts
    the same call."""

    @property
    def counts(self) -> bool:
        """Whether it is held against the region."""
        return self in (ErrorClass.NOT_SENT, ErrorClass.UNKNOWN)


class Outcome(StrEnum):
    """The result of an attempt, in the words that receipts, headers and the API show."""

    OK = "ok"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server-error"
    THROTTLED = "throttled"
    DENIED = "denied"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that brought no value. `error` is the exception that a caller gets when it is their own business.

    `shortened`: it was cut short because others waited too, which says nothing about the region. `pooled`: its
    connection had been used before, which says little, since it may have died while nobody used it.
    """

    error_class: ErrorClass
    outcome: Outcome
    detail: str
    error: BaseException
    shortened: bool = False
    pooled: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is held against the region."""
        return self.error_class.counts and not self.shortened

    @property
    def in_words(self) -> str:
        """Its outcome, and its detail where there is one."""
        if not self.detail:
            return self.outcome.value
        return phrase("{outcome} ({detail})", outcome=self.outcome.value, detail=self.detail)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of a call's trace: the region, the outcome, and how long the attempt took (ms)."""

    region: str
    outcome: Outcome
    ms: float
    detail: str = ""
    error_class: ErrorClass | None = None

    def as_json(self) -> dict[str, str | float]:
        """The three fields that the public API shows."""
        return {"region": self.region, "outcome": self.outcome.value, "ms": round(self.ms, 1)}


class FailoverError(Exception):
    """The base of everything that this package raises on its own account."""


class NoRegionAnswered(FailoverError):
    """No region brought an answer: each was tried or passed over, or the deadline was up. `attempts` tells which."""

    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        self.attempts = attempts
        super().__init__(phrase("{headline}: {attempts}", headline=self._headline, attempts=_listed(attempts)))

    _headline = phrase("no region answered")


class RefusedEverywhere(NoRegionAnswered):
    """Every region refused the call because of what it says of itself or of us (class E).

    That is a mistake in the configuration, and no fault of any region. Nothing was applied. `detail` is what they said.
    """

    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        self.detail = refusals(
            {attempt.region: attempt.detail for attempt in attempts if attempt.error_class is ErrorClass.DENIED}
        )
        self._headline = phrase(
            "every region refused the call ({detail}), which is a mistake in the configuration", detail=self.detail
        )
        super().__init__(attempts)


class OutcomeUnknown(NoRegionAnswered):
    """A write that must not be repeated was sent, and may have been applied. It was not repeated."""

    _headline = phrase("the write's outcome is unknown and it may not be repeated")


class RoutingRefused(FailoverError):
    """A routing change that a safety rule forbids. `rule` is the sentence that says why."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


class RoutingSuperseded(FailoverError):
    """A routing change that came at the same moment as another one, which holds. The message names that one."""


def refusals(details: Mapping[str, str]) -> str:
    """What the regions said when they refused, by region; only once when all said the same."""
    distinct = tuple(dict.fromkeys(details.values()))
    if len(distinct) == 1:
        return distinct[0]
    each = [phrase("{region} {detail}", region=region, detail=detail) for region, detail in details.items()]
    return reduce(lambda some, more: phrase("{some}, {more}", some=some, more=more), each) if each else ""


def _listed(attempts: tuple[Attempt, ...]) -> str:
    return ", ".join(f"{one.region} {one.outcome.value} ({one.ms:.0f} ms)" for one in attempts) or phrase(
        "nothing was tried"
    )
