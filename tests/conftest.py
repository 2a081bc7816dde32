"""The live lab, for every test that needs regions: real engines, a real DNS server, real sockets, started once a
session.
"""

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

# A deadline in milliseconds, or a check how fast examples are made, would make the machine's load a test result.
# CI looks at the same examples each time, whoever runs the tests elsewhere at others.
hypothesis_settings.register_profile(
    "ours", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("ours")


# What two busy cores may do to a test that waits for real processes. Such a test is tried once more, and pytest's last
# line says so. A wrong answer fails at once, and so does a wait for what was stored: it may be a vote that was lost.
OUT_OF_TIME = [
    r"(?m)^(?!.*(vote|ballot|replica|row|tall|count)).*: not within [\d.]+ s",
    r"NoRegionAnswered",
    r"Timeout \d+ms exceeded",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.iter_markers("lab")) or any(item.iter_markers("browser")):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=OUT_OF_TIME))
    # The session's lab runs from its first test to the last: beside labs of other tests it would only take their time.
    shares = {item.path for item in items if "lab" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in shares)


def pytest_collection_finish() -> None:
    """What is there by now stays to the end: the garbage collector need not go through it again and again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _the_sdk_reads_its_data_once() -> Iterator[None]:
    """Many tests make clients of their own, for each of which the SDK would read megabytes of JSON once more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_quickly() -> Iterator[None]:
    """What makes a password slow to guess would take a quarter of a second for each account of a test."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_looked_for_once() -> Iterator[None]:
    """Every test client makes the middleware anew, and WhiteNoise would look through all static files each time."""
    look, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def once(self: WhiteNoiseMiddleware) -> None:
        if self.static_prefix not in found:
            look(self)
            found[self.static_prefix] = dict(self.files)
        self.files.update(found[self.static_prefix])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", once)
        yield


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
        return FailoverConfig.parse(
            {**told, "RUN_DIR": str(run_dir), "HOLD_S": "0.3", "HEARTBEAT_S": "0.5", **overrides}
        )

    def fault(self, *arguments: str) -> None:
        """`manage.py fault ...` in this lab."""
        fault(self.dir, *arguments)


@contextlib.contextmanager
def lab_in(lab_dir: Path, **environment: str) -> Iterator[Lab]:
    """Starts a lab without added latency, and ends it."""
    with running("lab", lab_dir=lab_dir, LAB_RTT_MS="0", **environment) as process:
        wait_while_running(process, (lab_dir / "app.env").exists, within=60, what="the lab is ready")
        yield Lab(lab_dir)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of the session's own, without a web tier and without added latency."""
    with lab_in(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def wired(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[wiring.Wired]:
    """This process's gateway, wired to the session's lab."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ACCOUNT_ID_ENDPOINT_MODE"):
            patch.setenv(name, lab.environment()[name])
        with wiring.using(lab.config(tmp_path_factory.mktemp("run"))) as wired:
            yield wired


@pytest.fixture(autouse=True)
def _no_survey_in_memory() -> Iterator[None]:
    """No test knows the surveys of the one before, nor keeps them fresh in the background."""
    yield
    selectors._surveys.forget()


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
