"""Rules about the source that import-linter cannot express."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.deploy_check import ROOT, production_environment

CLOCKLESS = [
    path
    for folder in ("failover", "polls", "surveyapp")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_relative_to(ROOT / "failover" / "lab")
    and not path.is_relative_to(ROOT / "failover" / "drills")
    and path != ROOT / "failover" / "adapters" / "clock.py"
]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports absolutely, anywhere in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def test_the_core_imports_nothing_but_the_standard_library_and_itself() -> None:
    for path in (ROOT / "failover" / "core").rglob("*.py"):
        for name in imports(path):
            known = name.split(".")[0] in sys.stdlib_module_names or name.startswith("failover.core")
            assert known, f"{path.name} imports {name}"


def test_the_core_uses_neither_a_clock_nor_chance() -> None:
    for path in (ROOT / "failover" / "core").rglob("*.py"):
        assert not {"time", "random"} & set(imports(path)), path.name


def test_only_the_clock_adapter_the_monitor_the_lab_and_the_drills_read_a_clock_or_sleep() -> None:
    reads = {
        "time.time",
        "time.sleep",
        "time.monotonic",
        "datetime.now",
        "datetime.utcnow",
        "timezone.now",
        "date.today",
    }
    for path in CLOCKLESS:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert f"{node.value.id}.{node.attr}" not in reads, f"{path}:{node.lineno}"
        assert "time" not in set(imports(path)), f"{path} imports time"


def test_production_settings_load_neither_the_lab_nor_the_drills(tmp_path: Path) -> None:
    program = (
        "import django, sys; django.setup(); import surveyapp.urls, surveyapp.wsgi, failover.monitor.process;"
        "from django.core.management import get_commands; commands = get_commands();"
        "assert 'monitor' in commands and 'survey' in commands;"
        "assert not {'fault', 'lab', 'demo', 'students'} & set(commands), commands;"
        "print([m for m in sys.modules if m.startswith(('failover.lab', 'failover.drills'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=production_environment(str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_every_module_of_failover_is_in_the_contract_against_the_lab() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    production = set(next(c for c in contracts if c["name"].startswith("4."))["source_modules"])
    modules = {
        f"failover.{entry.stem}"
        for entry in (ROOT / "failover").iterdir()
        if entry.name not in ("__init__.py", "__pycache__", "apps.py") and (entry.is_dir() or entry.suffix == ".py")
    }
    assert modules - production == {"failover.lab", "failover.drills"}


def test_lock_files_are_hashed_and_name_no_index() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "--hash=sha256:" in text, path.name
        assert "index-url" not in text, path.name
        assert "://" not in text, path.name


def test_no_test_sleeps_except_in_wait_until() -> None:
    # Benchmarks may sleep, to pace the load that they make.
    files = [path for path in (ROOT / "tests").rglob("*.py") if "bench" not in path.parts]
    assert [path.name for path in files if ".sleep" + "(" in path.read_text()] == ["waiting.py"]
