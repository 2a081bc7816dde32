"""`/healthz/`, against the live lab: which regions make it ready, and what it says of the others."""

from __future__ import annotations

import pytest
from django.test import Client

from failover import wiring
from tests.failover.adapters.faulty import EAST, WEST

pytestmark = pytest.mark.lab

Gateway = wiring.Wired


def test_readiness_names_the_region_that_answered_and_the_headers_agree(gate: Gateway, client: Client) -> None:
    response = client.get("/healthz/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "region": EAST}
    assert response["X-Served-Region"] == EAST
    assert response["Server-Timing"].startswith(f'{EAST};desc="ok";dur=')


def test_readiness_survives_the_loss_of_one_region_and_shows_the_detour(east_is_down: Gateway, client: Client) -> None:
    response = client.get("/healthz/ready")

    assert (response.status_code, response.json()["region"]) == (200, WEST)
    assert response["X-Served-Region"] == WEST
    first, second = response["Server-Timing"].split(", ")
    assert first.startswith(f'{EAST};desc="connect";dur=')
    assert second.startswith(f'{WEST};desc="ok";dur=')


def test_no_region_at_all_is_not_ready_and_says_why_but_alive(no_region_answers: Gateway, client: Client) -> None:
    ready, live = client.get("/healthz/ready"), client.get("/healthz/live")

    assert ready.status_code == 503
    reply = ready.json()
    assert reply["status"] == "unavailable"
    assert "no region answered" in reply["reason"]
    assert [(attempt["region"], attempt["outcome"], attempt["detail"]) for attempt in reply["attempts"]] == [
        (EAST, "connect", "the connection was refused"),
        (WEST, "connect", "the connection was refused"),
    ]
    assert "X-Served-Region" not in ready
    assert live.status_code == 200
    assert live.json() == {"status": "alive"}
    assert "no-store" in ready["Cache-Control"]


def test_health_is_only_read(client: Client) -> None:
    assert client.post("/healthz/live").status_code == 405
    assert client.head("/healthz/live").status_code == 200
