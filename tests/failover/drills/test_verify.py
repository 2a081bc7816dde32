"""The check that anybody can run: which wrong ledger or report would still pass?"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.drills import verify
from failover.drills.report import document
from tests.failover.drills.reports import drill_of
from tests.failover.drills.runs import World, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The directory of a run whose report is right."""
    return written(tmp_path / "run")


def written(directory: Path, votes: int = 4) -> Path:
    directory.mkdir()
    world = World()
    for number in range(votes):
        world.vote(f"student-{number}")
    write(directory / "ledger.jsonl", world.all_entries())
    document.write(drill_of("failed", most=0), directory, {})
    return directory


def test_a_right_report_agrees(run: Path) -> None:
    code, text = verify.main(run)
    assert code == 0, text
    digest = json.loads((run / "report.json").read_text())["digest"]
    assert digest in text
    assert verify.main(run, digest)[0] == 0


@given(st.data())
def test_any_flipped_byte_of_a_ledger_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    run = written(tmp_path_factory.mktemp("flipped") / "run", votes=2)
    ledger = run / "ledger.jsonl"
    content = bytearray(ledger.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    ledger.write_bytes(content)
    assert verify.main(run)[0] == 1


def test_the_altered_line_is_named(run: Path) -> None:
    lines = (run / "ledger.jsonl").read_text().splitlines(keepends=True)
    lines[4] = lines[4].replace("0", "1", 1)
    (run / "ledger.jsonl").write_text("".join(lines))
    assert "line 5 or 6 was altered" in verify.main(run)[1]


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(lambda lines: lines[:-1], id="a cut tail"),
        pytest.param(lambda lines: lines[:-3], id="a longer cut tail"),
        pytest.param(lambda lines: lines[:5] + lines[6:], id="a dropped line"),
        pytest.param(lambda lines: [*lines, lines[-1]], id="a doubled line"),
        pytest.param(lambda lines: [lines[1], lines[0], *lines[2:]], id="exchanged lines"),
        pytest.param(lambda lines: [], id="nothing left"),
    ],
)
def test_lines_that_are_not_where_they_were_are_found(run: Path, alter: Callable[[list[str]], list[str]]) -> None:
    ledger = run / "ledger.jsonl"
    ledger.write_text("".join(alter(ledger.read_text().splitlines(keepends=True))))
    assert verify.main(run)[0] == 1


def test_a_chain_that_was_computed_again_is_found_by_the_report_and_by_the_printed_digest(run: Path) -> None:
    """Somebody drops an awkward vote, makes the chain anew, and writes a report to go with it."""
    digest = json.loads((run / "report.json").read_text())["digest"]
    forged = run.parent / "forged"
    written(forged, votes=3)
    shutil.copy(forged / "ledger.jsonl", run / "ledger.jsonl")
    code, text = verify.main(run)
    assert (code, "report's digest" in text) == (1, True)
    assert verify.main(forged)[0] == 0
    assert verify.main(forged, digest)[0] == 1


def test_the_report_of_another_run_is_found(run: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other", votes=5)
    shutil.copy(other / "report.json", run / "report.json")
    assert verify.main(run)[0] == 1


@pytest.mark.parametrize(
    "member",
    [
        "votes",
        "classes",
        "latency_ms",
        "latency_void",
        "rto_ms",
        "rpo_votes",
        "detected_ms",
        "switched_ms",
        "failback_ms",
        "regions",
        "extra_calls",
        "clocks_ms",
    ],
)
def test_any_figure_that_was_made_better_is_found(run: Path, member: str) -> None:
    report = json.loads((run / "report.json").read_text())
    was = report[member]
    report[member] = {**was, next(iter(was)): 99} if isinstance(was, dict) else 99
    (run / "report.json").write_text(json.dumps(report))
    code, text = verify.main(run)
    assert (code, member in text) == (1, True)
    del report[member]
    (run / "report.json").write_text(json.dumps(report))
    assert verify.main(run)[0] == 1


def test_a_strategy_that_was_left_out_or_put_in_is_found(run: Path) -> None:
    """Somebody takes the run that looks bad out of a comparison."""
    report = json.loads((run / "report.json").read_text())
    two = {"digest": report["digest"], "runs": [report, report]}
    for forged in ({**two, "runs": []}, two, {**report, "strategy": "single-region"}):
        (run / "report.json").write_text(json.dumps(forged))
        assert verify.main(run)[0] == 1
    (run / "report.json").write_text(json.dumps({**two, "runs": [report]}))
    assert verify.main(run)[0] == 0


def test_a_measured_value_of_the_hypothesis_that_was_made_better_is_found(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    report["hypothesis"][0]["measured"] = 1
    (run / "report.json").write_text(json.dumps(report))
    assert verify.main(run)[0] == 1


@pytest.mark.parametrize("missing", ["ledger.jsonl", "report.json"])
def test_what_cannot_be_read_is_exit_code_2(run: Path, missing: str) -> None:
    (run / missing).unlink()
    assert verify.main(run)[0] == 2


def test_it_runs_alone_beside_a_report_without_anything_of_ours(run: Path) -> None:
    def check(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", str(run / "verify.py"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=60,
        )

    digest = json.loads((run / "report.json").read_text())["digest"]
    assert check(digest).returncode == 0
    assert check("0" * 64).returncode == 1
    (run / "report.json").write_text("not JSON")
    done = check()
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_it_is_short_enough_to_be_read() -> None:
    assert len(Path(verify.__file__).read_text().splitlines()) <= 150
