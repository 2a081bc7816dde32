"""The live lab for every test that needs regions, started once per session; and what makes all tests faster."""

import contextlib
import functools
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import botocore.session
import pytest
from django.test import override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from whitenoise.middleware import WhiteNoiseMiddleware

from failover import gateway, wiring
from failover.conf import FailoverConfig
from polls.surveys import selectors
from polls.surveys.models import SurveyRow
from tests.faults import fault
from tests.processes import running, wait_while_running
from tests.waiting import wait_until

# Neither a deadline nor the health check for slow examples: a busy machine must not fail a test. CI tries the same
# examples each time; other runs try random ones.
hypothesis_settings.register_profile(
    "ours", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("ours")


# Failures that a busy machine can cause in a test that waits for real processes. Such a test runs once more, and
# pytest's last line reports it. A wrong answer fails at once. So does waiting in vain for stored data: it may be lost.
OUT_OF_TIME = [
    r"(?m)^(?!.*(vote|ballot|replica|row|tall|count)).*: not within [\d.]+ s",
    r"NoRegionAnswered",
    r"Timeout \d+ms exceeded",
]


# Folders and modules whose tests start processes or look at very many examples: `make unit` leaves them out.
SLOW = (
    "bench",
    "integration",
    "simulation",
    "failover/adapters/test_dead_pools",
    "failover/adapters/test_dial",
    "failover/adapters/test_dns",
    "failover/adapters/test_reach",
    "failover/adapters/test_sdk_settings",
    "failover/core/test_router_properties",
    "failover/core/test_watch_properties",
    "failover/drills",
    "failover/lab",
    "failover/test_checks",
    "polls/ballots/test_zombie_orders",
    "polls/builder/test_builder",
    "polls/common/test_local_times",
    "polls/results/test_csv_export",
    "polls/surveys/test_listing_properties",
    "polls/views/test_refusing_regions",
    "test_output",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker("slow")
        if any(item.iter_markers("lab")) or any(item.iter_markers("browser")):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=OUT_OF_TIME))
    # Modules that use the session's lab run last, so that it takes no time from tests with labs of their own.
    users = {item.path for item in items if "lab" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in users)


def pytest_collection_finish() -> None:
    """Exempts all objects so far from garbage collection: they live until the end anyway."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _the_sdk_reads_its_data_once() -> Iterator[None]:
    """The SDK would read megabytes of JSON again for every client that a test makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_quickly() -> Iterator[None]:
    """A hash that is slow to guess would take a quarter of a second for each account of a test."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_looked_for_once() -> Iterator[None]:
    """WhiteNoise would search all static files again for every test client, each of which makes the middleware."""
    search, files = WhiteNoiseMiddleware.add_files_from_finders, {}

    def once(self: WhiteNoiseMiddleware) -> None:
        if self.static_prefix not in files:
            search(self)
            files[self.static_prefix] = dict(self.files)
        self.files.update(files[self.static_prefix])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", once)
        yield


@dataclass(frozen=True)
class Lab:
    """A running local cloud, found through its directory."""

    dir: Path

    def environment(self) -> dict[str, str]:
        """The variables that the lab hands to the application."""
        lines = (line.partition("=") for line in (self.dir / "app.env").read_text().splitlines())
        return {name: value for name, _, value in lines}

    def config(self, run_dir: Path, **overrides: str) -> FailoverConfig:
        """Failover settings for this lab."""
        names = ("REGIONS", "ENDPOINTS", "NAMESERVER")
        of_the_lab = {name: self.environment()[f"FAILOVER_{name}"] for name in names}
        return FailoverConfig.parse(
            {**of_the_lab, "RUN_DIR": str(run_dir), "HOLD_S": "0.3", "HEARTBEAT_S": "0.5", **overrides}
        )

    def fault(self, *arguments: str) -> None:
        """Runs `manage.py fault ARGUMENTS` in this lab."""
        fault(self.dir, *arguments)


@contextlib.contextmanager
def lab_in(lab_dir: Path, **environment: str) -> Iterator[Lab]:
    """Starts a lab without added latency, and ends it."""
    with running("lab", lab_dir=lab_dir, LAB_RTT_MS="0", **environment) as process:
        wait_while_running(process, (lab_dir / "app.env").exists, within=60, what="the lab is ready")
        yield Lab(lab_dir)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The session's lab, without a web tier and without added latency."""
    with lab_in(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def wired(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[wiring.Wired]:
    """Wires this process's gateway to the session's lab."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ACCOUNT_ID_ENDPOINT_MODE"):
            patch.setenv(name, lab.environment()[name])
        with wiring.using(lab.config(tmp_path_factory.mktemp("run"))) as wired:
            yield wired


@pytest.fixture(autouse=True)
def _no_survey_in_memory() -> Iterator[None]:
    """Forgets the surveys that a test has read, so that none is refreshed in the background of the next test."""
    yield
    selectors._surveys.forget()


@pytest.fixture
def app(lab: Lab, wired: wiring.Wired) -> Iterator[Lab]:
    """The lab, with this process wired to it. Afterwards clears every fault and waits until each region answers."""
    yield lab
    lab.fault("--clear")
    wait_until(lambda: len(rows_held("NONE")) == len(gateway.regions()), within=30, what="every region answers")


def rows_held(code: str) -> dict[str, int]:
    """The number of rows of a survey in each region that answers this process."""
    try:
        return gateway.everywhere(lambda _bound: len(list(SurveyRow.query(code))), timeout=1.0)
    except gateway.NoRegionAnswered:
        return {}
