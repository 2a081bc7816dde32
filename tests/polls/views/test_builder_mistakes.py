"""What is wrong in the builder's form: told in words, with a link to the field, and at the field."""

import re

import pytest
from django.test import Client

from polls.surveys.survey import Survey
from tests.polls.views.builder_form import edit, fields
from tests.polls.views.test_builder_pages import vote

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


def test_mistakes_are_told_with_links_and_nothing_typed_is_lost(instructor: Client):
    form = fields(instructor.get("/admin/surveys/new/")) | {"title": "", "q0-text": "Which?", "q0-options": "one"}
    page = instructor.post("/admin/surveys/new/", {**form, "action": "save"})
    assert page.status_code == 422
    shown = page.content.decode()
    assert "<title>Error: " in shown
    assert '<a href="#title">Give the survey a title.</a>' in shown
    assert '<a href="#q0-options">Question 1: Give 2 to 30 options.</a>' in shown
    for field, said in (("title", "title-error"), ("q0-options", "q0-options-hint q0-options-error")):
        tag = re.search(f'<(?:input|textarea)[^>]* id="{field}"[^>]*>', shown)
        assert tag is not None
        assert f'aria-describedby="{said}" aria-invalid="true"' in tag[0]
        assert re.search(f'id="{field}-error"><span[^>]*>Error:</span> Give ', shown)
    assert shown.count('aria-invalid="true"') == 2
    assert fields(page)["q0-options"].strip() == "one"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"title": "x" * 201}, "title"),
        ({"code": "a"}, "code"),
        ({"help": "x" * 1_001}, "help"),
        ({"results": "x"}, "results"),
        ({"access": "x"}, "access"),
        ({"opens_at": "soon"}, "opens_at"),
        ({"opens_at": "2030-01-02T10:00", "closes_at": "2030-01-01T10:00"}, "closes_at"),
        ({"q0-id": "q", "q1-id": "q", "q1-text": "Why?", "q1-kind": "text"}, "add"),
        ({"q0-text": " "}, "q0-text"),
        ({"q0-kind": "essay"}, "q0-kind"),
        ({"q0-help": "\x07"}, "q0-help"),
        ({"q0-options": "one\n" + "x" * 201}, "q0-options"),
        ({"q0-kind": "rating", "q0-scale": "99"}, "q0-scale"),
        ({"q0-kind": "rating", "q0-labels": "a\nb\nc"}, "q0-labels"),
        ({"q1-id": "q1", "q1-text": "Why?", "q1-kind": "single", "q1-options": "one"}, "q1-options"),
    ],
)
def test_every_mistake_leads_to_its_field_and_is_said_there_in_words(
    instructor: Client, typed: dict[str, str], field: str
):
    form = fields(instructor.get("/admin/surveys/new/"))
    form |= {"title": "T", "q0-text": "Which?", "q0-options": "one\ntwo", "action": "save", **typed}
    page = instructor.post("/admin/surveys/new/", form).content.decode()
    summary, _end, below = page.partition("<h1>")
    assert re.findall(r'<li><a href="#([^"]*)">', summary) == [field]
    assert f' id="{field}"' in below
    assert below.count(f'class="field-error" id="{field}-error"') == 1
    assert "[" not in summary[summary.index("<li>") :]


def test_a_code_that_another_survey_has_is_said_at_the_code(instructor: Client, survey: Survey):
    form = fields(instructor.get("/admin/surveys/new/")) | {"title": "T", "q0-text": "Q", "q0-kind": "text"}
    page = instructor.post("/admin/surveys/new/", {**form, "code": survey.code, "action": "save"})
    assert page.status_code == 409
    assert '<a href="#code">A different survey has the code' in page.content.decode()


def test_what_breaks_counts_leads_to_its_field_wherever_its_question_stands_now(instructor: Client, survey: Survey):
    vote(survey)
    form = fields(instructor.get(edit(survey))) | {"action": "down-0"}
    form = fields(instructor.post(edit(survey), form)) | {"q1-options": "one", "q1-kind": "multiple", "action": "save"}
    page = instructor.post(edit(survey), form).content.decode()
    assert '<a href="#q1-kind">Question 1 “Which?” would be of another kind' in page
    assert 'id="q1-kind-error"' in page


def test_a_mistake_in_german_is_words_too(instructor: Client):
    form = fields(instructor.get("/admin/surveys/new/")) | {"title": "T", "q0-text": "Q", "q0-options": "one"}
    german = {"Accept-Language": "de"}
    page = instructor.post("/admin/surveys/new/", {**form, "action": "save"}, headers=german).content.decode()
    assert '<a href="#q0-options">Frage 1: Geben Sie 2 bis 30 Antwortmöglichkeiten an.</a>' in page
