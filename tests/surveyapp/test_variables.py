"""Every variable of `.env.example`: a value that cannot be used is told in a line that names the
variable.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from failover.lab.config import LabConfig
from failover.lab.demo.config import DemoConfig
from failover.lab.environment import DEMO, isolate
from failover.lab.errors import LabError
from tests.deploy_check import ROOT, production_environment
from tests.processes import free_port

EXAMPLE = (ROOT / ".env.example").read_text()
NAMES = re.findall(r"^([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
NAMES.remove("YES")  # an answer to a question, and whatever is not 1 is no yes
OF_THE_DEMO = [name for name in NAMES if (name in DEMO or name.startswith("LAB_")) and name not in ("WORKERS", "BIND")]
KINDS = {
    "empty": "",
    "blanks": "  \t ",
    "a word": "rubbish",
    "a negative number": "-5",
    "a huge number": "9" * 400,
    "a dollar": "$HOME",
    "a long text": "x" * 5_000,
}
FREE = {"SURVEY_METRICS_TOKEN", "SURVEY_INSTALLATION", "FAILOVER_RUN_DIR", "AWS_ACCOUNT_ID_ENDPOINT_MODE"}
"""Any text will do, a directory is only made when it is needed, and a mode that is not "disabled"
is a warning.
"""
FITS = {
    ("DJANGO_ALLOWED_HOSTS", "a word"),
    ("DJANGO_ALLOWED_HOSTS", "a negative number"),
    ("DJANGO_ALLOWED_HOSTS", "a huge number"),
    ("DJANGO_ALLOWED_HOSTS", "a long text"),
    ("DJANGO_SECRET_KEY", "a huge number"),
    ("DJANGO_SECRET_KEY", "a long text"),
    ("DJANGO_SQLITE_PATH", "a word"),
    ("DJANGO_SQLITE_PATH", "a negative number"),
    ("DJANGO_SQLITE_PATH", "a dollar"),
    ("FAILOVER_LAG_LIMIT_MS", "a number"),
}
REQUIRED = {"DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS", "FAILOVER_REGIONS", "FAILOVER_RUN_DIR"}
CASES = [(name, kind) for name in NAMES if name not in OF_THE_DEMO for kind in KINDS]


def program_of(name: str) -> str:
    """What reads the variable."""
    return "deploy/gunicorn.conf.py" if name in ("BIND", "WORKERS") or name.startswith("WEB_") else "manage.py"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[int, str]]:
    """Production's exit code and output for each value, by variable and kind."""
    folder: Path = tmp_path_factory.mktemp("variables")
    usual = {**production_environment(str(folder)), "HOME": str(folder), "DJANGO_SQLITE_PATH": str(folder / "db")}
    environments = [(program_of(name), {**usual, name: KINDS[kind]}) for name, kind in CASES]
    done = subprocess.run(
        [sys.executable, "-m", "tests.variables"],
        input=json.dumps([("manage.py", usual), *environments]),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {case: tuple(result) for case, result in zip(CASES, json.loads(done.stdout)[1:], strict=True)}


@pytest.mark.parametrize(("name", "kind"), CASES, ids=[f"{name} is {kind}" for name, kind in CASES])
def test_a_value_either_works_or_is_refused_with_the_name_of_its_variable(
    name: str, kind: str, outcomes: dict[tuple[str, str], tuple[int, str]]
) -> None:
    code, text = outcomes[name, kind]

    assert "Traceback" not in text, text
    if kind in ("empty", "blanks"):
        assert code == (name in REQUIRED), text
    elif name not in FREE and (name, kind) not in FITS and not name.startswith("AWS_"):
        assert code == 1, f"{name}={KINDS[kind]} is taken"
    if code:
        assert name in text, text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OF_THE_DEMO)
def test_a_value_for_the_demo_either_works_or_is_refused_with_the_name_of_its_variable(
    name: str, kind: str, tmp_path: Path
) -> None:
    environ = {"PORT": str(free_port()), "LAB_DIR": str(tmp_path), name: KINDS[kind]}
    isolate(environ)
    if kind in ("empty", "blanks"):
        assert name not in environ
        environ.setdefault("PORT", str(free_port()))
    refusal = ""
    try:
        lab = LabConfig.from_env(environ)
        DemoConfig.from_env(environ, lab_dir=lab.lab_dir, password="p")
    except LabError as error:
        refusal = str(error)

    any_text_will_do = name in {"DEMO_PASSWORD", "DYNAMODB_LOCAL_DIR", "LAB_MINISTACK", "LAB_DIR"}
    assert bool(refusal) == (kind not in ("empty", "blanks") and not any_text_will_do), refusal
    assert not refusal or (name in refusal and "\n" not in refusal)
