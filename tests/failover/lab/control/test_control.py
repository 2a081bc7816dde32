"""The control server needs the token and the right Host, and answers a bad request in one line."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.failover.lab.support import EAST, OwnLab

pytestmark = pytest.mark.lab


def ask(
    cloud: OwnLab, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """A request with the right token, unless ``headers`` say otherwise."""
    url = urlsplit(cloud.client.url)
    token = (cloud.dir / "control.token").read_text().strip()
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 0, timeout=10)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {token}", **(headers or {})})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def test_the_state_names_every_region_its_engine_its_front_and_both_directions(cloud: OwnLab):
    status, state = ask(cloud, "GET", "/state")
    assert status == 200
    for row in state["regions"]:
        assert {"name", "state", "engine", "front", "dns", "faults"} <= row.keys()
        assert (row["state"], row["dns"], row["front"]["open"]) == ("running", "ok", True)
    assert [row["front"]["rtt_ms"] for row in state["regions"]] == [0.0, 60.0]
    assert len(state["replication"]) == 2
    assert state["probe_table"] == "survey-control"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": ""}, id="no token"),
        pytest.param({"Authorization": "Bearer wrong"}, id="a wrong token"),
        pytest.param({"Authorization": "Bearer ü"}, id="a token that is not ASCII"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/state"), ("POST", "/faults"), ("DELETE", "/faults")])
def test_without_the_token_nothing_is_told_and_nothing_done(cloud: OwnLab, method: str, path: str, headers):
    headers = {name: value.encode("utf-8").decode("latin-1") for name, value in headers.items()}
    body = json.dumps({"region": EAST, "kind": "refuse"}).encode()
    assert ask(cloud, method, path, body=body, headers=headers) == (401, {"error": "wrong or missing token"})
    assert cloud.region(EAST)["faults"] == []


@pytest.mark.parametrize("host", ["localhost", "evil.example", "127.0.0.1", ""])
def test_a_request_under_another_host_name_is_turned_away_even_with_the_token(cloud: OwnLab, host: str):
    assert ask(cloud, "GET", "/state", headers={"Host": host}) == (421, {"error": "wrong Host"})


@pytest.mark.parametrize(
    ("body", "line"),
    [
        pytest.param(b"{", "the body is not JSON", id="broken JSON"),
        pytest.param(b"\xff", "the body is not JSON", id="broken text"),
        pytest.param(b"[]", "the body is not a JSON object", id="a list"),
        pytest.param(b"{}", "region and kind must be text", id="nothing"),
        pytest.param(
            b'{"region": "us-east-1", "kind": 3}', "region and kind must be text", id="a kind that is a number"
        ),
        pytest.param(
            b'{"region": "us-east-1", "kind": "refuse", "seconds": "x"}', "seconds must be a number", id="time"
        ),
        pytest.param(
            b'{"region": "us-east-1", "kind": "refuse", "seconds": true}', "seconds must be a number", id="true"
        ),
        pytest.param(
            b'{"region": "us-east-1", "kind": "refuse", "keep_connections": 1}', "must be true or false", id="1"
        ),
        pytest.param(
            b'{"region": "us-east-1", "kind": "refuse", "ms": -4}', "ms must be a whole number", id="negative"
        ),
        pytest.param(
            b'{"region": "us-east-1", "kind": "refuse", "ms": 1.5}', "ms must be a whole number", id="fraction"
        ),
    ],
)
def test_an_order_that_is_not_one_is_refused_in_one_line(cloud: OwnLab, body: bytes, line: str):
    status, document = ask(cloud, "POST", "/faults", body=body)
    assert status == 409
    assert line in document["error"]
    assert cloud.region(EAST)["faults"] == []


def test_a_body_that_is_too_long_is_not_read(cloud: OwnLab):
    assert ask(cloud, "POST", "/faults", headers={"Content-Length": "5000"})[0] == 413


def test_a_body_without_a_length_is_not_read(cloud: OwnLab):
    assert ask(cloud, "POST", "/faults", headers={"Content-Length": "many"})[0] == 411


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/faults"), ("POST", "/state"), ("DELETE", "/x")])
def test_an_address_that_does_not_exist_is_not_found(cloud: OwnLab, method: str, path: str):
    assert ask(cloud, method, path)[0] == 404
