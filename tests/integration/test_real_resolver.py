"""The host's own resolver: glibc with its own resolv.conf in its own network namespace.

For Linux, as root or where users may make namespaces; elsewhere these tests are skipped and say why.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.failover.adapters.faulty import EAST, WEST
from tests.integration.resolver_world import PRINTER, TIMEOUT_S
from tests.processes import ROOT, manage_environment

FAILURES = ("empty", "nxdomain", "servfail", "silence")
CODES = {
    "empty": getattr(socket, "EAI_NODATA", socket.EAI_NONAME),
    "nxdomain": socket.EAI_NONAME,
    "servfail": socket.EAI_AGAIN,
    "silence": socket.EAI_AGAIN,
}
DETAILS = {
    "empty": "DNS answers empty",
    "nxdomain": "DNS says that there is no such name",
    "servfail": "DNS gives no usable answer",  # glibc has one code for it and for silence
    "silence": "DNS does not answer",  # within our time limit, which is shorter than glibc's
}
SLACK_S = 2.0
"""What a busy machine may add to a time limit; glibc's own ten seconds are far more."""


def namespaces() -> list[str]:
    """The command that runs another one in its own namespaces. Skips the test where there can be none."""
    if not sys.platform.startswith("linux") or not shutil.which("unshare"):
        pytest.skip("network namespaces need Linux and util-linux's unshare")
    command = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no network namespace can be made here, try as root: {tried.stderr.strip()}")
    return command


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of all scenarios, which run once."""
    lab_dir: Path = tmp_path_factory.mktemp("world")
    done = subprocess.run(
        [*namespaces(), sys.executable, "-m", "tests.integration.resolver_world"],
        cwd=ROOT,
        env=manage_environment(lab_dir, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize("how", FAILURES)
def test_a_call_fails_over_in_time_whatever_dns_answers_glibc(how: str, world: dict[str, Any]) -> None:
    assert world[how]["before"]["attempts"] == [[EAST, "ok", ""]]
    call = world[how]["call"]
    assert call["region"] == WEST
    assert call["attempts"] == [[EAST, "dns", DETAILS[how]], [WEST, "ok", ""]]
    assert call["seconds"] < TIMEOUT_S + SLACK_S


@pytest.mark.parametrize("how", FAILURES)
def test_resolution_takes_no_longer_than_its_limit_and_returns_glibcs_code(how: str, world: dict[str, Any]) -> None:
    endpoint = world[how]["endpoint"]
    assert endpoint["code"] == CODES[how]
    assert endpoint["seconds"] < TIMEOUT_S + SLACK_S


def test_without_our_limit_glibc_would_have_waited_for_ten_seconds(world: dict[str, Any]) -> None:
    alone = world["silence"]["glibc"]
    assert (alone["code"], alone["value"]) == (socket.EAI_AGAIN, None)
    assert alone["seconds"] > 9


@pytest.mark.parametrize("how", FAILURES)
def test_every_other_name_is_found_through_the_hosts_own_files(how: str, world: dict[str, Any]) -> None:
    assert world[how]["printer"]["value"] == [PRINTER]
    assert world[how]["nowhere"]["code"] == socket.EAI_NONAME  # as the nameserver answered glibc


@pytest.mark.parametrize("how", FAILURES)
def test_with_stale_answers_no_call_fails_over_and_none_is_late(how: str, world: dict[str, Any]) -> None:
    stale = world["stale"][how]
    assert stale["call"]["attempts"] == [[EAST, "ok", ""]]
    assert stale["call"]["seconds"] < TIMEOUT_S + SLACK_S
    assert stale["endpoint"]["value"] == ["127.0.0.1"]
    if how != "silence":  # which takes ten seconds, and is tested above
        assert stale["glibc"]["code"] == CODES[how]  # meanwhile the name is gone
