"""The dashboard's addresses: who may see them, what they answer, and that they keep what is typed."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from failover.core.status.types import StatusDocument
from tests.failover.dashboard.conftest import Publish
from tests.failover.dashboard.documents import EAST, WEST, east_down, healthy, pinned

PAGE, LIVE, STATUS = "/admin/failover/", "/admin/failover/live/", "/admin/failover/status.json"


def test_an_anonymous_visitor_is_sent_to_the_login_and_back(db: None) -> None:
    reply = Client().get(PAGE)
    assert reply.status_code == 302
    assert reply["Location"] == "/admin/login/?next=/admin/failover/"


@pytest.mark.parametrize("path", [LIVE, STATUS])
@pytest.mark.parametrize("account", [None, "student"])
def test_who_is_not_staff_gets_a_problem_document_from_the_json_addresses(path, account, db: None) -> None:
    client = Client()
    if account:
        user = User.objects.create_user(account)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    reply = client.get(path)
    assert reply.status_code == 403
    assert reply["Content-Type"] == "application/problem+json"
    assert reply.json()["status"] == 403
    assert reply.json()["login"] == "/admin/login/?next=/admin/failover/"


def test_the_page_shows_the_published_status(staff: Client, monitor: Publish) -> None:
    monitor(east_down)
    html = staff.get(PAGE).content.decode()
    assert "us-east-1&#x27;s DNS fails (the name has no address)." in html
    assert "refused now: us-east-1 is unreachable" in html


def test_the_page_keeps_to_the_content_security_policy(staff: Client, monitor: Publish) -> None:
    monitor(east_down)
    reply = staff.get(PAGE)
    html = reply.content.decode()
    policy = reply["Content-Security-Policy"]
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]+\sstyle=", html)
    assert not re.search(r"<[^>]+\son[a-z]+=", html)
    assert "<style" not in html
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
    assert '"allowEval": false' in html
    assert '"includeIndicatorStyles": false' in html


def test_only_the_sentence_is_a_status_and_the_events_are_a_log(staff: Client, monitor: Publish) -> None:
    monitor(healthy)
    html = staff.get(PAGE).content.decode()
    assert html.count('role="status"') == 1
    assert html.count('role="log"') == 1


def test_without_a_monitor_the_page_stands_and_the_document_is_a_503(staff: Client, run_dir: object) -> None:
    page = staff.get(PAGE)
    assert page.status_code == 200
    assert "No monitor has reported on this host yet" in page.content.decode()
    assert staff.get(LIVE).status_code == 200
    reply = staff.get(STATUS)
    assert reply.status_code == 503
    assert reply["Content-Type"] == "application/problem+json"
    assert "No monitor" in reply.json()["detail"]


def test_a_silent_monitor_is_said_first(staff: Client, monitor: Publish) -> None:
    monitor(healthy, age_s=60)
    html = staff.get(PAGE).content.decode()
    assert "The monitor has been silent since" in html
    assert "is-stale" in html


def test_the_status_document_is_what_the_monitor_wrote(staff: Client, monitor: Publish) -> None:
    written = monitor(pinned)
    reply = staff.get(STATUS)
    assert reply.json() == written
    assert int(reply["X-Status-Age"]) >= 0


@pytest.mark.parametrize("path", [LIVE, STATUS])
def test_what_has_not_changed_is_a_304_that_still_tells_its_age(path, staff: Client, monitor: Publish) -> None:
    monitor(healthy)
    first = staff.get(path)
    again = staff.get(path, headers={"if-none-match": first["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again["ETag"] == first["ETag"]
    assert again["X-Status-Age"]
    monitor(east_down)
    changed = staff.get(path, headers={"if-none-match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_a_refresh_has_every_panel_and_no_part_of_the_form(staff: Client, monitor: Publish) -> None:
    monitor(healthy)
    page, refresh = staff.get(PAGE).content.decode(), staff.get(LIVE).content.decode()
    names = re.findall(r'id="(panel-[a-z]+)"', refresh)
    assert len(names) == 7
    assert all(f'id="{name}"' in page for name in names)
    assert "<form" not in refresh
    assert "<input" not in refresh


def test_refreshes_are_never_stored_for_another_user(staff: Client, monitor: Publish) -> None:
    monitor(healthy)
    assert "private" in staff.get(LIVE)["Cache-Control"]
    assert "private" in staff.get(PAGE)["Cache-Control"]


def test_the_start_page_and_the_header_link_to_surveys_and_failover(staff: Client) -> None:
    html = staff.get("/admin/").content.decode()
    for url in ("/admin/surveys/", "/admin/failover/"):
        assert html.count(f'href="{url}"') == 2
    assert {EAST, WEST}.isdisjoint(html.split())


def test_one_bad_row_among_the_events_harms_no_page(staff: Client, monitor: Publish) -> None:
    def with_bad_texts(at: float) -> StatusDocument:
        document = healthy(at)
        event = {"id": "x", "at": document["generated_at"], "kind": "routing-auto", "region": "", "from": "", "to": ""}
        document["events"] = [{**event, "actor": "cli:\udcfc", "reason": "\udcfcbung \u202e\x00"}]
        document["routing"] |= {"epoch": 1, "actor": "cli:\udcfc", "reason": "\u202egnihton"}
        return document

    monitor(with_bad_texts)
    for path in (PAGE, LIVE, STATUS):
        reply = staff.get(path)
        assert reply.status_code == 200
        assert not set("\u202e\x00") & set(reply.content.decode())
    assert "\ufffdbung" in staff.get(PAGE).content.decode()
    assert staff.get(STATUS).json()["events"][0]["actor"] == "cli:\ufffd"


@pytest.mark.parametrize("reason", ["\u200b", "\u202egnihton", "a\u2067b", "x" * 201], ids=ascii)
def test_a_reason_that_cannot_be_kept_is_a_422_at_its_field(reason: str, staff: Client, monitor: Publish) -> None:
    monitor(healthy)
    reply = staff.post("/admin/failover/routing/", {"mode": "auto", "reason": reason})
    assert reply.status_code == 422
    assert reply.context["form"].errors["reason"]
