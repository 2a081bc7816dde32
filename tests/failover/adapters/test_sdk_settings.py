"""In production the SDK's own variables and files count, and a wrong one is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from failover.adapters.sdk_settings import sdk_problems
from failover.conf import FailoverConfig
from tests.processes import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of a test's own, and no variable of AWS."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SSL", "REQUESTS"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path


def named(tmp_path: Path) -> list[str]:
    config = FailoverConfig(regions=("us-east-1", "us-west-2"), endpoints={}, nameserver=None, run_dir=tmp_path / "run")
    before = dict(os.environ)
    problems = sdk_problems(config)
    assert dict(os.environ) == before
    assert all("\n" not in problem.message for problem in problems)
    return [problem.variable for problem in problems]


def test_what_an_ordinary_user_has_is_no_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".aws" / "config").write_text("[default]\nregion = eu-central-1\n\n[profile work]\nregion = us-east-1\n")
    (home / ".aws" / "credentials").write_text("[work]\naws_access_key_id = AKIA\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "standard")

    assert named(home) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AWS_DEFAULTS_MODE", "odd"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "odd"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "odd"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "soon"),
        ("AWS_PROFILE", "no-such-profile"),
        ("AWS_CA_BUNDLE", "/nonexistent/ca.pem"),
        ("SSLKEYLOGFILE", "/nonexistent/keys"),
    ],
)
def test_a_variable_that_the_sdk_cannot_use_is_named(
    name: str, text: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)

    if name == "SSLKEYLOGFILE" and named(home) == []:
        pytest.skip("this Python writes no TLS keys")
    assert named(home) == [name]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf[default]\nregion = x\n",
        b"[default]\nregion = x\nregion = y\n",
        b"[default]\n[default]\n",
        b"\xff\xfe\x00",
        b"no section\n",
    ],
    ids=["a byte order mark", "a key twice", "a section twice", "no text", "no section"],
)
@pytest.mark.parametrize("file", ["config", "credentials"])
def test_a_file_that_the_sdk_cannot_read_is_named(file: str, content: bytes, home: Path) -> None:
    (home / ".aws" / file).write_bytes(content)

    assert named(home) == [f"~/.aws/{file}"]


def test_broken_data_of_a_persons_own_is_named_and_does_not_count_for_the_lab(home: Path) -> None:
    code = (
        "from failover.adapters.sdk_settings import sdk_problems; from failover.conf import FailoverConfig;"
        "told = {'REGIONS': 'us-east-1', 'RUN_DIR': 'run'};"
        "print([[p.variable for p in sdk_problems(FailoverConfig.parse({**told, 'LOOPBACK_ONLY': lab}))]"
        " for lab in ('', 'yes')])"
    )
    (home / ".aws" / "models").mkdir()
    (home / ".aws" / "models" / "endpoints.json").write_text("{}")

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("[['~/.aws/models'], []]", "")


def test_several_mistakes_are_named_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".aws" / "config").write_bytes(b"\xef\xbb\xbf[default]\n")
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "odd")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")

    assert named(home) == ["~/.aws/config", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "AWS_DEFAULTS_MODE"]
