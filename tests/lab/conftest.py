"""One lab for all tests that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.lab.support import OwnLab, own_lab


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnLab]:
    with own_lab(tmp_path_factory.mktemp("own-lab")) as lab:
        yield lab


@pytest.fixture
def cloud(shared_lab: OwnLab) -> Iterator[OwnLab]:
    """The shared lab; whatever a test broke in it is mended behind it."""
    yield shared_lab
    shared_lab.client.clear()
