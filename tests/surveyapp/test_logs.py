"""A log record is one line in both shapes, whatever it quotes; JSON keeps its fields."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest
from django.urls import resolve

from surveyapp.logs import FORMATTERS, JsonFormatter, LineFormatter, RouteNotPath
from tests.deploy_check import ROOT, production_environment

HOSTILE = [
    "a\nb",
    "a\r\n2026-01-01 00:00:00 ERROR failover forged",
    '"}\n{"event":"failover"}',
    "tab\tbell\x07escape\x1b[31mred",
    "next\x85line\u2028separator\u2029end",
    "\ud800 alone",
    "\u202egnihton \u2066 turned",
    "inés ✓",
    "%(event)s %s",
]


def record(message: str, *args: Any, **more: Any) -> logging.LogRecord:
    result = logging.LogRecord("failover.monitor", logging.INFO, "x.py", 1, message, args, more.pop("exc_info", None))
    result.__dict__.update(more)
    return result


@pytest.mark.parametrize("shape", FORMATTERS)
@pytest.mark.parametrize("reason", HOSTILE)
def test_what_a_record_quotes_never_begins_another_line(shape: str, reason: str) -> None:
    fields = {"event": "routing-pinned", "reason": reason}

    line = FORMATTERS[shape]().format(record("%(event)s: %(reason)s", fields))

    assert line.splitlines() == [line]
    assert "\x1b" not in line


@pytest.mark.parametrize("reason", HOSTILE)
def test_json_gives_every_field_back_as_it_was(reason: str) -> None:
    fields = {"event": "routing-pinned", "reason": reason, "ms": 2.5, "count": 3, "forced": True, "class": None}

    read = json.loads(JsonFormatter().format(record("%(event)s: %(reason)s", fields)))

    assert {name: read[name] for name in fields} == fields
    assert read["message"] == f"routing-pinned: {reason}"
    assert (read["level"], read["logger"]) == ("INFO", "failover.monitor")


def test_the_line_is_for_people() -> None:
    line = LineFormatter().format(record("%(event)s by %(actor)s", {"event": "routing-pinned", "actor": "inés"}))

    assert line.endswith(" INFO failover.monitor routing-pinned by inés")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), Path("/x"), OSError("full"), b"\xff", [1], {}])
def test_a_value_that_json_does_not_have_is_text(value: object) -> None:
    read = json.loads(JsonFormatter().format(record("%(event)s", {"event": "e", "value": value})), parse_constant=float)

    assert read["value"] == str(value)


def test_a_field_cannot_pretend_to_be_the_level_or_the_time() -> None:
    read = json.loads(JsonFormatter().format(record("%(event)s", {"event": "e", "level": "x", "at": "y", "pid": 0})))

    assert read["level"] == "INFO"
    assert read["at"].endswith("Z")
    assert read["pid"] > 0


def test_a_traceback_is_a_field() -> None:
    try:
        raise ZeroDivisionError("a\nb")
    except ZeroDivisionError:
        line = JsonFormatter().format(record("it failed: %s", "x", exc_info=sys.exc_info()))

    assert line.splitlines() == [line]
    assert json.loads(line)["exception"].endswith("ZeroDivisionError: a\nb")


def test_a_text_without_an_end_is_cut() -> None:
    line = JsonFormatter().format(record("%(event)s %(reason)s", {"event": "e", "reason": "x" * 1_000_000}))

    assert len(line) < 20_000


def test_a_failed_request_is_named_by_its_pattern_and_never_by_a_path_that_can_be_a_voting_link() -> None:
    request = HttpRequest()
    request.path, request.method = "/s/DEMO20/link/secret-of-one-voter/", "POST"
    request.resolver_match = resolve(request.path)
    logged = record("%s: %s", "Service Unavailable", request.path, request=request, status_code=503)

    assert RouteNotPath().filter(logged)

    for formatter in FORMATTERS.values():
        assert "secret-of-one-voter" not in formatter().format(logged)
    read = json.loads(JsonFormatter().format(logged))
    assert (read["event"], read["status"], read["method"], read["code"]) == ("request-failed", 503, "POST", "DEMO20")
    assert read["route"] == "s/<code:code>/link/<str:link>/"


def production(program: str, tmp_path: Path, **extra: str) -> list[str]:
    """What a program under production settings wrote to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{program}"],
        cwd=ROOT,
        env={**production_environment(str(tmp_path)), **extra},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.splitlines()


PROGRAM = """
import logging, threading, warnings
log = logging.getLogger("failover.monitor")
log.info("%(event)s: %(reason)s", {"event": "failover", "reason": "a\\nb"})
logging.getLogger("polls").debug("never seen")
warnings.warn("old", UserWarning)
def fail(): raise ZeroDivisionError("in a thread")
thread = threading.Thread(target=fail); thread.start(); thread.join()
raise ZeroDivisionError("at the end")
"""


def test_in_production_everything_on_stderr_is_json_also_what_python_itself_says(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in production(PROGRAM, tmp_path)]

    assert [line.get("event") or line["logger"] for line in lines] == [
        "failover",
        "py.warnings",
        "surveyapp",
        "surveyapp",
    ]
    assert [line["level"] for line in lines] == ["INFO", "WARNING", "CRITICAL", "CRITICAL"]


def test_the_shape_can_be_chosen_and_a_wrong_word_is_one_clear_line(tmp_path: Path) -> None:
    quiet = "import logging; logging.getLogger('failover').info('hello')"

    assert production(quiet, tmp_path, SURVEY_LOG_FORMAT="line")[0].endswith("INFO failover hello")
    assert production(quiet, tmp_path, SURVEY_LOG_FORMAT="yaml")[-1].endswith(
        "SURVEY_LOG_FORMAT=yaml: must be one of line, json"
    )
