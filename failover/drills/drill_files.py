"""Reads drills from `catalogue/NAME.toml`, and refuses in one line what cannot be played."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from math import isfinite
from pathlib import Path
from typing import Any

from failover.drills.drill import ORDINALS, Action, Do, Drill, DrillInvalid, Expectation
from failover.drills.entries import OURS, ROUTER
from failover.drills.plan import CannotVote, Curve, Load
from failover.drills.strategies.catalogue import STRATEGIES
from failover.lab.faults.kinds import KINDS

CATALOGUE = Path(__file__).resolve().parent / "catalogue"
MEASURES = frozenset(
    (
        *(
            "attempted",
            "acknowledged",
            "failed",
            "found",
            "late",
            "lost",
            "duplicated",
            "reverted",
            "stable",
            "refused",
        ),
        *("never-read", "ambiguous-applied", "ambiguous-absent", "worst", "extra_calls"),
        *("rto_ms", "detected_ms", "switched_ms", "failback_ms"),
    )
)
"""The figures of a report that a hypothesis may bound."""


def names() -> list[str]:
    """The drills of the catalogue."""
    return sorted(path.stem for path in CATALOGUE.glob("*.toml"))


def load(name: str) -> Drill:
    """A drill of the catalogue, or of a file when `name` ends in .toml. Raises DrillInvalid."""
    path = Path(name) if name.endswith(".toml") else CATALOGUE / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        raise DrillInvalid(f"there is no drill {name}: {', '.join(names())}, or a file that ends in .toml")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DrillInvalid(f"{path}: {error}") from error
    try:
        return _drill(path.stem, document)
    except (DrillInvalid, CannotVote) as error:
        raise DrillInvalid(f"{path}: {error}") from error


def _drill(name: str, document: dict[str, Any]) -> Drill:
    timeline = tuple(_action(number, row) for number, row in enumerate(_rows(document, "timeline"), 1))
    hypothesis = tuple(_expectation(number, row) for number, row in enumerate(_rows(document, "hypothesis"), 1))
    seconds = document.get("seconds")
    students = document.pop("students", {})
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise DrillInvalid("seconds: a number is missing")
    if not isinstance(students, dict):
        raise DrillInvalid("students: must be a table")
    strategies = checked_strategies(document.get("strategies", [ROUTER]))
    drill: Drill = _made(
        Drill,
        "the drill",
        document
        | {
            "name": name,
            "strategies": strategies,
            "load": _made(Load, "students", _with_curve(students) | {"seconds": float(seconds)}),
            "timeline": timeline,
            "hypothesis": hypothesis,
        },
    )
    if not timeline or any(action.at >= drill.seconds or action.at <= 0 for action in timeline):
        raise DrillInvalid(f"timeline: something must happen, after the first vote and before {drill.seconds:g} s")
    if all(action.prepares for action in timeline):
        raise DrillInvalid("timeline: something must happen that does not only prepare")
    if list(timeline) != sorted(timeline, key=lambda action: action.at):
        raise DrillInvalid("timeline: must be in order")
    if not hypothesis:
        raise DrillInvalid("hypothesis: a drill without an expectation shows nothing")
    return drill


def checked_strategies(strategies: Any) -> tuple[str, ...]:
    """Raises DrillInvalid for a name that no strategy has."""
    known = (*OURS, *STRATEGIES)
    if not isinstance(strategies, list | tuple) or not strategies:
        raise DrillInvalid("strategies: must be a list of names")
    for name in strategies:
        if name not in known:
            raise DrillInvalid(f"there is no strategy {name}: {', '.join(known)}")
    return tuple(dict.fromkeys(strategies))


def _rows(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = document.pop(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DrillInvalid(f"{name}: must be a list of tables")
    return rows


def _with_curve(students: dict[str, Any]) -> dict[str, Any]:
    curve = students.get("curve", Curve.STEADY)
    if curve not in list(Curve):
        raise DrillInvalid(f"students: curve: must be one of {', '.join(Curve)}")
    return students | {"curve": Curve(curve)}


def _action(number: int, row: dict[str, Any]) -> Action:
    where = f"timeline, row {number}"
    do = row.get("do")
    if do not in list(Do):
        raise DrillInvalid(f"{where}: do: must be one of {', '.join(Do)}")
    action: Action = _made(Action, where, row | {"do": Do(do)})
    if action.region and action.region not in ORDINALS:
        raise DrillInvalid(f"{where}: region: must be {' or '.join(ORDINALS)}")
    if action.do in (Do.FAULT, Do.KILL, Do.PIN) and not action.region:
        raise DrillInvalid(f"{where}: region: is missing")
    kinds = {kind.name: kind for kind in KINDS}
    if (action.do is Do.FAULT or action.kind) and action.kind not in kinds:
        raise DrillInvalid(f"{where}: kind: must be one of {', '.join(kinds)}")
    if action.ms is not None:
        allowed = kinds[action.kind].ms if action.do is Do.FAULT else None
        if allowed is None or not allowed.least <= action.ms <= allowed.most:
            which = f"{allowed.least} to {allowed.most}" if allowed else "left out"
            raise DrillInvalid(f"{where}: ms: must be {which} here, and not {action.ms}")
    return action


def _expectation(number: int, row: dict[str, Any]) -> Expectation:
    where = f"hypothesis, row {number}"
    expectation: Expectation = _made(Expectation, where, {"strategy": ROUTER} | row)
    checked_strategies([expectation.strategy])
    if expectation.measure not in MEASURES:
        raise DrillInvalid(f"{where}: measure: must be one of {', '.join(sorted(MEASURES))}")
    if not expectation.none and expectation.most is None and expectation.least is None:
        raise DrillInvalid(f"{where}: says neither most nor least nor none")
    return expectation


def _made(kind: Any, where: str, members: Mapping[str, Any]) -> Any:
    """An instance of a dataclass. Raises DrillInvalid for a member that is missing, unknown, or of
    another type.
    """
    known = {part.name: str(part.type) for part in fields(kind)}
    for name, value in members.items():
        if name not in known:
            raise DrillInvalid(f"{where}: {name}: is not known here; known are {', '.join(known)}")
        if not _fits(value, known[name]):
            raise DrillInvalid(f"{where}: {name}: must be {_words(known[name])}, and not {value!r}")
    try:
        return kind(**members)
    except TypeError as error:
        raise DrillInvalid(f"{where}: {str(error).partition(': ')[2] or error}") from error


def _fits(value: Any, type_: str) -> bool:
    """Whether a TOML value is of an annotated type; types that TOML does not have are right already."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    for part in type_.split(" | "):
        match part:
            case "str" if isinstance(value, str) and value.strip():
                return True
            case "bool" if isinstance(value, bool):
                return True
            case "float" if is_number:
                return True
            case "int" if is_number and isinstance(value, int):
                return True
            case "None" if value is None:
                return True
            case "str" | "bool" | "float" | "int" | "None":
                continue
            case _:
                return True
    return False


def _words(type_: str) -> str:
    words = {"str": "a text", "bool": "true or false", "float": "a number", "int": "a whole number"}
    return " or ".join(words.get(part, part) for part in type_.split(" | ") if part != "None")
