"""What a class predicts before a drill: a survey of our own, sealed when the first thing is broken.

The answers are compared with what was measured, each option with how many chose it, and never with
who did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover.drills import exports
from failover.drills.drill import Drill
from failover.drills.entries import ROUTER
from failover.drills.exports import ExportFailed
from failover.lab.demo.demo import DIRECT

SURVIVES = 0.1
"""A strategy survives when at most this share of its votes failed."""
RTO = (("no vote fails", 0.0), ("less than 5 seconds", 5_000.0), ("5 seconds to a minute", 60_000.0))
LONGER = "longer, or not within this run"
LOST = (("none", 0), ("1 to 10", 10))
MORE = "more than 10"


LONGEST_S = 3600.0


@dataclass(frozen=True)
class Prediction:
    """The survey of one drill, and where the application serves it."""

    code: str
    url: str

    @property
    def page(self) -> str:
        """Where a class answers."""
        return f"{self.url}/s/{self.code}/"

    def seal(self) -> None:
        """Take no more answers. Raises ExportFailed."""
        exports.output_of("survey", "close", self.code)

    def answers(self) -> dict[str, Any]:
        """The results as the application serves them. Raises ExportFailed."""
        try:
            with DIRECT.open(f"{self.url}/s/{self.code}/results.json", timeout=10) as reply:
                results: dict[str, Any] = json.load(reply)
        except (OSError, ValueError) as error:
            raise ExportFailed(f"the predictions in {self.code} cannot be read: {error}") from error
        return results


def definition(drill: Drill, strategies: Sequence[str]) -> dict[str, Any]:
    """The survey: how long, how many lost, and who survives."""
    how_long = "How long will our application take until every vote succeeds again?"
    how_many = "How many acknowledged votes will our application lose?"
    questions = [
        _single(how_long, *(text for text, _ in RTO), LONGER),
        _single(how_many, *(text for text, _ in LOST), MORE),
    ]
    if len(strategies) > 1:
        text = "Which of these will take nine of ten votes or more?"
        questions.append({"text": text, "kind": "multiple", "required": False, "options": list(strategies)})
    return {"title": f"Prediction: {drill.title}", "allow_change": True, "questions": questions}


def open_survey(drill: Drill, strategies: Sequence[str], *, url: str, scratch: Path) -> Prediction:
    """Makes the survey in the running application. Raises ExportFailed."""
    scratch.mkdir(parents=True, exist_ok=True)
    file = scratch / "prediction.json"
    file.write_text(json.dumps(definition(drill, strategies)))
    return Prediction(exports.output_of("survey", "import", str(file)).strip(), url)


def score(results: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each question what was measured, and how many chose each option. `right` has how many were
    right where one option could be chosen, and None where several could.
    """
    ours = next((run for run in runs if run["strategy"] == ROUTER), runs[0])
    right = [{_rto(ours["rto_ms"])}, {_lost(ours["votes"]["lost"])}]
    right.append({run["strategy"] for run in runs if run["votes"]["failed"] <= SURVIVES * run["votes"]["attempted"]})
    return [
        {
            "text": question["text"],
            "voters": results["voters"],
            "measured": ", ".join(sorted(true)) or "none of them",
            "right": _right(question, true),
            "options": [
                {"text": option["text"], "count": option["count"], "right": option["text"] in true}
                for option in question["options"]
            ],
        }
        for question, true in zip(results["questions"], right, strict=False)
    ]


def _right(question: Mapping[str, Any], true: set[str]) -> int | None:
    if question["kind"] != "single":
        return None
    return sum(int(option["count"]) for option in question["options"] if option["text"] in true)


def _rto(ms: float | None) -> str:
    if ms is not None:
        for text, most in RTO:
            if ms <= most:
                return text
    return LONGER


def _lost(votes: int) -> str:
    return next((text for text, most in LOST if votes <= most), MORE)


def _single(text: str, *options: str) -> dict[str, Any]:
    return {"text": text, "kind": "single", "required": False, "options": list(options)}
