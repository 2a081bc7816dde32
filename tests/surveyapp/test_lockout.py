"""Passwords cannot be guessed at will, and nobody stops an instructor by guessing."""

import ipaddress
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
LOGIN = "/admin/login/?next=/admin/"
HALL, ELSEWHERE = "198.51.100.4", "203.0.113.9"
KNOWN = settings.KNOWN_BROWSER_COOKIE_NAME


FORGERIES = [lambda text: "x" + text, lambda text: text[:-1], lambda _text: "a.b:c", lambda _text: ""]


@pytest.fixture(autouse=True)
def _instructors(db: None) -> None:
    for name in ("instructor", "colleague"):
        User.objects.create_user(name, password=PASSWORD, is_staff=True)


def sign_in(
    browser: Client, password: str = PASSWORD, *, name: str = "instructor", peer: str = HALL, **headers: str
) -> HttpResponse:
    fields = {"username": name, "password": password}
    return browser.post(LOGIN, fields, REMOTE_ADDR=peer, headers=headers)


def guess(times: int, *, browser: Client | None = None, name: str = "instructor", **where: str) -> list[int]:
    """What a stranger is answered who tries passwords."""
    stranger = browser or Client()
    return [sign_in(stranger, f"guess {number}", name=name, **where).status_code for number in range(times)]


def known() -> Client:
    """A browser in which the instructor signed in before, and whose session is over."""
    browser = Client()
    assert sign_in(browser).status_code == 302
    browser.cookies.pop(settings.SESSION_COOKIE_NAME)
    return browser


def a_minute_later() -> None:
    """Every try so far is a minute older."""
    for attempt in AccessAttempt.objects.all():
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=attempt.attempt_time - timedelta(seconds=61))


def test_five_wrong_passwords_make_the_name_wait_at_that_address_alone():
    assert guess(6) == [200] * 4 + [429] * 2
    refused = sign_in(Client())
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert "Wait a minute" in refused.content.decode()
    assert sign_in(Client(), name="colleague").status_code == 302
    assert sign_in(Client(), peer=ELSEWHERE).status_code == 302


def test_a_name_waits_a_minute_however_long_somebody_guesses_on():
    for _minute in range(3):
        assert guess(30)[-1] == 429
        a_minute_later()
    assert sign_in(Client()).status_code == 302


def test_guesses_from_many_addresses_do_not_stop_the_name_at_another():
    for number in range(20):
        guess(5, peer=f"203.0.113.{number}")
    assert sign_in(Client()).status_code == 302


def test_a_browser_in_which_the_name_signed_in_before_is_not_stopped_by_who_sits_beside_it():
    instructors = known()
    guess(50)
    assert sign_in(Client()).status_code == 429
    assert sign_in(instructors).status_code == 302


def test_a_known_browser_has_its_own_five_tries_wherever_it_is():
    stolen = known()
    assert guess(3, browser=stolen) + guess(3, browser=stolen, peer=ELSEWHERE) == [200] * 4 + [429] * 2
    assert sign_in(stolen, peer="192.0.2.1").status_code == 429
    assert sign_in(Client()).status_code == 302
    a_minute_later()
    assert sign_in(stolen).status_code == 302


def test_a_known_browser_is_known_for_those_who_signed_in_there_and_for_nobody_else():
    browser = known()
    guess(5, name="colleague")
    assert sign_in(browser, name="colleague").status_code == 429
    a_minute_later()
    assert sign_in(browser, name="colleague").status_code == 302
    guess(5, name="colleague")
    guess(5)
    assert sign_in(browser, name="colleague").status_code == 302
    assert sign_in(browser).status_code == 302


@pytest.mark.parametrize(
    "change", [lambda text: "x" + text, lambda text: text[:-1], lambda _text: "a.b:c", lambda _text: ""]
)
def test_a_forged_mark_is_none(change: Any):
    browser = known()
    browser.cookies[KNOWN] = change(browser.cookies[KNOWN].value)
    guess(5)
    assert sign_in(browser).status_code == 429


def test_the_mark_tells_no_name_and_stays_small_whoever_signs_in():
    browser = Client()
    for number in range(20):
        User.objects.create_user(f"teacher{number}", password=PASSWORD, is_staff=True)
        sign_in(browser, name=f"teacher{number}")
    value = browser.cookies[KNOWN].value
    assert len(value) < 250
    assert "teacher" not in value
    assert (browser.cookies[KNOWN]["path"], browser.cookies[KNOWN]["httponly"]) == ("/admin/", True)


def test_a_forged_address_buys_no_more_tries():
    forged = [sign_in(Client(), "wrong", **{"X-Forwarded-For": f"192.0.2.{number}"}).status_code for number in range(7)]
    assert forged == [200] * 4 + [429] * 3


def test_behind_a_trusted_proxy_the_visitors_address_is_what_waits(settings: Any):
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/8")]

    def over(address: str, password: str = PASSWORD) -> int:
        return sign_in(Client(), password, peer="10.0.0.1", **{"X-Forwarded-For": f"1.2.3.4, {address}"}).status_code

    assert [over(ELSEWHERE, "wrong") for _try in range(6)][-1] == 429
    assert over(HALL) == 302
    assert over(ELSEWHERE) == 429


def test_an_ipv6_network_is_one_address():
    assert [guess(1, peer=f"2001:db8:0:1::{number}")[0] for number in range(1, 8)] == [200] * 4 + [429] * 3
    assert sign_in(Client(), peer="2001:db8:0:2::1").status_code == 302


def test_a_survey_that_was_being_written_survives_the_pause():
    browser = Client()
    form = {"title": "Written for an hour", "action": "save", "username": "instructor"}
    replies = [browser.post("/admin/surveys/new/", {**form, "password": "wrong"}) for _try in range(6)]
    assert [reply.status_code for reply in replies] == [403] * 4 + [429] * 2
    assert all("Written for an hour" in reply.content.decode() for reply in replies)
    assert "Wait a minute" in replies[-1].content.decode()
    a_minute_later()
    done = browser.post("/admin/surveys/new/", {**form, "password": PASSWORD})
    assert done.status_code == 200
    assert "Written for an hour" in done.content.decode()
