"""The wiring that a test of this folder replaces is put back behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.adapters import dns, models
from failover.core.fakes import FakeClock
from failover.lab.network.dns import NameServer
from tests.failover.adapters import faulty
from tests.failover.adapters.names import Name
from tests.failover.adapters.resolvers import resolver


@pytest.fixture(autouse=True)
def _models_are_wired_again() -> Iterator[None]:
    """The session's own lab, if there is one, stays wired."""
    before = models._connections
    yield
    models.use_connections(before)


@pytest.fixture
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process finds no credentials, wherever the SDK looks for them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture(scope="module")
def _region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[faulty.Region]:
    with faulty.region(tmp_path_factory.mktemp("run")) as region:
        yield region


@pytest.fixture
def region(_region: faulty.Region) -> faulty.Region:
    """A region that behaves as a test has it, and the real client of it."""
    _region.wire()
    return _region


@pytest.fixture(scope="module")
def lab_nameserver() -> Iterator[NameServer]:
    server = NameServer(("us-east-1",))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def lab_resolver(lab_nameserver: NameServer) -> dns.Resolver:
    return resolver(("127.0.0.1", lab_nameserver.port))


@pytest.fixture
def dead_resolver() -> dns.Resolver:
    """Whoever it asks, it gets no answer: what succeeds with it did not ask it."""
    return resolver(("127.0.0.1", 9))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def name() -> Name:
    return Name("192.0.2.1")
