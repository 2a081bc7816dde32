"""report.json and report.html: what they say, that they need nothing else, and what nobody can put into them."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from failover.drills.entries import Act, Event, Run
from failover.drills.ledger import Ledger
from failover.drills.report import chart, document, page, table
from tests.failover.drills.reports import drill_of
from tests.failover.drills.runs import EAST, START, WEST, World, replaced, write

SCHEMA = json.loads((Path(document.__file__).parent / "schema.json").read_text())
LARGEST_PAGE = 300_000


def report_in(directory: Path, *worlds: World, **bounds: Any) -> dict[str, Any]:
    """Writes the evidence of these strategies' worlds."""
    first, *others = worlds
    entries = first.all_entries()
    strategies = {world.strategy: world.regions for world in worlds}
    for other in others:
        entries += [entry for entry in other.all_entries() if getattr(entry, "strategy", "") == other.strategy]
    write(directory / "ledger.jsonl", replaced(entries, Run, strategies=strategies))
    drill = drill_of("failed", **(bounds or {"most": 0}))
    report = document.write(drill, directory, {"python": "3.11", "rtt_ms": {EAST: 0.0, WEST: 70.0}})
    page.write(drill, directory, report)
    return report


def world(votes: int = 6, **members: Any) -> World:
    made = World(**members)
    for number in range(votes):
        made.vote(f"student-{number}", region=WEST if number == 4 else EAST, http=(503, 201) if number == 4 else (201,))
    return made


def test_the_report_of_one_strategy_follows_its_schema(tmp_path: Path) -> None:
    report = report_in(tmp_path, world())
    jsonschema.validate(report, SCHEMA)
    assert report["hypothesis"][0] == {
        "text": "it is so",
        "measure": "failed",
        "bound": "at most 0",
        "measured": 0,
        "held": True,
    }
    assert [event["event"] for event in report["timeline"]] == ["broken", "mended"]
    assert report["budget"] == {"allowed": 0.001, "used": 0.0}


def test_the_report_of_several_strategies_has_a_run_for_each(tmp_path: Path) -> None:
    report = report_in(tmp_path, world(), world(strategy="cold"))
    jsonschema.validate(report, SCHEMA)
    assert [run["strategy"] for run in report["runs"]] == ["router", "cold"]
    assert all("digest" not in run for run in report["runs"])
    lines = list(table.lines(report))
    assert sum(line.startswith(("router ", "cold ")) for line in lines) == 2


def test_what_did_not_hold_is_said(tmp_path: Path) -> None:
    report = report_in(tmp_path, world(), least=1)
    assert not document.has_held(report)
    assert any(line.startswith("NOT HELD") for line in table.lines(report))
    assert "The hypothesis did not hold" in (tmp_path / "report.html").read_text()


def test_void_latencies_are_shown_nowhere(tmp_path: Path) -> None:
    report = report_in(tmp_path, world(cpu=0.9))
    html = (tmp_path / "report.html").read_text()
    assert report["latency_void"]
    assert 'polyline class="p99"' not in html
    assert not re.search(r"\d ms</td>", html)
    assert any("void" in line for line in table.lines(report))


def test_a_clock_that_differs_is_said(tmp_path: Path) -> None:
    made = World()
    made.vote("student-1", skew_s=0.2)
    assert not report_in(tmp_path, made)["clocks_agree"]
    assert "clocks differ by" in (tmp_path / "report.html").read_text()


def test_the_page_needs_nothing_else_and_says_so(tmp_path: Path) -> None:
    report = report_in(tmp_path, world(), world(strategy="cold"))
    html = (tmp_path / "report.html").read_text()
    assert len(html.encode()) < LARGEST_PAGE
    assert not re.findall(r"<script|<link|<img|@import|url\((?!#)|\son\w+=|style=", html)
    assert not re.findall(r"https?://(?!www\.w3\.org)", html)
    assert f'content="{page.policy()}"' in html
    assert f"verify.py {report['digest']}" in html


def test_a_name_from_outside_is_text_in_the_page(tmp_path: Path) -> None:
    made = world()
    hostile = "</title><script>alert(1)</script>"
    made.events = [Event("failover", WEST, hostile, START + 4)]
    write(tmp_path / "ledger.jsonl", replaced(made.all_entries(), Act, text=hostile))
    drill = replace(drill_of("failed", most=0), title=hostile, claim=hostile, limits=hostile)
    page.write(drill, tmp_path, document.write(drill, tmp_path, {hostile: hostile}))
    assert "<script" not in (tmp_path / "report.html").read_text()


def test_the_picture_shows_each_vote_once(tmp_path: Path) -> None:
    made = world(votes=8)
    made.vote("student-8", http=(0, 0))
    write(tmp_path / "ledger.jsonl", made.all_entries())
    picture = chart.chart(Ledger.read(tmp_path / "ledger.jsonl"), ["router"])
    (lane,) = picture.lanes
    heights = {
        kind: sum(box.height for box in lane.boxes if box.kind == kind) for kind in ("region1", "region2", "failed")
    }
    assert heights == {"region1": 7 * chart.LANE, "region2": chart.LANE, "failed": chart.LANE}
    assert all(box.x >= chart.LEFT and box.x + box.width <= chart.WIDTH for box in lane.boxes)
    assert [mark.text for mark in picture.marks] == ["broken", "mended"]


@pytest.mark.parametrize("votes", [0, 1])
def test_a_run_of_hardly_any_votes_has_a_report(tmp_path: Path, votes: int) -> None:
    jsonschema.validate(report_in(tmp_path, world(votes=votes)), SCHEMA)
