"""`manage.py students` without a demo: what it prints, where it writes, how it ends."""

from collections import Counter
from pathlib import Path

import pytest

from failover.drills.ledger import Ledger
from failover.drills.students import Progress
from tests.failover.drills.server import application
from tests.processes import manage


def test_it_says_what_became_of_the_votes_in_one_line(tmp_path: Path) -> None:
    with application([(503, {"Retry-After": "0"}, {})]) as app:
        done = manage("students", "DEMO20", "--rate", "50", "--for", "0.1", "--url", app.url, lab_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "worst" in line
    assert "served by us-east-1" in line
    (path,) = (tmp_path / "students").iterdir()
    assert str(path) in line
    ledger = Ledger.read(path)
    assert len(ledger.receipts) == len(app.received) - 1
    acknowledged = {receipt.vote_id for receipt in ledger.receipts}  # a student may repeat a vote on purpose
    assert acknowledged == set(ledger.votes) != set()
    assert f"{len(acknowledged)} acknowledged, 0 refused, 0 failed, 1 times sent again" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no demo is running"),
        (("--url", "http://10.0.0.1/"), "this machine only"),
        (("--url", "http://127.0.0.1:9"), "does not answer"),
        (("--url", "http://127.0.0.1:9", "--rate", "100000"), "votes a second"),
    ],
    ids=["no demo", "another machine", "nobody listens", "too fast"],
)
def test_what_cannot_run_is_one_line_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = manage("students", "DEMO20", *arguments, lab_dir=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "students").glob("*"))


def test_a_ledger_that_exists_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text("mine\n")
    with application() as app:
        done = manage("students", "DEMO20", "--url", app.url, "--ledger", str(path), lab_dir=tmp_path)
    assert done.returncode == 2
    assert "never continued" in done.stderr
    assert path.read_text() == "mine\n"
    assert not app.received


def test_what_has_become_of_the_votes_is_one_line(tmp_path: Path) -> None:
    progress = Progress(sent=7, refused=1, failed=1, regions=Counter({"us-west-2": 1, "us-east-1": 3}))
    assert str(progress) == ("7 sent, 4 acknowledged (us-east-1 3, us-west-2 1), 1 under way, 1 refused, 1 failed")
    assert str(Progress()) == "0 sent, 0 acknowledged (no region), 0 under way, 0 refused, 0 failed"


def test_without_a_code_and_a_demo_it_is_one_line_too(tmp_path: Path) -> None:
    done = manage("students", lab_dir=tmp_path)
    assert done.returncode == 2
    assert "no demo is running" in done.stderr
