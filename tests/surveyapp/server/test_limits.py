"""The limit of open files follows the connections, as far as the system lets it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import ROOT


@pytest.mark.parametrize(
    ("soft", "hard", "outcome"),
    [(300, 4_000, "1000 1256"), (1_500, 4_000, "1000 1500"), (300, 300, "150 300"), (100, 600, "344 600")],
    ids=["raised", "enough", "cannot be raised", "raised as far as it goes"],
)
def test_so_many_connections_fit_as_files_may_be_open(soft: int, hard: int, outcome: str) -> None:
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        "from surveyapp.server.limits import allow_files;"
        "print(allow_files(1_000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == outcome, done.stderr
