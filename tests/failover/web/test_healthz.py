"""Readiness where a region refuses: another that answers is enough, and nobody is told AWS's own words."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.test import Client

from failover import wiring
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST

WELL = faulty.says(faulty.reply(200, {"Items": [], "Count": 0, "ScannedCount": 0}))
ACCOUNT = "123456789012"
DENIES = faulty.says(
    faulty.reply(
        400,
        {
            "__type": "com.amazonaws.dynamodb.v20120810#AccessDeniedException",
            "message": f"User: arn:aws:iam::{ACCOUNT}:user/web is not authorized to perform: dynamodb:Query",
        },
    )
)


@contextmanager
def regions(east: faulty.Behaviour, west: faulty.Behaviour, run_dir: Path) -> Iterator[None]:
    """This process wired to two regions that behave so."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(faulty.server(one)) for name, one in ((EAST, east), (WEST, west))}
        stack.enter_context(wiring.using(faulty.make_config(run_dir, ports, timeout=faulty.PATIENT_S)))
        yield


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def test_a_stack_whose_own_region_refuses_is_ready_by_the_other(tmp_path: Path, client: Client) -> None:
    with regions(DENIES, WELL, tmp_path):
        response = client.get("/healthz/ready")

    assert (response.status_code, response.json()) == (200, {"status": "ready", "region": WEST})
    assert response["X-Served-Region"] == WEST
    first, second = response["Server-Timing"].split(", ")
    assert first.startswith(f'{EAST};desc="denied";dur=')
    assert second.startswith(f'{WEST};desc="ok";dur=')


def test_a_stack_that_fails_over_to_a_region_that_refuses_is_not_ready(tmp_path: Path, client: Client) -> None:
    with regions(faulty.closes, DENIES, tmp_path):
        response = client.get("/healthz/ready")

    assert response.status_code == 503
    told = [(one["region"], one["outcome"], one["detail"]) for one in response.json()["attempts"]]
    assert sorted(told) == [
        (EAST, "connect", "the connection was cut before a reply"),
        (WEST, "denied", "AccessDeniedException"),
    ]


def test_where_every_region_refuses_the_reason_is_plain_and_names_no_account(tmp_path: Path, client: Client) -> None:
    with regions(DENIES, DENIES, tmp_path):
        response = client.get("/healthz/ready")

    assert response.status_code == 503
    assert response.json()["reason"].startswith(
        f"every region refused the call (AccessDeniedException), which is a mistake in the configuration: {EAST} "
    )
    assert f"{WEST} denied (" in response.json()["reason"]
    assert ACCOUNT not in response.content.decode()
    assert "arn:" not in response.content.decode()


def test_a_process_that_cannot_be_wired_is_not_ready(
    tmp_path: Path, client: Client, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "_current", None)
    settings.FAILOVER = {"REGIONS": ""}  # type: ignore[attr-defined]
    response = client.get("/healthz/ready")

    assert (response.status_code, response.json()["reason"]) == (503, "ImproperlyConfigured")
