"""What a class predicts: a survey of ours, and a score that names nobody."""

import json
from typing import Any

import pytest

from failover.drills import predict
from polls.surveys import reader
from tests.failover.drills.reports import drill_of


def run(strategy: str = "router", **figures: Any) -> dict[str, Any]:
    votes = {"attempted": 100, "failed": figures.pop("failed", 0), "lost": figures.pop("lost", 0)}
    return {"strategy": strategy, "votes": votes, "rto_ms": figures.pop("rto_ms", 0.0)}


def results(definition: dict[str, Any], *chosen: int) -> dict[str, Any]:
    """As `results.json` has them: the option with this number of each question was chosen by three."""
    return {
        "voters": 4,
        "questions": [
            {
                "text": question["text"],
                "kind": question["kind"],
                "options": [
                    {"text": text, "count": 3 if place == number else 1}
                    for place, text in enumerate(question["options"])
                ],
            }
            for question, number in zip(definition["questions"], chosen, strict=True)
        ],
    }


def test_the_survey_is_one_that_our_application_takes() -> None:
    definition = predict.definition(drill_of("failed", most=0), ["single-region", "router"])
    parsed = reader.parse(json.loads(json.dumps(definition)))
    assert [question.kind.value for question in parsed.questions] == ["single", "single", "multiple"]
    assert len(predict.definition(drill_of("failed", most=0), ["router"])["questions"]) == 2


@pytest.mark.parametrize(("rto_ms", "option"), [(0.0, 0), (1.0, 1), (5000.0, 1), (5001.0, 2), (60_001.0, 3), (None, 3)])
def test_the_time_is_right_within_its_option(rto_ms: float | None, option: int) -> None:
    definition = predict.definition(drill_of("failed", most=0), ["router"])
    for chosen in range(4):
        rows = predict.score(results(definition, chosen, 0), [run(rto_ms=rto_ms)])
        assert rows[0]["right"] == (3 if chosen == option else 1)
        assert [row["right"] for row in rows[0]["options"]] == [place == option for place in range(4)]


@pytest.mark.parametrize(("lost", "option"), [(0, 0), (1, 1), (10, 1), (11, 2)])
def test_the_number_is_right_within_its_option(lost: int, option: int) -> None:
    definition = predict.definition(drill_of("failed", most=0), ["router"])
    rows = predict.score(results(definition, 0, option), [run(lost=lost)])
    assert rows[1]["right"] == 3


def test_who_survives_is_measured_and_nobody_is_named() -> None:
    strategies = ["single-region", "router"]
    definition = predict.definition(drill_of("failed", most=0), strategies)
    rows = predict.score(results(definition, 0, 0, 1), [run("single-region", failed=60), run(failed=10)])
    assert rows[2]["measured"] == "router"
    assert rows[2]["right"] is None
    assert {row["text"]: row["right"] for row in rows[2]["options"]} == {"single-region": False, "router": True}
    assert {name for row in rows for name in row} == {"text", "voters", "measured", "right", "options"}
