"""failover/README.md promises that its example and the dashboard run in another project, and names every setting and
error: so it does.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover import gateway
from failover.conf import FailoverConfig
from tests.conftest import Lab
from tests.failover.adapters.faulty import EAST, WEST
from tests.processes import ROOT, manage_environment

README = (ROOT / "failover" / "README.md").read_text()
DRIVER = """
import io, json, sys
import notes
from django.core.management import call_command
made = io.StringIO()
call_command("create_tables", stdout=made)
print(json.dumps(made.getvalue()), flush=True)
for line in sys.stdin:
    action, *rest = json.loads(line)
    done = getattr(notes, action)(*rest)
    attempts = [[one.region, one.outcome.value] for one in done.attempts]
    print(json.dumps({"value": done.value, "region": done.region, "attempts": attempts}), flush=True)
"""


# A project as `startproject` makes it, plus what is said of the dashboard; the arguments are its apps and its address.
SETTINGS = """
INSTALLED_APPS += {apps}
FAILOVER = {{"REGIONS": "us-east-1,us-west-2", "RUN_DIR": str(BASE_DIR / "run")}}
"""
URLS = """
from django.urls import include
urlpatterns = [{address}, *urlpatterns]
"""
VISITOR = """
import json, re, sys
import django
django.setup()
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
call_command("check", fail_level="WARNING", stdout=sys.stderr)
call_command("migrate", verbosity=0)
visitor = Client(SERVER_NAME="localhost")
stranger = visitor.get("/admin/failover/")
visitor.force_login(User.objects.create_superuser("ada"))
page, live = visitor.get("/admin/failover/"), visitor.get("/admin/failover/live/")
text = page.content.decode()
files = re.findall('"/static/([^"]+)"', text)
print(json.dumps({
    "statuses": [stranger.status_code, page.status_code, live.status_code],
    "heading": re.findall("<h1>(.*?)</h1>", text),
    "panels": re.findall(' id="panel-([a-z]+)"', text),
    "fields": re.findall('<input type="(?:radio|text)" name="([a-z]+)"', text),
    "styled": "failover/dashboard.css" in files,
    "missing": [name for name in files if finders.find(name) is None],
}))
"""


def copied(place: Path) -> None:
    """The package as somebody copies it who reads the page: without the lab and the drills."""
    shutil.copytree(
        ROOT / "failover", place / "failover", ignore=shutil.ignore_patterns("lab", "drills", "__pycache__")
    )


def example() -> str:
    """The first block of Python."""
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    return example[1]


class Project:
    """The example as a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.made = self._line()

    def __call__(self, *call: str) -> dict[str, Any]:
        """Calls a function of notes.py."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = self._line()
        return answer

    def _line(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        return json.loads(line)


@pytest.fixture
def project(lab: Lab, tmp_path: Path) -> Iterator[Project]:
    copied(tmp_path)
    (tmp_path / "notes.py").write_text(example())
    lab_variables = {name: text for name, text in lab.environment().items() if name.startswith(("FAILOVER_", "AWS_"))}
    own = {"FAILOVER_RUN_DIR": str(tmp_path / "run"), "FAILOVER_HOLD_S": "1", "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=tmp_path,
        env={**manage_environment(tmp_path), **lab_variables, **own},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Project(process)
    finally:
        process.kill()
        process.communicate()
        lab.fault("--clear")


@pytest.mark.lab
def test_the_example_runs_as_it_stands_and_fails_over(project: Project, lab: Lab) -> None:
    assert {tuple(line.split()) for line in project.made.splitlines()} >= {
        (EAST, "notes", "made"),
        (WEST, "notes", "made"),
    }
    calm = project("save", "ada", "before the outage")
    assert calm == {"value": True, "region": EAST, "attempts": [[EAST, "ok"]]}
    assert project("load", "ada")["value"] == ["before the outage"]

    lab.fault(EAST, "dns-empty")

    moved = project("save", "ada", "during the outage")
    assert moved == {"value": True, "region": WEST, "attempts": [[EAST, "dns"], [WEST, "ok"]]}
    read = project("load", "ada")
    assert (read["region"], read["value"]) == (WEST, ["during the outage"])  # nobody replicates this table here


def test_the_dashboard_stands_in_a_project_that_has_nothing_but_the_package(tmp_path: Path) -> None:
    (paragraph,) = re.findall(r"^- The instructor's page.*?(?=^- |^#)", README, re.DOTALL | re.MULTILINE)
    apps, (address,) = re.findall(r'`"([\w.]+)"`', paragraph), re.findall(r"`(path\(.*\))`", paragraph)
    copied(tmp_path)

    def python(*arguments: str, **extra: str) -> str:
        environment = manage_environment(
            tmp_path, PYTHONPATH=str(tmp_path), AWS_ACCOUNT_ID_ENDPOINT_MODE="disabled", **extra
        )
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    python("-m", "django", "startproject", "theirs", ".")
    for name, text in (("settings", SETTINGS.format(apps=["failover", *apps])), ("urls", URLS.format(address=address))):
        with (tmp_path / "theirs" / f"{name}.py").open("a") as file:
            file.write(text)
    seen = json.loads(python("-c", VISITOR, DJANGO_SETTINGS_MODULE="theirs.settings"))

    assert seen == {
        "statuses": [302, 200, 200],
        "heading": ["Failover"],
        "panels": ["sentence", "regions", "replication", "routing", "why", "alarms", "events"],
        "fields": ["mode", "mode", "region", "region", "reason", "confirm"],
        "styled": True,
        "missing": [],
    }


def test_the_example_has_twenty_lines() -> None:
    assert len([line for line in example().splitlines() if line.strip()]) <= 20


def test_every_setting_is_named_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(FAILOVER_\w+)` \| ([^|]+) \|", README, re.MULTILINE))
    known = re.findall(r"^(FAILOVER_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(rows) == set(known)
    defaults = {field.name: field.default for field in dataclasses.fields(FailoverConfig)}
    for name, text in rows.items():
        default = defaults[name.removeprefix("FAILOVER_").lower()]
        if isinstance(default, float | int):
            assert float(text) == default, name
        elif isinstance(default, str):
            assert text == default, name


def test_every_error_is_what_the_table_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", README, re.MULTILINE)
    assert len(rows) == 8
    for name, base in rows:
        error = getattr(gateway, name)
        assert [cls.__name__ for cls in error.__bases__] == [base]


def test_every_name_of_the_gateway_that_is_used_exists() -> None:
    for name in re.findall(r"gateway\.(\w+)", README):
        assert name in gateway.__all__, name


def test_every_outcome_is_named() -> None:
    (outcomes,) = re.findall(r"an outcome \((.*?)\)", README, re.DOTALL)
    assert set(re.findall(r"`([\w-]+)`", outcomes)) == {outcome.value for outcome in gateway.Outcome}
