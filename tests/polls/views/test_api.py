"""The JSON API against the live lab, by contract."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from failover import gateway
from polls.ballots import services, vote_ids
from polls.ballots.selectors import ballots
from polls.common.limits import RateLimit
from polls.surveys.services import survey_close
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
VOTER = "api-voter-1"
GOOD = {"voter": VOTER, "answers": {"q1": "o1"}}


@pytest.fixture
def api() -> Client:
    """A program: it has no CSRF token, and whatever cookie it were given would be a mistake."""
    return Client(enforce_csrf_checks=True)


def post(api: Client, survey: Survey, body: Any) -> HttpResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.post(f"/api/v1/surveys/{survey.code}/ballots", data, content_type="application/json")


def assert_problem(reply: HttpResponse, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.content
    assert reply["Content-Type"] == "application/problem+json"
    body = reply.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].endswith(".")
    assert body["type"] == "about:blank"
    assert not reply.cookies
    return body


def voters(survey: Survey) -> int:
    return len(ballots(survey).value)


def test_the_survey_is_shown_with_every_id(api: Client, survey: Survey):
    reply = api.get(f"/api/v1/surveys/{survey.code.lower()}/")
    body = reply.json()
    assert reply["X-Served-Region"] in gateway.regions()
    assert (body["code"], body["state"], body["round"], body["allow_change"]) == (survey.code, "open", 1, True)
    assert body["questions"][0]["options"] == [{"id": "o1", "text": "one"}, {"id": "o2", "text": "two"}]
    assert body["questions"][2]["scale"] == 5


def test_a_ballot_is_recorded_repeated_changed_and_overtaken(api: Client, survey: Survey):
    old = services.name_vote()
    first = post(api, survey, {**GOOD, "vote_id": services.name_vote(old)})
    body = first.json()
    assert first.status_code == 201
    assert body["status"] == "recorded"
    assert (body["code"], body["round"]) == (survey.code, 1)
    assert body["region"] == first["X-Served-Region"] == body["attempts"][-1]["region"]
    assert body["attempts"][-1]["outcome"] == "ok"
    assert set(body["attempts"][-1]) == {"region", "outcome", "ms"}
    assert "dur=" in first["Server-Timing"]
    assert not first.cookies
    again = post(api, survey, {**GOOD, "vote_id": body["vote_id"]})
    assert (again.status_code, again.json()["status"]) == (200, "already-recorded")
    late = post(api, survey, {**GOOD, "vote_id": old})
    assert (late.status_code, late.json()["status"]) == (200, "superseded")
    changed = post(api, survey, {"voter": VOTER, "answers": {"q1": "o2", "q2": ["o3"], "q3": 4, "q4": "text"}})
    assert (changed.status_code, changed.json()["status"]) == (200, "changed")
    assert [ballot.answers for ballot in ballots(survey).value] == [{"q1": "o2", "q2": ["o3"], "q3": 4, "q4": "text"}]


def test_a_change_without_a_name_counts_though_another_hosts_clock_named_the_vote_before_ahead_of_ours(
    api: Client, survey: Survey
):
    ahead = vote_ids.mint(int((gateway.clock.wall() + 5) * 1000), 0)
    assert post(api, survey, {**GOOD, "vote_id": ahead}).status_code == 201
    changed = post(api, survey, {"voter": VOTER, "answers": {**GOOD["answers"], "q1": "o2"}})
    assert (changed.status_code, changed.json()["status"]) == (200, "changed")
    assert changed.json()["vote_id"] > ahead
    (ballot,) = ballots(survey).value
    assert (ballot.vote_id, ballot.answers["q1"]) == (changed.json()["vote_id"], "o2")


def test_a_missing_vote_id_is_minted(api: Client, survey: Survey):
    assert vote_ids.is_valid(post(api, survey, GOOD).json()["vote_id"])


def test_one_vote_id_with_other_answers_is_refused(api: Client, survey: Survey):
    vote_id = post(api, survey, GOOD).json()["vote_id"]
    reply = post(api, survey, {"voter": VOTER, "vote_id": vote_id, "answers": {"q1": "o2"}})
    assert assert_problem(reply, 409)["reason"] == "vote-id-reused"


def test_a_second_vote_is_refused_where_votes_may_not_be_changed(api: Client, make_survey: Callable[..., Survey]):
    survey = make_survey(allow_change=False)
    post(api, survey, GOOD)
    assert assert_problem(post(api, survey, GOOD), 409)["reason"] == "already-voted"


def test_a_closed_survey_takes_nothing(api: Client, survey: Survey):
    survey_close(code=survey.code)
    body = assert_problem(post(api, survey, GOOD), 409)
    assert body["reason"] == "closed"
    assert vote_ids.is_valid(body["vote_id"])
    assert voters(survey) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"voter": "api-voter-1", "voter": "api-voter-2", "answers": {"q1": "o1"}}',
        b'{"voter": "api-voter-1", "answers": {"q3": NaN}}',
        b'{"voter": "api-voter-1", "answers": {"q3": 1e999}}',
        b'{"voter": "api-voter-1", "answers": ' + b"[" * 20_000 + b"}",
        b'{"voter": "api-voter-1", "answers": {"q4": "\\ud800"}}',
        {"answers": {"q1": "o1"}},
        {"voter": 12345678, "answers": {"q1": "o1"}},
        {"voter": VOTER},
        {"voter": VOTER, "answers": ["o1"]},
        {**GOOD, "shard": 3},
    ],
    ids=lambda body: repr(body)[:40],
)
def test_a_malformed_body_is_400_and_changes_nothing(api: Client, survey: Survey, body: Any):
    assert_problem(post(api, survey, body), 400)
    assert voters(survey) == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"answers": {}}, "q1"),
        ({"answers": {"q1": "o9"}}, "q1"),
        ({"answers": {"q1": ["o1"]}}, "q1"),
        ({"answers": {"q1": "o1", "q2": "o1"}}, "q2"),
        ({"answers": {"q1": "o1", "q3": "4"}}, "q3"),
        ({"answers": {"q1": "o1", "q3": 6}}, "q3"),
        ({"answers": {"q1": "o1", "q3": True}}, "q3"),
        ({"answers": {"q1": "o1", "q4": "x" * 1001}}, "q4"),
        ({"answers": {"q1": "o1", "q9": "o1"}}, "q9"),
        ({"voter": "short"}, "voter"),
        ({"voter": "x" * 65}, "voter"),
        ({"voter": "with#hash-1"}, "voter"),
        ({"voter": "with\nline-1"}, "voter"),
        ({"vote_id": "x"}, "vote_id"),
        ({"vote_id": 7}, "vote_id"),
        ({"vote_id": str(uuid.uuid4())}, "vote_id"),
        ({"vote_id": vote_ids.mint(1, 1)}, "vote_id"),
        ({"vote_id": vote_ids.mint(2**47, 1)}, "vote_id"),
    ],
)
def test_a_mistake_is_422_with_a_message_where_it_is(api: Client, survey: Survey, change: dict[str, Any], field: str):
    body = assert_problem(post(api, survey, {**GOOD, **change}), 422)
    assert set(body["errors"]) == {field}
    assert voters(survey) == 0


def test_a_ballot_over_64_kb_is_413_before_it_is_read(api: Client, survey: Survey):
    assert_problem(post(api, survey, b'{"voter": "' + b"x" * 65_536), 413)
    fits = json.dumps(GOOD).encode()
    assert post(api, survey, fits + b" " * (65_536 - len(fits))).status_code == 201
    assert_problem(post(api, survey, b"x" * 400_000), 413)


@pytest.mark.parametrize("code", ["NOSUCH", "x", "no%20such%20code%20at%20all", "%C3%84%C3%84%C3%84%C3%84"])
def test_an_unknown_code_is_404(api: Client, wired: object, code: str):
    assert_problem(api.get(f"/api/v1/surveys/{code}/"), 404)
    assert_problem(api.post(f"/api/v1/surveys/{code}/ballots", json.dumps(GOOD), content_type="application/json"), 404)


def test_other_methods_are_405(api: Client, survey: Survey):
    reply = api.get(f"/api/v1/surveys/{survey.code}/ballots")
    assert_problem(reply, 405)
    assert reply["Allow"] == "POST"
    assert_problem(api.put(f"/api/v1/surveys/{survey.code}/"), 405)


def test_a_voter_who_sends_too_often_waits(api: Client, survey: Survey, monkeypatch):
    monkeypatch.setattr(services, "rate_limit", RateLimit(lambda: 0.0, burst=1))
    assert post(api, survey, GOOD).status_code == 201
    reply = post(api, survey, GOOD)
    assert vote_ids.is_valid(assert_problem(reply, 429)["vote_id"])
    assert int(reply["Retry-After"]) >= 1


def test_with_no_region_the_vote_keeps_its_name_and_the_repeat_is_taken(api: Client, survey: Survey, app: Lab):
    assert post(api, survey, {**GOOD, "voter": "someone-else"}).status_code == 201
    for region in gateway.regions():
        app.fault(region, "refuse")
    reply = post(api, survey, GOOD)
    body = assert_problem(reply, 503)
    assert reply["Retry-After"]
    assert {attempt["region"] for attempt in body["attempts"]} == set(gateway.regions())
    app.fault("--clear")
    repeat = {**GOOD, "vote_id": body["vote_id"]}
    wait_until(lambda: post(api, survey, repeat).status_code in (200, 201), within=15, what="the repeat is taken")
    wait_until(lambda: voters(survey) == 2, within=10, what="both votes are there")
