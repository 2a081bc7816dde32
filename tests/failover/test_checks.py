"""A bad setting is a numbered check with a hint, and at the command line no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import Error, Warning
from django.test import override_settings

from failover.checks import check_failover_settings
from tests.processes import ROOT, manage, manage_environment

GOOD = {"REGIONS": "us-east-1,us-west-2", "RUN_DIR": "/tmp/run"}  # noqa: S108  (nothing is written there)


def found(monkeypatch: pytest.MonkeyPatch, *, mode: str = "disabled", **raw: str) -> list[tuple[type, str]]:
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", mode)
    with override_settings(FAILOVER={**GOOD, **raw}):
        messages = check_failover_settings(None)
    assert all(message.hint for message in messages)
    return [(type(message), str(message.id)) for message in messages]


def test_good_settings_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch) == []


def test_every_mistake_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, REGIONS="bad", DEADLINE_S="x") == [(Error, "failover.E001")] * 2


def test_one_region_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, REGIONS="us-east-1") == [(Warning, "failover.W001")]


def test_account_specific_endpoints_are_a_warning_where_awss_own_endpoints_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert found(monkeypatch, mode="preferred") == [(Warning, "failover.W002")]
    assert found(monkeypatch, mode="preferred", ENDPOINTS="us-east-1=http://localhost") == []


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed command said; no traceback, and it did fail."""
    said = done.stderr + done.stdout
    assert done.returncode != 0, said
    assert "Traceback" not in said, said
    lines = [line for line in said.splitlines() if line.strip()]
    assert len(lines) == 1, said
    return lines[0]


@pytest.mark.parametrize("command", ["monitor", "create_tables"])
def test_a_bad_setting_stops_a_command_without_a_traceback_and_names_the_variable(command: str, tmp_path: Path) -> None:
    done = manage(command, lab_dir=tmp_path, FAILOVER_REGIONS="bad", FAILOVER_HOLD_S="-1")

    said = done.stderr + done.stdout
    assert done.returncode != 0
    assert "Traceback" not in said
    assert "FAILOVER_REGIONS" in said
    assert "FAILOVER_HOLD_S" in said
    assert "failover.E001" in said


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        pytest.param({"FAILOVER_RUN_DIR": "/dev/null/run"}, "FAILOVER_RUN_DIR", id="a run directory that cannot be"),
        pytest.param({"LAB_DIR": "/dev/null/lab"}, "LAB_DIR", id="a lab directory that cannot be"),
        pytest.param({"DJANGO_TIME_ZONE": "Mars/Olympus"}, "DJANGO_TIME_ZONE", id="an unknown time zone"),
        pytest.param({"DEMO_PASSWORD": "gr\udcfcn"}, "DEMO_PASSWORD", id="a password that is no UTF-8"),
        pytest.param({"SURVEY_PUBLIC_URL": "https://a\u202eb/"}, "SURVEY_PUBLIC_URL", id="an address that turns round"),
        pytest.param({"DJANGO_SECRET_KEY": "\x1b" * 60}, "DJANGO_SECRET_KEY", id="a key of escapes"),
        pytest.param({"SURVEY_METRICS_TOKEN": "a\r"}, "SURVEY_METRICS_TOKEN", id="a line's end of another system"),
        pytest.param({"SURVEY_LOG_LEVEL": "loud"}, "SURVEY_LOG_LEVEL", id="an unknown log level"),
    ],
)
def test_a_bad_variable_of_the_lab_is_one_line(environment: dict[str, str], named: str, tmp_path: Path) -> None:
    done = manage("monitor", **{"lab_dir": tmp_path, **environment})  # type: ignore[arg-type]

    assert named in one_line(done)


PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "surveyapp.settings.production",
    "DJANGO_SECRET_KEY": "k" * 60,
    "DJANGO_ALLOWED_HOSTS": "survey.example",
    "FAILOVER_REGIONS": "us-east-1,us-west-2",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}


def production(tmp_path: Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    told = {**PRODUCTION, "FAILOVER_RUN_DIR": str(tmp_path), "DJANGO_SQLITE_PATH": str(tmp_path / "db"), **changes}
    environment = manage_environment(tmp_path, **{name: text for name, text in told.items() if text is not None})
    del environment["LAB_DIR"]
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_production_starts_with_what_the_example_names(tmp_path: Path) -> None:
    done = production(tmp_path)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DJANGO_SECRET_KEY", None),
        ("DJANGO_ALLOWED_HOSTS", None),
        ("DJANGO_SSL_REDIRECT", "ture"),
        ("DJANGO_HSTS_SECONDS", "a year"),
    ],
)
def test_a_missing_or_mistyped_variable_of_production_is_one_line(
    variable: str, text: str | None, tmp_path: Path
) -> None:
    assert variable in one_line(production(tmp_path, **{variable: text}))


def test_the_lab_does_not_need_its_run_directory_to_be_named(tmp_path: Path) -> None:
    done = manage("check", lab_dir=tmp_path)

    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == ["secrets.env"]
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("variable", ["WORKERS", "FAILOVER_THREADS"])
def test_a_mistyped_number_stops_the_web_tier_in_one_line(variable: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", "-c", str(ROOT / "deploy" / "gunicorn.conf.py")],
        cwd=ROOT,
        env=manage_environment(tmp_path, **{variable: "many"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert f"{variable}=many: must be a whole number" in one_line(done)


def test_options_for_gunicorn_in_the_environment_are_refused(tmp_path: Path) -> None:
    told = {**PRODUCTION, "FAILOVER_RUN_DIR": str(tmp_path), "GUNICORN_CMD_ARGS": "--bind 0.0.0.0:1"}
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", "-c", str(ROOT / "deploy" / "gunicorn.conf.py")],
        cwd=ROOT,
        env=manage_environment(tmp_path, **{**told, "DJANGO_SETTINGS_MODULE": "surveyapp.settings.production"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "GUNICORN_CMD_ARGS" in one_line(done)


def test_an_empty_settings_module_is_the_labs(tmp_path: Path) -> None:
    done = manage("check", lab_dir=tmp_path, DJANGO_SETTINGS_MODULE="")

    assert done.returncode == 0, done.stderr
