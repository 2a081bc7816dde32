"""What the tests of the engine share: credentials, and this process wired to the lab or to half of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from failover import wiring
from tests.conftest import Lab
from tests.failover.adapters.faulty import EAST
from tests.processes import free_port


@pytest.fixture(scope="module", autouse=True)
def credentials() -> Iterator[None]:
    """The SDK sends nothing without credentials. The regions of these tests take any."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        yield


@pytest.fixture
def gate(lab: Lab, tmp_path: Path) -> Iterator[wiring.Wired]:
    """A wiring of the test's own to the lab: all circuits are closed, and no monitor runs."""
    with wiring.using(lab.config(tmp_path)) as wired:
        yield wired


@pytest.fixture
def endpoints_without_east(lab: Lab) -> str:
    """The lab's endpoints, but us-east-1's refuses connections."""
    west = lab.environment()["FAILOVER_ENDPOINTS"].split(",")[1]
    return f"{EAST}=http://127.0.0.1:{free_port()},{west}"


@pytest.fixture
def east_is_down(lab: Lab, tmp_path: Path, endpoints_without_east: str) -> Iterator[wiring.Wired]:
    """As `gate`, but us-east-1 refuses connections."""
    with wiring.using(lab.config(tmp_path, ENDPOINTS=endpoints_without_east)) as wired:
        yield wired


@pytest.fixture
def no_region_answers(lab: Lab, tmp_path: Path) -> Iterator[wiring.Wired]:
    """As `gate`, but both regions refuse connections."""
    refusing = ",".join(f"{region}=http://127.0.0.1:{free_port()}" for region in lab.config(tmp_path).regions)
    with wiring.using(lab.config(tmp_path, ENDPOINTS=refusing)) as wired:
        yield wired
