"""The wiring that a test of this folder replaces is put back behind it."""

from collections.abc import Iterator

import pytest

from failover.adapters import models


@pytest.fixture(autouse=True)
def _models_are_wired_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Regions that are no regions take any credentials; the session's own lab, if there is one, stays wired."""
    before = models._connections
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield
    models.use_connections(before)
