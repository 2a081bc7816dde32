"""Regions that refuse (denied, no such table, bad credentials): what students, instructors and programs are told."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from failover import gateway, wiring
from failover.core.exchange.reports import HostCircuit, HostView
from failover.core.signals.breaker import CircuitState
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.failover.adapters.faulty_regions import faulty_regions

DENIES = faulty.says(faulty.refusal("AccessDeniedException"))
LATE = "Signature not yet current: 20251201T121500Z is still later than 20251201T120500Z (20251201T120000Z + 5 min.)"


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[None]:
    with faulty_regions(DENIES, DENIES, tmp_path):
        yield


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def instructor(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada", password="a password"))
    return client


def assert_problem(reply: HttpResponse, status: int) -> dict[str, object]:
    assert (reply.status_code, reply["Content-Type"]) == (status, "application/problem+json"), reply.content
    body: dict[str, object] = json.loads(reply.content)
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["title"]
    assert str(body["detail"]).endswith(".")
    return body


def ballot(client: Client, code: str = "ABC234") -> HttpResponse:
    body = {"voter": "a-voter-of-tests", "vote_id": str(uuid.UUID(int=7 << 76 | 2 << 62)), "answers": {"q1": "o1"}}
    return client.post(f"/api/v1/surveys/{code}/ballots", body, content_type="application/json")


@pytest.mark.usefixtures("refused")
def test_a_ballot_that_every_region_refuses_is_a_configuration_mistake_and_keeps_its_name(client: Client) -> None:
    body = assert_problem(ballot(client), 503)

    assert body["reason"] == "configuration"
    assert "AccessDeniedException" in str(body["detail"])
    assert body["vote_id"]
    assert {(attempt["region"], attempt["outcome"]) for attempt in body["attempts"]} == {
        (EAST, "denied"),
        (WEST, "denied"),
    }


def test_a_clock_that_is_off_is_named(client: Client, tmp_path: Path) -> None:
    message = {"__type": "com.amazonaws.dynamodb.v20120810#InvalidSignatureException", "message": LATE}
    skewed = faulty.says(faulty.reply(400, message))
    with faulty_regions(skewed, skewed, tmp_path):
        body = assert_problem(ballot(client), 503)

    assert body["reason"] == "configuration"
    assert "this host's clock is 900 s ahead" in str(body["detail"])


def test_one_region_that_refuses_beside_one_that_hangs_up_is_no_configuration_mistake(
    client: Client, tmp_path: Path
) -> None:
    with faulty_regions(DENIES, faulty.closes, tmp_path):
        body = assert_problem(ballot(client), 503)

    assert "reason" not in body


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("page", ["", "receipt/", "results/", "present/", "link/some-token/"])
def test_a_student_reads_plainly_that_the_service_is_set_up_wrongly(client: Client, page: str) -> None:
    reply = client.get(f"/s/ABC234/{page}")

    assert reply.status_code == 503
    text = reply.content.decode()
    assert "This service is set up wrongly" in text
    assert "tell your instructor" in text
    assert "AccessDenied" not in text


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize(
    "page",
    [
        *("/admin/surveys/", "/admin/surveys/ABC234/edit/", "/admin/surveys/ABC234/versions/"),
        *("/admin/surveys/ABC234/links/", "/admin/surveys/ABC234/export/", "/admin/surveys/ABC234/preview/"),
        *("/admin/surveys/new/", "/admin/failover/", "/admin/"),
    ],
)
def test_no_page_of_an_instructor_fails_where_every_region_refuses(instructor: Client, page: str) -> None:
    reply = instructor.get(page)

    assert reply.status_code in (200, 503), reply.content[:500]


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("action", ["open", "close", "reset", "delete", "archive", "duplicate"])
def test_no_button_of_an_instructor_fails_where_every_region_refuses(instructor: Client, action: str) -> None:
    reply = instructor.post(f"/admin/surveys/ABC234/{action}/", {"confirm": "ABC234"})

    assert reply.status_code in (302, 404, 405, 503), reply.content[:500]


def test_what_the_only_closed_region_refuses_is_asked_of_the_one_whose_circuit_is_open(tmp_path: Path) -> None:
    def op(bound: gateway.Bound) -> str:
        if bound.region == EAST:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")
        return bound.region

    with faulty_regions(DENIES, DENIES, tmp_path):
        circuits = {EAST: HostCircuit(CircuitState.CLOSED), WEST: HostCircuit(CircuitState.OPEN)}
        wiring.current().router.follow(HostView(None, circuits))
        assert wiring.current().router.order() == (EAST,)
        assert gateway.everywhere(op, timeout=5.0) == {WEST: WEST}


def broken(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a mistake of ours")


def refused_by_all(_request: HttpRequest) -> HttpResponse:
    raise gateway.RefusedEverywhere(())


urlpatterns = [
    path("api/broken", broken),
    path("api/refused", refused_by_all),
    path("refused", refused_by_all),
    path("", include("surveyapp.urls")),
]


@pytest.mark.parametrize(
    "address",
    [
        "/api/",
        "/api/v1/",
        "/api/v1/surveys/",
        "/api/v2/surveys/ABC234/",
        "/api/v1/surveys/ABC234/ballots/more",
        "/api/x",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_address_of_the_api_that_does_not_exist_is_a_problem_document(
    client: Client, address: str, method: str
) -> None:
    assert_problem(getattr(client, method)(address), 404)


def test_a_page_that_does_not_exist_is_still_a_page(client: Client) -> None:
    reply = client.get("/nothing/here/")

    assert (reply.status_code, reply["Content-Type"].partition(";")[0]) == (404, "text/html")


@pytest.mark.parametrize("debug", [True, False])
@override_settings(ROOT_URLCONF=__name__)
def test_a_mistake_of_ours_below_the_api_is_a_problem_document(client: Client, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        reply = client.get("/api/broken")
    assert_problem(reply, 500)
    assert "a mistake of ours" not in reply.content.decode()


@override_settings(ROOT_URLCONF=__name__)
def test_what_a_view_did_not_expect_of_the_regions_is_said_in_the_callers_form(client: Client) -> None:
    assert assert_problem(client.get("/api/refused"), 503)["reason"] == "configuration"
    page = client.get("/refused")
    assert page.status_code == 503
    assert "This service is set up wrongly" in page.content.decode()


@override_settings(ALLOWED_HOSTS=["survey.example"])
def test_a_host_that_is_not_allowed_is_a_problem_document_below_the_api(client: Client) -> None:
    assert_problem(client.get("/api/v1/surveys/ABC234/", headers={"host": "elsewhere.example"}), 400)


def test_a_method_that_is_not_allowed_is_a_problem_document_and_names_those_that_are(client: Client) -> None:
    reply = client.put("/api/v1/surveys/ABC234/ballots", b"{}")
    assert_problem(reply, 405)
    assert reply["Allow"] == "POST"


def test_a_redirect_below_the_api_claims_no_html(client: Client) -> None:
    reply = client.get("/api/v1/surveys/ABC234")
    assert (reply.status_code, reply["Location"], reply.content) == (301, "/api/v1/surveys/ABC234/", b"")
    assert "Content-Type" not in reply.headers
