"""The lab sends nothing off the machine, whatever its user's environment holds and whether a lab runs or not."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import lab_in
from tests.integration.test_real_resolver import namespaces
from tests.processes import (
    MANAGE,
    ROOT,
    free_port,
    manage,
    manage_environment,
    side_by_side,
    wait_while_running,
)

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
USERS = {
    **KEYS,
    "DJANGO_SETTINGS_MODULE": "surveyapp.settings.lab",  # as `manage.py` itself chooses them
    "AWS_SESSION_TOKEN": "token",
    "AWS_ENDPOINT_URL": "http://192.0.2.10",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://192.0.2.11",
    "AWS_REGION": "eu-central-1",
    "http_proxy": "http://192.0.2.12:3128",
    "HTTPS_PROXY": "http://192.0.2.12:3128",
    "ALL_PROXY": "socks5://192.0.2.12:1080",
    "FAILOVER_ENDPOINTS": "us-east-1=https://dynamodb.us-east-1.amazonaws.com,us-west-2=http://192.0.2.13:8000",
    "FAILOVER_NAMESERVER": "192.0.2.53:53",
}
"""The shell of a person with an AWS account, behind a proxy, that is set up for another installation."""
ODD = {
    "AWS_ACCESS_KEY_ID": "123456789012",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_PROFILE": "no-such-profile",
    "AWS_DEFAULT_PROFILE": "no-such-profile",
    "AWS_DEFAULTS_MODE": "odd",
    "AWS_RETRY_MODE": "odd",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_STS_REGIONAL_ENDPOINTS": "odd",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "odd",
    "AWS_DATA_PATH": "/nonexistent",
    "AWS_CA_BUNDLE": "/nonexistent/ca.pem",
    "AWS_METADATA_SERVICE_TIMEOUT": "soon",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "odd",
    "REQUESTS_CA_BUNDLE": "/nonexistent/ca.pem",
    "SSL_CERT_FILE": "/nonexistent/ca.pem",
    "SSLKEYLOGFILE": "/nonexistent/keys",
    "BOTO_CONFIG": "/nonexistent/boto",
    "PYNAMODB_CONFIG": "/nonexistent/settings.py",
}
"""Values that would stop an ordinary botocore client, or send its requests elsewhere."""
COMMANDS = [
    ("survey", "list"),
    ("survey", "export", "DEMO20"),
    ("create_tables",),
    ("create_tables", "--global"),
    ("routing", "auto", "--reason", "a test"),
    ("regions",),
    ("monitor",),
    ("fault", "--list"),
    ("students", "DEMO20"),
]


def home_with_files(home: Path) -> Path:
    """A home directory with the files that botocore reads. None of them is usable."""
    (home / ".aws" / "models").mkdir(parents=True)
    (home / ".aws" / "config").write_bytes(b"\xef\xbb\xbf[default]\nregion = eu-central-1\nregion = eu-west-1\n")
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id = 123456789012\n[default]\n")
    (home / ".aws" / "models" / "endpoints.json").write_text("{}")
    (home / ".boto").write_text("[Boto\n")
    return home


def leave_files_of_a_lab(lab_dir: Path, port: int) -> None:
    """Writes the files of a lab that was killed. Its port belongs to another program by now."""
    regions = ("us-east-1", "us-west-2")
    endpoints = ",".join(f"{region}=http://dynamodb.{region}.amazonaws.com:{port}" for region in regions)
    variables = {
        "FAILOVER_REGIONS": ",".join(regions),
        "FAILOVER_ENDPOINTS": endpoints,
        "FAILOVER_NAMESERVER": f"127.0.0.1:{port}",
        **KEYS,
    }
    (lab_dir / "app.env").write_text("".join(f"{name}={text}\n" for name, text in variables.items()))
    (lab_dir / "control.json").write_text(json.dumps({"url": f"http://127.0.0.1:{port}", "pid": 1, "engines": {}}))
    (lab_dir / "control.token").write_text("token\n")
    (lab_dir / "lab.lock").write_text("1\n")
    (lab_dir / "demo.lock").write_text("1\n")
    (lab_dir / "demo.json").write_text(json.dumps({"url": f"http://127.0.0.1:{port}/", "port": port, "pids": {}}))


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The only line that a failed command printed."""
    assert done.returncode in (1, 2), done.stdout + done.stderr
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    return lines[0]


