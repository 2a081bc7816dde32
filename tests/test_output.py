"""No command ends in a traceback because its output cannot be shown or written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.processes import MANAGE, ROOT, manage_environment, side_by_side

TITLE = "Grüße – 你好 🎉"
NARROW = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "latin-1:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX", "LANG": ""},
]
"""Environments in which a stream may have few letters."""
UTF_8 = {"PYTHONIOENCODING": "utf-8"}
PROGRAM = f"""
from django.core.management.base import BaseCommand, CommandError
from polls.management.commands.survey import Command
BaseCommand().stdout.write({TITLE!a} * 3)
Command()._print({{"title": {TITLE!a}}})
raise CommandError({TITLE!a})
"""
"""Prints a line and an export, and ends as a command that fails."""

Outputs = list[tuple[dict[str, str], subprocess.CompletedProcess[bytes]]]


def run(*arguments: str, lab_dir: Path, **extra: str) -> subprocess.CompletedProcess[bytes]:
    environment = manage_environment(lab_dir, **extra)
    return subprocess.run(
        [*MANAGE, *arguments], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """The environments, each with the outcome of `PROGRAM` in it."""
    lab_dir, environments = tmp_path_factory.mktemp("output"), [*NARROW, UTF_8]
    command = ("shell", "--no-imports", "-c", PROGRAM)
    done = side_by_side(lambda variables: run(*command, lab_dir=lab_dir, **variables), environments)
    return list(zip(environments, done, strict=True))


def test_letters_that_the_terminal_does_not_have_are_written_as_escapes(outputs: Outputs) -> None:
    for variables, done in outputs:
        assert done.stdout.partition(b"\n")[0].count(b"Gr") == 3, variables


def test_an_error_with_such_letters_is_one_line(outputs: Outputs) -> None:
    for variables, done in outputs:
        assert done.returncode == 1, variables
        assert b"Traceback" not in done.stderr, variables
        assert done.stderr.count(b"\n") == 1, variables


def test_an_export_is_json_in_every_encoding(outputs: Outputs) -> None:
    for variables, done in outputs:
        encoding = variables.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
        assert json.loads(done.stdout.partition(b"\n")[2].decode(encoding)) == {"title": TITLE}, variables


def test_letters_of_an_argument_that_cannot_be_written_end_in_no_traceback(tmp_path: Path) -> None:
    latin_1 = os.fsdecode(b"/nonexistent/\xfc.json"), {}
    utf_8 = f"/nonexistent/{TITLE}.json", NARROW[3]

    def import_missing(case: tuple[str, dict[str, str]]) -> subprocess.CompletedProcess[bytes]:
        return run("survey", "import", case[0], lab_dir=tmp_path, **case[1])

    for done in side_by_side(import_missing, [latin_1, utf_8]):
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
        assert done.stderr.count(b"\n") == 1


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
