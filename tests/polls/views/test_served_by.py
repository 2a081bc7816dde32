"""Every page and reply that touched data says which region served it, and, when none did, what was tried."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, reverse

from failover import gateway
from polls import admin_urls, urls
from polls.surveys.survey import Survey
from tests.conftest import Lab

pytestmark = pytest.mark.lab

BALLOT = {"voter": "served-by-0001", "answers": {"q1": "o1"}}
# Forms to fill in, and a picture of an address: they need no region.
WITHOUT_DATA = {"polls:join", "surveys:new", "polls:qr"}
# A link has no page without the link, and these have one only for POST.
NEED_MORE = {"polls:link", "surveys:archive", "surveys:delete", "surveys:open", "surveys:close", "surveys:reset"}


def addresses(survey: Survey) -> dict[str, str]:
    """Every address of polls that can be asked for with nothing but a code, by its name."""
    named = {}
    for namespace, module in (("polls", urls), ("surveys", admin_urls)):
        for pattern in module.urlpatterns:
            name = f"{namespace}:{pattern.name}"
            for known in ({}, {"code": survey.code}, {"code": survey.code, "what": "ballots", "kind": "csv"}):
                try:
                    named[name] = reverse(name, kwargs=known)
                    break
                except NoReverseMatch:
                    continue
    return named


@pytest.fixture
def staff(db: None, wired: object) -> Client:
    client = Client(raise_request_exception=False)
    user = User.objects.create_user("instructor", is_staff=True, is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def cast(client: Client, survey: Survey) -> HttpResponse:
    address = reverse("polls:api-ballots", kwargs={"code": survey.code})
    return client.post(address, json.dumps(BALLOT), content_type="application/json")


def test_every_page_of_a_survey_names_its_region(staff: Client, survey: Survey) -> None:
    assert cast(staff, survey)["X-Served-Region"] in gateway.regions()
    asked = addresses(survey)
    assert len(asked) >= 15

    silent = {}
    for name, address in asked.items():
        if name in WITHOUT_DATA | NEED_MORE:
            continue
        reply = staff.get(address)
        if reply.status_code != 405 and reply.headers.get("X-Served-Region") not in gateway.regions():
            silent[name] = reply.status_code

    assert silent == {}


def test_when_no_region_answers_the_reply_says_what_was_tried(
    staff: Client, make_survey: Callable[..., Survey], app: Lab
) -> None:
    survey = make_survey()
    staff.get(reverse("polls:survey", kwargs={"code": survey.code}))  # its definition is in memory from here on
    for region in gateway.regions():
        app.fault(region, "refuse")

    ballot = cast(staff, survey)
    results = staff.get(reverse("polls:results-json", kwargs={"code": survey.code}))

    for reply in (ballot, results):
        assert reply.status_code == 503
        timing = reply.headers["Server-Timing"]
        for region in gateway.regions():
            assert f'{region};desc="connect";dur=' in timing
        assert len(reply.headers["X-Trace-Id"]) == 32
