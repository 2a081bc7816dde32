"""`make forget` removes what a lab made, and nothing else."""

from pathlib import Path

import pytest

from failover.lab.errors import LabError
from failover.lab.files import DirLock
from failover.lab.forget import forget


@pytest.fixture
def lab_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    (folder / "engines" / "us-east-1" / "data").mkdir(parents=True)
    (folder / "secrets.env").write_text("DJANGO_SECRET_KEY=x\n")
    (folder / "lab.lock").write_text("1\n")
    return folder


def test_it_removes_the_directory_when_it_is_told_so(lab_dir: Path):
    assert str(lab_dir) in forget({"LAB_DIR": str(lab_dir), "YES": "1"}, interactive=False)
    assert not lab_dir.exists()


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path):
    assert "nothing to forget" in forget({"LAB_DIR": str(tmp_path / "none")}, interactive=False)


def test_without_a_terminal_it_asks_for_a_yes(lab_dir: Path):
    with pytest.raises(LabError, match="YES=1"):
        forget({"LAB_DIR": str(lab_dir)}, interactive=False)
    assert lab_dir.exists()


@pytest.mark.parametrize(("answer", "goes"), [("yes\n", True), ("y\n", False), ("\n", False), ("", False)])
def test_only_a_whole_yes_counts(answer: str, goes: bool, lab_dir: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "answer").write_text(answer)
    with (tmp_path / "answer").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        if goes:
            forget({"LAB_DIR": str(lab_dir)}, interactive=True)
        else:
            with pytest.raises(LabError, match="nothing was removed"):
                forget({"LAB_DIR": str(lab_dir)}, interactive=True)
    assert lab_dir.exists() is not goes


@pytest.mark.parametrize("lock", ["lab.lock", "demo.lock"])
def test_it_refuses_while_a_lab_runs(lock: str, lab_dir: Path):
    held = DirLock(lab_dir, lock)
    held.take()
    try:
        with pytest.raises(LabError, match="is running"):
            forget({"LAB_DIR": str(lab_dir), "YES": "1"}, interactive=False)
    finally:
        held.release()
    assert lab_dir.exists()


@pytest.mark.parametrize("mark", ["manage.py", ".git"])
def test_it_never_removes_what_is_more_than_a_labs_directory(mark: str, lab_dir: Path):
    (lab_dir / mark).write_text("")
    with pytest.raises(LabError, match="nothing was removed"):
        forget({"LAB_DIR": str(lab_dir), "YES": "1"}, interactive=False)
    assert lab_dir.exists()


def test_it_never_removes_a_directory_of_something_else_nor_what_a_link_leads_to(lab_dir: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(lab_dir)
    (tmp_path / "thesis").mkdir()
    for name in ("link", "thesis"):
        with pytest.raises(LabError, match="nothing was removed"):
            forget({"LAB_DIR": str(tmp_path / name), "YES": "1"}, interactive=False)
    assert (lab_dir / "secrets.env").exists()


def test_it_never_removes_a_home_directory(lab_dir: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(lab_dir))
    with pytest.raises(LabError, match="holds more than a lab"):
        forget({"LAB_DIR": str(lab_dir), "YES": "1"}, interactive=False)
