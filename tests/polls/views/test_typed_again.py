"""A survey form that cannot be taken comes back as it was typed, and nothing is done by itself."""

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from polls.surveys import listing, selectors
from polls.surveys.services import survey_delete, survey_open
from polls.surveys.survey import Survey
from tests.polls.views.builder_form import edit, fields
from tests.polls.views.pages import assert_sound, carried, rotated, text

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

NEW = "/admin/surveys/new/"
ODD = '“Ω” <b>&amp;\n"line two" 😀'
OURS, THEIRS = {"Origin": "http://testserver"}, {"Origin": "https://elsewhere.example"}
PASSWORD = "correct horse battery"


@pytest.fixture
def author(wired: None, db: None) -> Client:
    """An instructor's browser, which checks CSRF as a real one is checked."""
    User.objects.create_user("author", password=PASSWORD, is_staff=True)
    User.objects.create_user("student", password=PASSWORD)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.get(username="author"), backend="django.contrib.auth.backends.ModelBackend")
    return browser


def drafted(browser: Client, **changes: str) -> dict[str, str]:
    """A new survey as somebody has written it."""
    form = fields(browser.get(NEW))
    return {
        **form,
        "title": "Written for an hour",
        "help": ODD,
        "q0-text": "Which?",
        "q0-options": "red\r\nblue",
        **changes,
    }


def signed_out(browser: Client) -> Client:
    """The session ends; what else the browser keeps stays."""
    browser.cookies.pop(settings.SESSION_COOKIE_NAME)
    return browser


def titles() -> set[str]:
    return {listed.survey.definition.title for listed in listing.every(listing.Shelf.SHOWN)}


@pytest.mark.parametrize("headers", [OURS, {"Referer": "http://testserver/admin/surveys/new/"}, {}])
def test_a_survey_comes_back_as_typed_when_the_token_changed_and_is_saved_then(author: Client, headers: dict[str, str]):
    title = f"Written for an hour, {len(headers)}{''.join(headers)}"
    form = drafted(author, action="save", title=title)
    page = rotated(author).post(NEW, form, headers=headers)
    assert page.status_code == 403
    assert "Not saved yet" in text(page)
    assert "vote" not in text(page).partition("<form")[0].lower().replace("who may vote", "")
    again = fields(page)
    assert {name: again[name] for name in ("title", "q0-text", "spare_code")} == {
        name: form[name] for name in ("title", "q0-text", "spare_code")
    }
    assert again["help"].split() == ODD.split()
    assert title not in titles()
    assert author.post(NEW, {**again, "action": "save"}, headers=headers).status_code == 302
    assert title in titles()


def test_an_edit_comes_back_as_typed_when_the_token_changed(author: Client, survey: Survey):
    form = fields(author.get(edit(survey))) | {"title": "Changed for an hour", "action": "save"}
    page = rotated(author).post(edit(survey), form, headers=OURS)
    assert page.status_code == 403
    assert fields(page)["title"] == "Changed for an hour"
    author.post(edit(survey), {**fields(page), "action": "save"}, headers=OURS)
    assert "Changed for an hour" in titles()


@pytest.mark.parametrize("known", [True, False], ids=["known", "known elsewhere"])
def test_an_edit_of_a_survey_that_was_deleted_meanwhile_can_be_saved_as_a_new_one(
    author: Client, survey: Survey, known: bool
):
    form = fields(author.get(edit(survey))) | {"title": f"Changed for an hour, {known}", "action": "save"}
    before = selectors.found_now(survey.code)
    survey_delete(code=survey.code)
    if not known:  # another process did it, and this one has not looked since
        selectors._surveys.forget()
        selectors._surveys.put(survey.code, before)
    page = author.post(edit(survey), form, headers=OURS)
    assert page.status_code == 410
    assert f"{survey.code} was deleted meanwhile" in text(page)
    assert 'action="/admin/surveys/new/"' in text(page)
    assert fields(page)["title"] == form["title"]
    assert author.post(NEW, {**fields(page), "action": "save"}, headers=OURS).status_code == 302
    assert form["title"] in titles()


@pytest.mark.parametrize("action", ["save", "add", "up-0", "remove-0", "grid", "nonsense"])
def test_who_is_signed_out_signs_in_and_finds_what_was_typed_unsaved(author: Client, action: str):
    form = drafted(author, action=action, title=f"Kept through {action}")
    page = signed_out(author).post(NEW, form, headers=OURS)
    assert page.status_code == 403
    assert "Sign in to go on" in text(page)
    assert_sound_form(text(page))
    wrong = author.post(NEW, {**carried(page), "username": "author", "password": "wrong"}, headers=OURS)
    assert wrong.status_code == 403
    assert "banner-bad" in text(wrong)
    no_staff = author.post(NEW, {**carried(wrong), "username": "student", "password": PASSWORD}, headers=OURS)
    assert "Sign in to go on" in text(no_staff)
    page = author.post(NEW, {**carried(no_staff), "username": "author", "password": PASSWORD}, headers=OURS)
    assert page.status_code == 200
    again = fields(page)
    assert again["title"] == f"Kept through {action}"
    assert again["help"].split() == ODD.split()
    assert PASSWORD not in text(page)
    assert f"Kept through {action}" not in titles()
    assert author.post(NEW, {**again, "action": "save"}, headers=OURS).status_code == 302
    assert f"Kept through {action}" in titles()


