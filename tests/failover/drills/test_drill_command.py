"""`manage.py drill` without a demo: what it lists, and how it refuses."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from failover.drills import drill_files as drills
from failover.drills.strategies.catalogue import STRATEGIES


@pytest.fixture(autouse=True)
def _no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LAB_DIR", tmp_path)


def test_the_list_explains_each_drill_and_each_strategy_in_a_line() -> None:
    out = StringIO()
    call_command("drill", "list", stdout=out)
    lines = out.getvalue().splitlines()
    for name in (*drills.names(), *STRATEGIES, "router", "router+serve-stale"):
        assert [line for line in lines if line.split()[0] == name], name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("oct20",), "no lab is running"),
        (("nothing",), "there is no drill nothing"),
        (("oct20", "--strategy", "nobody"), "there is no strategy nobody"),
        (("oct20", "--rate", "1000"), "votes a second"),
        (("oct20", "--rate", "nan"), "votes a second"),
        (("oct20", "--students", "100000"), "1 to 2000 students"),
        (("oct20", "--predict", "nan"), "a class may predict"),
        (("oct20", "--out", "."), "is written over"),
        (("verify",), "drill verify DIR"),
        (("verify", "nowhere"), "cannot be read"),
        (("matrix", "--kinds", "nothing"), "no such kind of fault: nothing"),
        (("matrix", "--repeats", "0"), "at least 1"),
    ],
)
def test_what_cannot_run_is_one_line_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("drill", *arguments, stdout=StringIO())
    assert caught.value.returncode == 2
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "drills").exists()
