"""No command ends in a traceback because its output cannot be shown or written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.processes import MANAGE, ROOT, manage_environment, side_by_side

TITLE = "Grüße – 你好 🎉"
PRINT = f"from django.core.management.base import BaseCommand; BaseCommand().stdout.write({TITLE!a} * 3)"
NARROW = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "latin-1:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX", "LANG": ""},
]


def run(*arguments: str, lab_dir: Path, **extra: str) -> subprocess.CompletedProcess[bytes]:
    environment = manage_environment(lab_dir, **extra)
    return subprocess.run(
        [*MANAGE, *arguments], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False
    )


def test_letters_that_the_terminal_does_not_have_are_written_as_escapes(tmp_path: Path) -> None:
    finished = side_by_side(
        lambda variables: run("shell", "--no-imports", "-c", PRINT, lab_dir=tmp_path, **variables), NARROW
    )

    for variables, done in zip(NARROW, finished, strict=True):
        assert (done.returncode, done.stderr) == (0, b""), variables
        assert done.stdout.count(b"\n") == 1, variables


def test_an_error_with_such_letters_is_one_line(tmp_path: Path) -> None:
    missing = f"/nonexistent/{TITLE}.json"
    finished = side_by_side(lambda variables: run("survey", "import", missing, lab_dir=tmp_path, **variables), NARROW)

    for variables, done in zip(NARROW, finished, strict=True):
        assert done.returncode == 1, variables
        assert b"Traceback" not in done.stderr, variables
        assert done.stderr.count(b"\n") == 1, variables


def test_a_lone_surrogate_in_an_argument_ends_in_no_traceback(tmp_path: Path) -> None:
    done = run("survey", "import", os.fsdecode(b"/nonexistent/\xfc.json"), lab_dir=tmp_path)

    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_an_export_is_json_in_every_encoding(tmp_path: Path) -> None:
    document = {"title": TITLE}
    program = f"from polls.management.commands.survey import Command; Command()._print({document!r})"
    encodings = ["ascii", "cp1252", "utf-8"]

    finished = side_by_side(
        lambda encoding: run("shell", "--no-imports", "-c", program, lab_dir=tmp_path, PYTHONIOENCODING=encoding),
        encodings,
    )
    for encoding, done in zip(encodings, finished, strict=True):
        assert json.loads(done.stdout.decode(encoding)) == document


@pytest.mark.parametrize("arguments", [("help",), ("shell", "--no-imports", "-c", "print('x' * 1_000_000)")], ids=str)
def test_a_command_whose_reader_goes_away_ends_quietly(arguments: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*MANAGE, *arguments],
            cwd=ROOT,
            env=manage_environment(tmp_path),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (141, b"")


def test_a_command_runs_where_its_output_is_closed(tmp_path: Path) -> None:
    command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *MANAGE, "check"]
    done = subprocess.run(command, cwd=ROOT, env=manage_environment(tmp_path), timeout=60, check=False)

    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_that_takes_no_output_is_one_line(tmp_path: Path) -> None:
    def to_full_disk(command: str) -> subprocess.CompletedProcess[bytes]:
        with open("/dev/full", "wb") as full:
            return subprocess.run(
                [*MANAGE, command],
                cwd=ROOT,
                env=manage_environment(tmp_path),
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )

    for done in side_by_side(to_full_disk, ["check", "help", "version"]):
        assert done.returncode == 1
        assert b"the disk is full" in done.stderr
        assert done.stderr.count(b"\n") == 1
