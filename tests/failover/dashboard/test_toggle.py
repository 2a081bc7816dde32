"""The routing toggle of the page: one message where it is wrong, the rule where it is refused."""

import pytest
from django.test import Client

from failover import gateway
from failover.dashboard.forms import RoutingForm
from tests.failover.dashboard.conftest import Publish
from tests.failover.dashboard.documents import EAST, WEST, east_down, healthy

ROUTING = "/admin/failover/routing/"
PIN = {"mode": "pinned", "region": WEST, "reason": "maintenance", "confirm": WEST}


def test_an_anonymous_wish_is_sent_to_the_login(db: None) -> None:
    reply = Client().post(ROUTING, PIN)
    assert reply.status_code == 302
    assert reply["Location"].startswith("/admin/login/")


def test_a_wish_without_a_csrf_token_is_refused(staff: Client, monitor: Publish) -> None:
    monitor(healthy)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff.cookies
    assert strict.post(ROUTING, PIN).status_code == 403


def test_looking_at_the_toggles_address_leads_to_the_page(staff: Client, run_dir: object) -> None:
    assert staff.get(ROUTING)["Location"] == "/admin/failover/"


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"mode": ""}, "mode", "Choose auto or a pin."),
        ({"mode": "sideways"}, "mode", "Choose auto or a pin."),
        ({"region": ""}, "region", "Choose the region to pin."),
        ({"region": "us-moon-1"}, "region", "us-moon-1 is not one of the configured regions (us-east-1, us-west-2)."),
        ({"reason": "  "}, "reason", "Say why: the reason is kept in the log."),
        ({"confirm": ""}, "confirm", "Type us-west-2 to confirm."),
        ({"confirm": EAST}, "confirm", "Type us-west-2 to confirm."),
    ],
)
def test_a_mistake_is_one_message_at_its_field_and_nothing_typed_is_lost(
    change, field, message, staff: Client, monitor: Publish
) -> None:
    monitor(healthy)
    reply = staff.post(ROUTING, {**PIN, **change})
    assert reply.status_code == 422
    assert reply.context["form"].errors == {field: [message]}
    html = reply.content.decode()
    assert html.count(message) == 1
    assert "<title>Error: " in html
    assert ("maintenance" in html) == (field != "reason")


def test_auto_needs_a_reason_and_no_confirmation() -> None:
    leftovers = {"region": "us-moon-1", "confirm": "x", "force": "on"}
    form = RoutingForm({"mode": "auto", "reason": "all is well", **leftovers}, regions=(EAST, WEST))
    assert form.is_valid()
    assert form.cleaned_data == {"mode": "auto", "region": "", "reason": "all is well", "confirm": "", "force": False}
    assert RoutingForm({"mode": "auto"}, regions=(EAST, WEST)).errors == {
        "reason": ["Say why: the reason is kept in the log."]
    }


def test_a_safety_rule_is_shown_with_the_offer_to_override_it(staff: Client, monitor: Publish) -> None:
    monitor(east_down)
    before = staff.get("/admin/failover/").content.decode()
    assert 'name="force"' not in before
    reply = staff.post(ROUTING, {**PIN, "region": EAST, "confirm": EAST})
    assert reply.status_code == 409
    html = reply.content.decode()
    assert "Refused: us-east-1 is unreachable: its canaries fail" in html
    assert 'name="force"' in html
    assert 'value="maintenance"' in html


@pytest.mark.parametrize("age_s", [3 * 3600, -600])
def test_a_safety_rule_of_a_monitor_that_is_silent_is_neither_shown_nor_applied(
    age_s, staff: Client, monitor: Publish
) -> None:
    monitor(east_down, age_s)
    assert gateway.refuse_pin(EAST) is None
    reply = staff.post(ROUTING, {**PIN, "region": EAST, "confirm": EAST})
    assert reply.status_code == 503  # the regions themselves are asked, and none is there
    assert "is unreachable: its canaries fail" not in str(reply.context["form"].errors)


def test_when_no_region_takes_the_decision_the_page_says_that_nothing_changed(staff: Client, monitor: Publish) -> None:
    monitor(healthy)
    reply = staff.post(ROUTING, PIN)
    assert reply.status_code == 503
    assert "Nothing was changed: no region answered" in reply.content.decode()


@pytest.mark.lab
def test_who_decides_at_the_same_moment_as_another_is_told_whose_decision_holds(rival: None, staff: Client) -> None:
    reply = staff.post(ROUTING, PIN)
    assert reply.status_code == 409
    html = reply.content.decode()
    assert "Not changed: otto decided at the same moment, and that holds: us-east-1 (my turn)." in html
    assert 'name="force"' not in html, "nothing is to be overridden: the wish may be sent again"
    assert 'value="maintenance"' in html


@pytest.mark.lab
def test_a_pin_is_set_under_the_users_name_and_told(app: object, staff: Client) -> None:
    before = gateway.route("auto", None, actor="test", reason="the begin of the test")
    reply = staff.post(ROUTING, PIN, follow=True)
    assert reply.redirect_chain == [("/admin/failover/", 302)]
    assert "Pinned to us-west-2: within a second every worker tries it first" in reply.content.decode()
    later = gateway.route("auto", None, actor="test", reason="the end of the test")
    assert later.epoch == before.epoch + 2


@pytest.mark.lab
def test_a_return_to_auto_is_told(app: object, staff: Client) -> None:
    reply = staff.post(ROUTING, {"mode": "auto", "reason": "all is well"}, follow=True)
    assert "Routing is automatic" in reply.content.decode()
