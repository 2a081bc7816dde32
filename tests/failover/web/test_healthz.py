"""Readiness where a region refuses: another that answers is enough, and nobody is told AWS's own words."""

from pathlib import Path

import pytest
from django.test import Client

from failover import wiring
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.failover.adapters.faulty_regions import faulty_regions

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


def test_a_stack_whose_own_region_refuses_is_ready_by_the_other(tmp_path: Path, client: Client) -> None:
    with faulty_regions(DENIES, WELL, tmp_path):
        response = client.get("/healthz/ready")

    assert (response.status_code, response.json()) == (200, {"status": "ready", "region": WEST})
    assert response["X-Served-Region"] == WEST
    first, second = response["Server-Timing"].split(", ")
    assert first.startswith(f'{EAST};desc="denied";dur=')
    assert second.startswith(f'{WEST};desc="ok";dur=')


def test_a_stack_that_fails_over_to_a_region_that_refuses_is_not_ready(tmp_path: Path, client: Client) -> None:
    with faulty_regions(faulty.closes, DENIES, tmp_path):
        response = client.get("/healthz/ready")

    assert response.status_code == 503
    attempts = response.json()["attempts"]
    assert sorted((attempt["region"], attempt["outcome"], attempt["detail"]) for attempt in attempts) == [
        (EAST, "connect", "the connection was cut before a reply"),
        (WEST, "denied", "AccessDeniedException"),
    ]


def test_where_every_region_refuses_the_reason_is_plain_and_names_no_account(tmp_path: Path, client: Client) -> None:
    with faulty_regions(DENIES, DENIES, tmp_path):
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
    settings.FAILOVER = {"REGIONS": ""}
    response = client.get("/healthz/ready")

    assert (response.status_code, response.json()["reason"]) == (503, "ImproperlyConfigured")
