"""Two hosts on the session's lab, for every test of this folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover.lab.network.gate import FrontLoop
from tests.conftest import Lab
from tests.integration.many_hosts.hosts import APART_S, Class, Host, Instructor, links, stopped_host
from tests.processes import manage

Hosts = tuple[Host, Host, dict[str, Any]]
ACCOUNT = ("instructor", "many hosts")
ACCOUNTS = f"""
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0)
User.objects.create_superuser({ACCOUNT[0]!r}, password={ACCOUNT[1]!r})
"""


@pytest.fixture(scope="package")
def accounts(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of accounts that all hosts share, with one instructor."""
    path = tmp_path_factory.mktemp("accounts") / "db.sqlite3"
    done = manage("shell", "-c", ACCOUNTS, lab_dir=lab.dir, DJANGO_SQLITE_PATH=str(path))
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="package")
def loop() -> Iterator[FrontLoop]:
    loop = FrontLoop()
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture(scope="package")
def hosts(
    lab: Lab, loop: FrontLoop, accounts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Host, Host, dict[str, Any]]]:
    """Two hosts, and the monitor of the first, which a test may replace.

    The clock of the second host is five seconds ahead.
    """
    with contextlib.ExitStack() as stack:
        hosts, monitors, webs = [], [], []
        for name, ahead_s in (("a", 0.0), ("b", APART_S)):
            gates = stack.enter_context(links(lab, loop))
            run_dir = tmp_path_factory.mktemp(f"host-{name}")
            host = stopped_host(lab, run_dir, gates, accounts=accounts, ahead_s=ahead_s)
            monitors.append(stack.enter_context(host.monitor()))
            webs.append(stack.enter_context(host.web()))
            hosts.append(host)
        hosts[0].manage("survey", "import", "polls/demo_survey.json")
        for host in hosts:
            host.await_ready()
        yield hosts[0], hosts[1], {"monitor": monitors[0], "stack": stack}
        for web in webs:
            web.terminate()  # all at once, since each takes a while


@pytest.fixture(scope="package")
def students() -> Class:
    return Class()


@pytest.fixture
def instructor(hosts: Hosts) -> Iterator[Instructor]:
    with httpx.Client(trust_env=False, timeout=30) as browser:
        yield Instructor(browser, hosts[0], *ACCOUNT)
