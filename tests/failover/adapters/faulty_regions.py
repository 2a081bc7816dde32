"""The whole application wired to two regions that behave as a test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from failover import wiring
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST


@contextmanager
def faulty_regions(east: faulty.Behaviour, west: faulty.Behaviour, run_dir: Path) -> Iterator[None]:
    """Within the block this process is wired to two regions that behave so, and has credentials."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        behaviours = {EAST: east, WEST: west}
        ports = {name: stack.enter_context(faulty.server(behave)) for name, behave in behaviours.items()}
        stack.enter_context(wiring.using(faulty.make_config(run_dir, ports, timeout=faulty.PATIENT_S)))
        yield
