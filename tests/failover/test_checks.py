"""A bad setting is a numbered check with a hint, and at the command line no traceback."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from django.core.checks import Error, Warning
from django.test import override_settings

from failover.checks import check_failover_settings
from tests.processes import GUNICORN, MANAGE, ROOT, manage, manage_environment, side_by_side

GOOD = {"REGIONS": "us-east-1,us-west-2", "RUN_DIR": "/tmp/run"}  # noqa: S108  (nothing is written there)


def messages_for(monkeypatch: pytest.MonkeyPatch, *, mode: str = "disabled", **raw: str) -> list[tuple[type, str]]:
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", mode)
    with override_settings(FAILOVER={**GOOD, **raw}):
        messages = check_failover_settings(None)
    assert all(message.hint for message in messages)
    return [(type(message), str(message.id)) for message in messages]


def test_good_settings_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert messages_for(monkeypatch) == []


def test_every_mistake_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert messages_for(monkeypatch, REGIONS="bad", DEADLINE_S="x") == [(Error, "failover.E001")] * 2


def test_one_region_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert messages_for(monkeypatch, REGIONS="us-east-1") == [(Warning, "failover.W001")]


def test_account_specific_endpoints_are_a_warning_where_awss_own_endpoints_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert messages_for(monkeypatch, mode="preferred") == [(Warning, "failover.W002")]
    assert messages_for(monkeypatch, mode="preferred", ENDPOINTS="us-east-1=http://localhost") == []


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The only line that a failed command printed."""
    output = done.stderr + done.stdout
    assert done.returncode != 0, output
    assert "Traceback" not in output, output
    lines = [line for line in output.splitlines() if line.strip()]
    assert len(lines) == 1, output
    return lines[0]


def test_a_bad_setting_stops_a_command_without_a_traceback_and_names_the_variable(tmp_path: Path) -> None:
    def run(command: str) -> subprocess.CompletedProcess[str]:
        return manage(command, lab_dir=tmp_path / command, FAILOVER_REGIONS="bad", FAILOVER_HOLD_S="-1")

    for done in side_by_side(run, ["monitor", "create_tables"]):
        output = done.stderr + done.stdout
        assert done.returncode != 0
        assert "Traceback" not in output
        for expected in ("FAILOVER_REGIONS", "FAILOVER_HOLD_S", "failover.E001"):
            assert expected in output


BAD_VARIABLES = [
    {"FAILOVER_RUN_DIR": "/dev/null/run"},
    {"LAB_DIR": "/dev/null/lab"},
    {"DJANGO_TIME_ZONE": "Mars/Olympus"},
    {"DEMO_PASSWORD": "gr\udcfcn"},  # not UTF-8
    {"SURVEY_PUBLIC_URL": "https://a\u202eb/"},  # a character that turns the text round
    {"DJANGO_SECRET_KEY": "\x1b" * 60},
    {"SURVEY_METRICS_TOKEN": "a\r"},
    {"SURVEY_LOG_LEVEL": "loud"},
]


def test_a_bad_variable_of_the_lab_is_one_line_that_names_it(tmp_path: Path) -> None:
    def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return manage("monitor", **{"lab_dir": tmp_path / next(iter(environment)), **environment})

    for environment, done in zip(BAD_VARIABLES, side_by_side(run, BAD_VARIABLES), strict=True):
        assert next(iter(environment)) in one_line(done)


PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "surveyapp.settings.production",
    "DJANGO_SECRET_KEY": "k" * 60,
    "DJANGO_ALLOWED_HOSTS": "survey.example",
    "FAILOVER_REGIONS": "us-east-1,us-west-2",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}


def production(tmp_path: Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """`manage.py check` with production's settings; a variable that is None is not set."""
    variables = {**PRODUCTION, "FAILOVER_RUN_DIR": str(tmp_path), "DJANGO_SQLITE_PATH": str(tmp_path / "db"), **changes}
    environment = manage_environment(tmp_path, **{name: text for name, text in variables.items() if text is not None})
    del environment["LAB_DIR"]
    return subprocess.run(
        [*MANAGE, "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_production_starts_with_what_the_example_names_and_says_which_variable_is_missing_or_mistyped(
    tmp_path: Path,
) -> None:
    mistakes: dict[str, str | None] = {
        "DJANGO_SECRET_KEY": None,
        "DJANGO_ALLOWED_HOSTS": None,
        "DJANGO_SSL_REDIRECT": "ture",
        "DJANGO_HSTS_SECONDS": "a year",
    }

    def run(changes: dict[str, str | None]) -> subprocess.CompletedProcess[str]:
        return production(tmp_path, **changes)

    good, *refused = side_by_side(run, [{}, *({name: value} for name, value in mistakes.items())])
    assert good.returncode == 0, good.stderr
    for variable, done in zip(mistakes, refused, strict=True):
        assert variable in one_line(done)


def test_the_lab_needs_no_variable_and_an_empty_settings_module_is_the_labs(tmp_path: Path) -> None:
    def run(variables: dict[str, str]) -> tuple[Path, subprocess.CompletedProcess[str]]:
        lab_dir = tmp_path / str(len(variables))
        return lab_dir, manage("check", lab_dir=lab_dir, **variables)

    for lab_dir, done in side_by_side(run, [{}, {"DJANGO_SETTINGS_MODULE": ""}]):
        assert done.returncode == 0, done.stderr
        assert os.listdir(lab_dir) == ["secrets.env"]
        assert (lab_dir / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_a_variable_that_the_web_tier_cannot_use_stops_it_in_one_line(tmp_path: Path) -> None:
    in_production = {**PRODUCTION, "FAILOVER_RUN_DIR": str(tmp_path)}
    mistakes = [
        ("WORKERS=many: must be a whole number", {"WORKERS": "many"}),
        ("FAILOVER_THREADS=many: must be a whole number", {"FAILOVER_THREADS": "many"}),
        # Options for gunicorn itself are refused.
        ("GUNICORN_CMD_ARGS", {**in_production, "GUNICORN_CMD_ARGS": "--bind 0.0.0.0:1"}),
    ]

    def run(mistake: tuple[str, dict[str, str]]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*GUNICORN, "--check-config"],
            cwd=ROOT,
            env=manage_environment(tmp_path, **mistake[1]),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    for (expected, _), done in zip(mistakes, side_by_side(run, mistakes), strict=True):
        assert expected in one_line(done)
