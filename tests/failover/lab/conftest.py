"""One lab that many tests share, and fronts before a region that only echoes."""

import threading
from collections.abc import Iterator

import pytest

from failover.lab.network.gate import FrontLoop, Gate
from tests.failover.lab.network.fronts import RTT_MS, EchoServer
from tests.failover.lab.support import OwnLab, own_lab


@pytest.fixture(scope="package")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnLab]:
    with own_lab(tmp_path_factory.mktemp("own-lab")) as lab:
        yield lab


@pytest.fixture
def cloud(shared_lab: OwnLab) -> Iterator[OwnLab]:
    """The shared lab. After the test every fault in it is cleared."""
    yield shared_lab
    shared_lab.client.clear()


@pytest.fixture(scope="package")
def echo() -> Iterator[int]:
    """The port of an engine that sends back what it gets."""
    with EchoServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="package")
def loop() -> Iterator[FrontLoop]:
    """The thread in which every front of these tests runs."""
    loop = FrontLoop()
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture
def near(loop: FrontLoop, echo: int) -> Iterator[Gate]:
    """An open front, no distance away."""
    gate = Gate(loop, 0.0)
    gate.ready(echo)
    yield gate
    gate.end()


@pytest.fixture
def far(loop: FrontLoop, echo: int) -> Iterator[Gate]:
    """An open front, far away."""
    gate = Gate(loop, RTT_MS)
    gate.ready(echo)
    yield gate
    gate.end()
