"""The dashboard over status documents that lie where a monitor would put them: no region is
reached.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from failover import gateway, wiring
from failover.adapters.control_store import write_decision
from failover.conf import FailoverConfig
from failover.core.status.types import StatusDocument
from failover.gateway import decide
from tests.failover.dashboard.documents import EAST, WEST, publish

Publish = Callable[[Callable[[float], StatusDocument]], StatusDocument]


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    """This process wired to a run directory of its own, and to regions whose ports are closed."""
    raw = {
        "REGIONS": f"{EAST},{WEST}",
        "ENDPOINTS": f"{EAST}=http://127.0.0.1:9,{WEST}=http://127.0.0.1:9",
        "RUN_DIR": str(tmp_path / "run"),
        "DEADLINE_S": "0.5",
    }
    with wiring.using(FailoverConfig.parse(raw)):
        yield tmp_path / "run"


@pytest.fixture
def monitor(run_dir: Path) -> Publish:
    """Publishes a document as a monitor would; `age_s` seconds ago."""

    def published(build: Callable[[float], StatusDocument], age_s: float = 0.0) -> StatusDocument:
        at = gateway.clock.wall() - age_s
        document = build(at)
        publish(run_dir, document, at)
        return document

    return published


@pytest.fixture
def staff(db: None) -> Client:
    """A signed-in instructor, with a password that nobody types: hashing one takes a fifth of a
    second.
    """
    client = Client()
    client.force_login(
        User.objects.create(username="instructor", password="not hashed", is_staff=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


@pytest.fixture
def rival(app: object) -> Iterator[None]:
    """Somebody else decides in the moment between a wish's look at the decisions and its own
    writing.
    """
    read = decide.read_decisions

    def overtaken(*, strong: bool = False) -> list[gateway.Decision]:
        known = read(strong=strong)
        epoch = max((decision.epoch for decision in known), default=0) + 1
        at = gateway.clock.wall() + 1.0
        write_decision(gateway.Decision("pinned", EAST, epoch, "rival", actor="otto", reason="my turn", at=at))
        return known

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide, "read_decisions", overtaken)
        yield
    gateway.route("auto", None, actor="test", reason="the end of the test")
