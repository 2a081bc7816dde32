"""The wiring that a test of this folder replaces is put back behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.adapters import models
from tests.failover.adapters import faulty


@pytest.fixture(autouse=True)
def _models_are_wired_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Regions that are no regions take any credentials; the session's own lab, if there is one, stays wired."""
    before = models._connections
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield
    models.use_connections(before)


@pytest.fixture
def no_credentials(_models_are_wired_again: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process finds no credentials, wherever the SDK looks for them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture(scope="module")
def _region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[faulty.Region]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        with faulty.region(tmp_path_factory.mktemp("run")) as region:
            yield region


@pytest.fixture
def region(_region: faulty.Region) -> faulty.Region:
    """A region that behaves as a test has it, and the real client of it."""
    _region.wire()
    return _region