def packets_of(*arguments: str, lab_dir: Path, out: Path, **extra: str) -> tuple[int, list[str]]:
    """Runs `manage.py ARGUMENTS` in a network without a way out.

    Returns its exit code and the addresses to which it sent packets.
    """
    out.unlink(missing_ok=True)
    done = subprocess.run(
        [*namespaces(), sys.executable, "-m", "tests.integration.packets", str(out), *MANAGE, *arguments],
        cwd=ROOT,
        env={**manage_environment(lab_dir), **extra},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert out.exists(), done.stdout + done.stderr
    addresses: list[str] = json.loads(out.read_text())
    return done.returncode, addresses


def test_without_a_lab_no_command_sends_anything(tmp_path: Path) -> None:
    home = home_with_files(tmp_path / "home")

    def run(case: tuple[int, tuple[str, ...]]) -> tuple[int, list[str]]:
        number, arguments = case
        lab_dir, out = tmp_path / f"lab-{number}", tmp_path / f"packets-{number}"
        return packets_of(*arguments, lab_dir=lab_dir, out=out, HOME=str(home), **USERS)

    for arguments, (code, elsewhere) in zip(COMMANDS, side_by_side(run, enumerate(COMMANDS)), strict=True):
        assert code in (1, 2), arguments
        assert elsewhere == [], arguments


def test_every_command_ignores_the_files_of_a_lab_that_died(tmp_path: Path) -> None:
    def run(case: tuple[int, tuple[str, ...]]) -> tuple[Path, subprocess.CompletedProcess[str]]:
        number, arguments = case
        lab_dir = tmp_path / f"lab-{number}"
        lab_dir.mkdir()
        leave_files_of_a_lab(lab_dir, other.getsockname()[1])
        return lab_dir, manage(*arguments, lab_dir=lab_dir, **ODD)

    with socket.create_server(("127.0.0.1", 0)) as other:
        finished = side_by_side(run, enumerate(COMMANDS))

        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()
    for lab_dir, done in finished:
        assert f"is running in LAB_DIR={lab_dir}: start `make demo`" in one_line(done)


def test_what_touches_no_region_needs_no_lab(tmp_path: Path) -> None:
    home = home_with_files(tmp_path / "home")
    expected = {
        ("check",): 0,
        ("help",): 0,
        ("migrate", "--check"): 1,  # there are migrations to run
        ("makemigrations", "--check"): 0,
        ("collectstatic", "--no-input", "--dry-run"): 1,  # the lab collects no static files
    }

    def run(case: tuple[int, tuple[str, ...]]) -> subprocess.CompletedProcess[str]:
        number, arguments = case
        return manage(*arguments, lab_dir=tmp_path / f"lab-{number}", **USERS, HOME=str(home))

    finished = side_by_side(run, enumerate(expected))
    for (arguments, code), done in zip(expected.items(), finished, strict=True):
        assert "no lab is running" not in done.stdout + done.stderr, arguments
        assert "Traceback" not in done.stderr, (arguments, done.stderr)
        assert done.returncode == code, (arguments, done.stderr)


def test_the_sniffer_of_these_tests_sees_packets_that_leave(tmp_path: Path) -> None:
    """With production's settings the same command does look up the real names."""
    production = {
        "DJANGO_SETTINGS_MODULE": "surveyapp.settings.production",
        "DJANGO_SECRET_KEY": "k" * 60,
        "DJANGO_ALLOWED_HOSTS": "survey.example",
        "FAILOVER_REGIONS": "us-east-1,us-west-2",
        "FAILOVER_RUN_DIR": str(tmp_path),
        **KEYS,
    }

    _code, elsewhere = packets_of("survey", "list", lab_dir=tmp_path, out=tmp_path / "packets", **production)

    assert elsewhere == ["192.0.2.53"]


@pytest.fixture(scope="module")
def lab_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lab that was started in a hostile environment."""
    home = home_with_files(tmp_path_factory.mktemp("homes") / "home")
    with lab_in(tmp_path_factory.mktemp("lab"), **{**USERS, **ODD, "HOME": str(home)}) as lab:
        yield lab.dir


@pytest.mark.lab
def test_commands_use_the_lab_whatever_the_environment_says(lab_dir: Path, tmp_path: Path) -> None:
    home = {"HOME": str(home_with_files(tmp_path / "home"))}
    environments = [home, {**USERS, **home}, {**ODD, **home}]

    created = side_by_side(lambda extra: manage("create_tables", lab_dir=lab_dir, **extra), environments)
    listed = side_by_side(lambda extra: manage("survey", "list", lab_dir=lab_dir, **extra), environments)

    for done in created:
        assert (done.returncode, done.stderr) == (0, "")
        assert {line.split()[-1] for line in done.stdout.splitlines()} == {"exists"}
    assert [(done.returncode, done.stderr) for done in listed] == [(0, "")] * len(environments)


@pytest.mark.lab
def test_the_function_counts_in_a_hostile_environment_too(lab_dir: Path) -> None:
    imported = manage("survey", "import", str(ROOT / "polls" / "demo_survey.json"), lab_dir=lab_dir)
    audited = manage("survey", "rebuild", "DEMO20", lab_dir=lab_dir, **USERS)

    assert imported.returncode == 0, imported.stderr
    assert audited.returncode == 0, audited.stderr


@pytest.mark.lab
def test_a_whole_demo_sends_no_packet_elsewhere(tmp_path: Path) -> None:
    lab_dir, out = tmp_path / "lab", tmp_path / "packets"
    home = home_with_files(tmp_path / "home")
    port = free_port()
    environment = {**USERS, **ODD, "HOME": str(home), "PORT": str(port), "WORKERS": "1", "LAB_RTT_MS": "0"}
    with subprocess.Popen(
        [*namespaces(), sys.executable, "-m", "tests.integration.packets", str(out), *MANAGE, "demo"],
        cwd=ROOT,
        env={**manage_environment(lab_dir), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            wait_while_running(process, (lab_dir / "demo.json").exists, within=90, what="the demo is ready")
        finally:
            if process.poll() is None and (lab_dir / "demo.lock").exists():
                os.kill(int((lab_dir / "demo.lock").read_text()), signal.SIGTERM)
            output, _ = process.communicate(timeout=60)

    assert process.returncode == 0, output
    assert json.loads(out.read_text()) == []
