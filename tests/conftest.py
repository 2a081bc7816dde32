"""The live lab, for every test that needs regions: real engines, a real DNS server, real sockets, started once a
session.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from failover import gateway, wiring
from failover.conf import FailoverConfig
from polls.models import SurveyRow
from tests.faults import fault
from tests.processes import running
from tests.waiting import wait_until

# A deadline in milliseconds would make the machine's load a test result.
# CI looks at the same examples each time, whoever runs the tests elsewhere at others.
hypothesis_settings.register_profile("ours", deadline=None, derandomize="CI" in os.environ)
hypothesis_settings.load_profile("ours")


@dataclass(frozen=True)
class Lab:
    """A running local cloud, found through its directory."""

    dir: Path

    def environment(self) -> dict[str, str]:
        """What the lab tells the application."""
        found: dict[str, str] = {}
        for line in (self.dir / "app.env").read_text().splitlines():
            name, _, value = line.partition("=")
            found[name] = value
        return found

    def config(self, run_dir: Path, **overrides: str) -> FailoverConfig:
        """Failover settings for this lab."""
        names = ("REGIONS", "ENDPOINTS", "NAMESERVER")
        told = {name: self.environment()[f"FAILOVER_{name}"] for name in names}
        return FailoverConfig.parse({**told, "RUN_DIR": str(run_dir), "HOLD_S": "1", "HEARTBEAT_S": "0.5", **overrides})

    def fault(self, *arguments: str) -> None:
        """`manage.py fault ...` in this lab."""
        fault(self.dir, *arguments)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of the session's own, without a web tier and without added latency."""
    lab_dir = tmp_path_factory.mktemp("lab")
    with running("lab", lab_dir=lab_dir, LAB_RTT_MS="0") as process:

        def ready() -> bool:
            assert process.poll() is None, f"the lab ended: {process.communicate()[0]}"
            return (lab_dir / "app.env").exists()

        wait_until(ready, within=60, what="the lab is ready")
        yield Lab(lab_dir)


@pytest.fixture(scope="session")
def wired(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[wiring.Wired]:
    """This process's gateway, wired to the session's lab."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ACCOUNT_ID_ENDPOINT_MODE"):
            patch.setenv(name, lab.environment()[name])
        with wiring.using(lab.config(tmp_path_factory.mktemp("run"))) as wired:
            yield wired


@pytest.fixture
def app(lab: Lab, wired: wiring.Wired) -> Iterator[Lab]:
    """The lab with this process wired to it; whatever a test broke is restored behind it, until every region answers
    this process again.
    """
    yield lab
    lab.fault("--clear")
    wait_until(lambda: len(rows_held("NONE")) == len(gateway.regions()), within=30, what="every region answers")


def rows_held(code: str) -> dict[str, int]:
    """How many rows of a survey each region has, of the regions that answer this process."""
    try:
        return gateway.everywhere(lambda _bound: len(list(SurveyRow.query(code))), timeout=1.0)
    except gateway.NoRegionAnswered:
        return {}
