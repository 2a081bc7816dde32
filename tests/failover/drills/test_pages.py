"""The pages of the drills: staff only, in the lab only, and no other file than a report's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from failover.drills import drill_files as drills
from failover.drills.report import document, page
from tests.deploy_check import ROOT, production_environment
from tests.failover.drills.reports import drill_of
from tests.failover.drills.runs import World, write

pytestmark = pytest.mark.django_db
LIST = "/admin/failover/drills/"


@pytest.fixture
def teacher() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("teacher", is_staff=True))
    return client


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report in a directory of the lab's."""
    monkeypatch.setattr(settings, "LAB_DIR", tmp_path)
    directory = tmp_path / "drills" / "20261201-120000-test"
    directory.mkdir(parents=True)
    world = World()
    world.vote("student-1")
    write(directory / "ledger.jsonl", world.all_entries())
    drill = drill_of("failed", most=0)
    page.write(drill, directory, document.write(drill, directory, {}))
    return directory


def test_the_list_has_every_drill_with_its_command_and_every_report(teacher: Client, played: Path) -> None:
    html = teacher.get(LIST).content.decode()
    for name in drills.names():
        assert f"manage.py drill {name}<" in html
    assert f"{LIST}{played.name}/report.html" in html
    assert "the hypothesis held" in html


def test_a_directory_without_drills_says_so(teacher: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LAB_DIR", tmp_path)
    assert "No drill has been played" in teacher.get(LIST).content.decode()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"runs": 7}', "\xff"])
def test_a_report_that_cannot_be_read_is_left_out(teacher: Client, played: Path, content: str) -> None:
    (played / "report.json").write_text(content)
    reply = teacher.get(LIST)
    assert (reply.status_code, played.name in reply.content.decode()) == (200, False)


def test_a_report_is_served_under_a_policy_of_its_own(teacher: Client, played: Path) -> None:
    reply = teacher.get(f"{LIST}{played.name}/report.html")
    assert reply.getvalue() == (played / "report.html").read_bytes()
    policy = reply["Content-Security-Policy"]
    assert policy == f"{page.policy()}; frame-ancestors 'none'"
    assert "default-src 'none'" in policy
    assert "script" not in policy
    for name in ("report.json", "ledger.jsonl", "verify.py"):
        other = teacher.get(f"{LIST}{played.name}/{name}")
        assert other.getvalue() == (played / name).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "20261201-120000-test/secrets.env",
        "nothing/report.html",
        "../control.token",
        "%2e%2e/report.json",
        "20261201-120000-test/..%2f..%2fcontrol.token",
        "./report.json",
    ],
)
def test_no_other_file_is_served(teacher: Client, played: Path, path: str) -> None:
    (played / "secrets.env").write_text("x")
    (played.parent.parent / "control.token").write_text("x")
    (played.parent.parent / "report.json").write_text("x")
    (played.parent / "report.json").write_text("x")
    assert teacher.get(f"{LIST}{path}").status_code == 404


@pytest.mark.parametrize("path", ["", "20261201-120000-test/report.html"])
def test_only_staff_may_look(played: Path, path: str) -> None:
    reply = Client().get(f"{LIST}{path}")
    assert (reply.status_code, reply["Location"].startswith("/admin/login/")) == (302, True)


def test_production_has_no_such_page(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=production_environment(str(tmp_path)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout) == {"has_pages": False, "drills": False}, done.stderr
    assert reverse("drills:list") == LIST


PROBE = """
import json, sys, django
django.setup()
from django.urls import Resolver404, resolve
try:
    has_pages = resolve("/admin/failover/drills/").app_name == "drills"
except Resolver404:
    has_pages = False
print(json.dumps({"has_pages": has_pages, "drills": any(name.startswith("failover.drills") for name in sys.modules)}))
"""
