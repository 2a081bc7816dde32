"""`manage.py drill` without a demo: what it lists, and how it refuses."""

from pathlib import Path

import pytest

from failover.drills import drill_files as drills
from failover.drills.strategies.catalogue import STRATEGIES
from tests.processes import manage


def test_the_list_explains_each_drill_and_each_strategy_in_a_line(tmp_path: Path) -> None:
    done = manage("drill", "list", lab_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for name in (*drills.names(), *STRATEGIES, "router"):
        assert [line for line in lines if line.split()[0] == name], name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("oct20",), "no lab is running"),
        (("nothing",), "there is no drill nothing"),
        (("oct20", "--strategy", "nobody"), "there is no strategy nobody"),
        (("oct20", "--rate", "1000"), "votes a second"),
        (("oct20", "--students", "100000"), "1 to 2000 students"),
        (("verify",), "drill verify DIR"),
        (("verify", "nowhere"), "cannot be read"),
    ],
)
def test_what_cannot_run_is_one_line_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = manage("drill", *arguments, lab_dir=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "drills").exists()