def assert_sound_form(page: str) -> None:
    assert not re.search(r"\son\w+=|<script>|autosubmit", page)
    assert page.count('type="submit"') >= 1


def test_an_edit_survives_the_end_of_a_session_as_large_as_a_survey_may_be(
    author: Client, make_survey: Callable[..., Survey]
):
    questions = [
        {
            "text": f"{number} " + "問" * 190,
            "kind": "multiple",
            "options": [f"{option} " + "答" * 190 for option in range(6)],
        }
        for number in range(45)
    ]
    survey = make_survey(questions=questions)
    form = fields(author.get(edit(survey))) | {"title": "Still the same", "action": "save"}
    page = signed_out(author).post(edit(survey), form, headers=OURS)
    kept = carried(page)
    kept.pop("csrfmiddlewaretoken")
    form.pop("csrfmiddlewaretoken")
    assert {name: value.split() for name, value in kept.items()} == {
        name: value.split() for name, value in form.items()
    }
    page = author.post(edit(survey), {**carried(page), "username": "author", "password": PASSWORD}, headers=OURS)
    assert author.post(edit(survey), {**fields(page), "action": "save"}, headers=OURS).status_code == 302
    assert "Still the same" in titles()


def test_who_signed_in_in_another_tab_meanwhile_sees_the_form_again_and_saves_it(author: Client):
    form = drafted(author, action="save", title="Two tabs")
    page = author.post(NEW, {**form, "username": "author", "password": PASSWORD}, headers=OURS)
    assert page.status_code == 200
    assert fields(page)["title"] == "Two tabs"
    assert "Two tabs" not in titles()


def test_signing_in_needs_the_token_and_a_page_of_ours(author: Client):
    page = signed_out(author).post(NEW, drafted(author, action="save"), headers=OURS)
    rotated(author)
    for headers in (OURS, THEIRS):
        reply = author.post(NEW, {**carried(page), "username": "author", "password": PASSWORD}, headers=headers)
        assert reply.status_code == 403
        assert settings.SESSION_COOKIE_NAME not in reply.cookies
    assert "Sign in to go on" not in text(reply)


@pytest.mark.parametrize("headers", [THEIRS, {"Origin": "null"}, {"Referer": "https://elsewhere.example/"}])
@pytest.mark.parametrize("session", [True, False])
def test_what_another_site_sends_is_not_shown_again(author: Client, headers: dict[str, str], session: bool):
    form = drafted(author, action="save", csrfmiddlewaretoken="x")
    page = (author if session else signed_out(author)).post(NEW, form, headers=headers)
    assert page.status_code == 403
    assert "Written for an hour" not in text(page)
    assert "Nothing was changed" in text(page)
    assert_sound(text(page))


def test_a_button_that_needs_confirming_begins_anew(author: Client, survey: Survey):
    rotated(author)
    paths = {
        f"/admin/surveys/{survey.code}/reset/": f"/admin/surveys/{survey.code}/reset/",
        f"/admin/surveys/{survey.code}/delete/": f"/admin/surveys/{survey.code}/delete/",
        f"/admin/surveys/{survey.code}/close/": "/admin/surveys/",
        "/admin/failover/routing/": "/admin/failover/",
        "/admin/login/": "/admin/login/",
    }
    for path, start in paths.items():
        reply = author.post(path, {"confirm": survey.code, "reason": "typed", "mode": "auto"}, headers=OURS)
        assert reply.status_code == 403
        assert "Nothing was changed" in text(reply)
        assert "vote" not in text(reply).partition("<main")[2].partition("</main>")[0].lower()
        assert f'href="{start}"' in text(reply)
        assert "typed" not in text(reply)
        assert author.get(start).status_code in (200, 302)


@pytest.mark.parametrize("button", ["open", "close", "archive", "duplicate"])
def test_who_was_signed_out_before_a_button_comes_to_the_list(author: Client, survey: Survey, button: str):
    reply = signed_out(author).post(
        f"/admin/surveys/{survey.code}/{button}/",
        {"csrfmiddlewaretoken": fields(author.get("/admin/login/"))["csrfmiddlewaretoken"]},
    )
    assert reply["Location"] == "/admin/login/?next=/admin/surveys/"
    assert survey_open(code=survey.code).is_open


def test_a_page_whose_beginning_cannot_be_told_keeps_what_was_typed(author: Client, survey: Survey):
    form = fields(author.get(edit(survey))) | {"title": "Typed on an old page", "base": "not ours", "action": "save"}
    page = author.post(edit(survey), form, headers=OURS)
    assert page.status_code == 409
    assert "this page was too old" in text(page)
    assert fields(page)["title"] == "Typed on an old page"
    assert "Typed on an old page" not in titles()
    author.post(edit(survey), {**fields(page), "action": "save"}, headers=OURS)
    assert "Typed on an old page" in titles()
