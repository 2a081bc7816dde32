"""The builder's pages against the live lab, as a browser without JavaScript uses them."""

import json
import re
import secrets
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from polls.ballots import services
from polls.surveys import codes, reader, selectors
from polls.surveys.services import ServiceRefused, survey_change, survey_create
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.polls.clocks import in_days
from tests.polls.views.builder_form import edit, fields

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


def now(survey: Survey) -> Survey:
    found = selectors.read_now(survey.code)
    assert found is not None
    return found.survey


def vote(survey: Survey) -> None:
    services.ballot_cast(
        survey=survey, voter="voter-0001", vote_id=services.name_vote(), answers={"q1": "o1", "q2": ["o1"]}
    )


@pytest.mark.parametrize("path", ["new/", "{}/edit/", "{}/preview/", "{}/links/", "{}/delete/", "{}/export.json"])
def test_only_staff_come_in(survey: Survey, path: str):
    reply = Client().get("/admin/surveys/" + path.format(survey.code))
    assert reply.status_code == 302
    assert reply["Location"].startswith("/admin/login/")


def test_a_survey_is_written_button_by_button_and_then_saved(instructor: Client):
    form = fields(instructor.get("/admin/surveys/new/"))
    form |= {"title": "Written here", "q0-text": "Which?", "q0-options": "red\r\ngreen\r\n", "action": "add"}
    form = fields(instructor.post("/admin/surveys/new/", form))
    assert form["q0-options"].split() == ["red", "green"]
    form |= {"q1-text": "Why?", "q1-kind": "text", "action": "up-1"}
    form = fields(instructor.post("/admin/surveys/new/", form))
    assert (form["q0-text"], form["q1-text"]) == ("Why?", "Which?")
    form |= {"grid-statements": "It works\nIt is fun", "grid-labels": "no\nyes", "grid-scale": "3", "action": "grid"}
    form = fields(instructor.post("/admin/surveys/new/", form))
    page = instructor.post("/admin/surveys/new/", {**form, "action": "save"}, follow=True)
    code = re.search(r"(\w+) is saved", page.content.decode())
    assert code is not None, page.content.decode()[:3000]
    made = selectors.survey_get(code[1]).value
    assert [question.text for question in made.definition.questions] == ["Why?", "Which?", "It works", "It is fun"]
    assert [option.text for option in made.definition.questions[1].options] == ["red", "green"]
    assert made.definition.questions[3].labels == ("no", "yes")


@pytest.mark.parametrize(
    ("buttons", "sentence"),
    [
        (["save"], "is saved; it is closed until you open it."),
        (["open"], "is saved and open: it takes votes."),
        (["save", "open"], "is saved and open: it takes votes."),  # no reply came, and then the other button
        (["open", "save"], "is saved and open: it takes votes."),
    ],
)
def test_a_new_survey_opens_when_its_author_says_so(instructor: Client, buttons: list[str], sentence: str):
    form = fields(instructor.get("/admin/surveys/new/"))
    form |= {"title": "New", "q0-text": "Why?", "q0-kind": "text"}
    for button in buttons:
        page = instructor.post("/admin/surveys/new/", {**form, "action": button}, follow=True)
    assert f"{form['spare_code']} {sentence}" in page.content.decode()
    assert selectors.found_now(form["spare_code"]).survey.is_open is ("open" in buttons)


def test_a_double_click_makes_one_survey_and_the_back_button_another(instructor: Client):
    form = fields(instructor.get("/admin/surveys/new/"))
    form |= {"title": "Twice", "help": "Read me", "q0-text": "Why?", "q0-kind": "text", "action": "save"}

    def code_of(data: dict[str, str]) -> str:
        page = instructor.post("/admin/surveys/new/", data, follow=True).content.decode()
        saved = re.search(r"(\w+) is saved", page)
        assert saved is not None, page[:2000]
        return saved[1]

    first = code_of(form)
    assert code_of(form) == first
    changed = code_of({**form, "title": "Twice, other words"})
    assert changed != first
    assert selectors.found_now(first).survey.definition.title == "Twice"


def test_an_edit_changes_words_and_keeps_ids_while_there_are_votes(instructor: Client, survey: Survey):
    vote(survey)
    form = fields(instructor.get(edit(survey)))
    form |= {"title": "Other words", "q0-text": "Which one?", "action": "save"}
    assert instructor.post(edit(survey), form).status_code == 302
    after = now(survey)
    assert (after.definition.title, after.definition.questions[0].text, after.round) == ("Other words", "Which one?", 1)
    assert [question.id for question in after.definition.questions] == [
        question.id for question in survey.definition.questions
    ]


def test_a_change_that_breaks_counts_is_refused_or_begins_a_round(instructor: Client, survey: Survey):
    vote(survey)
    form = fields(instructor.get(edit(survey))) | {"action": "remove-0"}
    form = fields(instructor.post(edit(survey), form)) | {"action": "save"}
    refused = instructor.post(edit(survey), form)
    assert refused.status_code == 409
    assert "would be removed" in refused.content.decode()
    assert now(survey) == survey
    assert instructor.post(edit(survey), {**fields(refused), "new_round": "on", "action": "save"}).status_code == 302
    assert (now(survey).round, len(now(survey).definition.questions)) == (2, 3)


def test_without_votes_anything_may_change_within_the_round(instructor: Client, survey: Survey):
    form = fields(instructor.get(edit(survey))) | {"action": "remove-0"}
    form = fields(instructor.post(edit(survey), form)) | {"action": "save"}
    form.pop("allow_change")
    assert instructor.post(edit(survey), form).status_code == 302
    assert (now(survey).round, len(now(survey).definition.questions), now(survey).definition.allow_change) == (
        1,
        3,
        False,
    )


def test_two_instructors_who_change_different_parts_are_both_kept(instructor: Client, survey: Survey):
    one, other = (fields(instructor.get(edit(survey))) for _ in range(2))
    assert instructor.post(edit(survey), {**one, "title": "First", "action": "save"}).status_code == 302
    assert instructor.post(edit(survey), {**other, "q0-text": "Second?", "action": "save"}).status_code == 302
    assert (now(survey).definition.title, now(survey).definition.questions[0].text) == ("First", "Second?")


@pytest.mark.parametrize(("choice", "title"), [("mine", "Second"), ("theirs", "First")])
def test_two_who_change_the_same_get_both_versions_and_a_choice(
    instructor: Client, survey: Survey, choice: str, title: str
):
    one, other = (fields(instructor.get(edit(survey))) for _ in range(2))
    instructor.post(edit(survey), {**one, "title": "First", "action": "save"})
    page = instructor.post(edit(survey), {**other, "title": "Second", "q0-text": "Kept?", "action": "save"})
    assert page.status_code == 409
    for version in ("First", "Second"):
        assert f"<li>{version}</li>" in page.content.decode()
    assert now(survey).definition.title == "First"
    undecided = instructor.post(edit(survey), {**fields(page), "action": "settle"})
    assert undecided.status_code == 422
    settled = instructor.post(edit(survey), {**fields(undecided), "choice-0": choice, "action": "settle"})
    assert settled.status_code == 302
    assert (now(survey).definition.title, now(survey).definition.questions[0].text) == (title, "Kept?")


def test_a_form_whose_base_is_not_ours_or_another_surveys_is_shown_again_and_saves_nothing(
    instructor: Client, make_survey: Callable[..., Survey]
):
    survey, other = make_survey(), make_survey()
    for base in ("forged", fields(instructor.get(edit(other)))["base"]):
        form = fields(instructor.get(edit(survey))) | {"base": base, "title": "X", "action": "save"}
        page = instructor.post(edit(survey), form)
        assert (page.status_code, fields(page)["title"]) == (409, "X")
        assert now(survey) == survey


def test_a_preview_looks_like_the_ballot_and_can_send_nothing(instructor: Client, survey: Survey):
    page, _, _footer = instructor.get(f"/admin/surveys/{survey.code}/preview/").content.decode().partition("<footer")
    assert 'name="q_q1"' in page
    assert "<form" not in page
    assert 'type="submit"' not in page


def test_a_copy_has_the_same_questions_and_waits_closed(instructor: Client, survey: Survey):
    reply = instructor.post(f"/admin/surveys/{survey.code}/duplicate/")
    code = reply["Location"].split("/")[3]
    copy = selectors.survey_get(code).value
    assert copy.definition.questions == survey.definition.questions
    assert not copy.is_open
    assert code != survey.code


def test_a_double_click_makes_one_copy(instructor: Client, survey: Survey):
    spare = codes.make()
    copies = [
        instructor.post(f"/admin/surveys/{survey.code}/duplicate/", {"spare_code": spare})["Location"] for _ in range(2)
    ]
    assert copies == [f"/admin/surveys/{spare}/edit/"] * 2


def test_an_export_can_be_imported_again(instructor: Client, survey: Survey):
    reply = instructor.get(f"/admin/surveys/{survey.code}/export.json")
    assert f'filename="{survey.code}.json"' in reply["Content-Disposition"]
    assert json.loads(reply.content)["code"] == survey.code


def test_hostile_texts_are_inert_everywhere(instructor: Client):
    nasty = '</textarea><script>alert("x")</script>'
    form = fields(instructor.get("/admin/surveys/new/"))
    form |= {"title": nasty, "help": nasty, "q0-text": nasty, "q0-options": f"{nasty}\nother", "action": "save"}
    page = instructor.post("/admin/surveys/new/", form, follow=True)
    code = re.search(r"(\w+) is saved", page.content.decode())
    assert code is not None
    pages = [
        "/admin/surveys/",
        f"/admin/surveys/{code[1]}/edit/",
        f"/admin/surveys/{code[1]}/preview/",
        f"/s/{code[1]}/",
    ]
    for path in pages:
        shown = instructor.get(path).content.decode()
        assert '<script>alert("x")' not in shown
        assert nasty in unescape(shown)


def test_more_than_fifty_questions_are_refused_with_one_sentence(instructor: Client):
    form = fields(instructor.get("/admin/surveys/new/")) | {"title": "Many", "action": "grid"}
    form |= {"grid-statements": "\n".join(f"Statement {n}" for n in range(60)), "grid-labels": ""}
    form = fields(instructor.post("/admin/surveys/new/", form)) | {"q0-text": "Q", "q0-kind": "text", "action": "save"}
    page = instructor.post("/admin/surveys/new/", form)
    assert page.status_code == 422
    assert "1 to 50" in page.content.decode()


def test_opening_by_hand_forgets_a_time_that_would_keep_it_closed(instructor: Client, survey: Survey):
    form = fields(instructor.get(edit(survey))) | {"opens_at": in_days(90).removesuffix(":00Z"), "action": "save"}
    instructor.post(edit(survey), form)
    assert now(survey).waits
    assert "not open yet" in Client().get(f"/s/{survey.code}/").content.decode()
    instructor.post(f"/admin/surveys/{survey.code}/open/")
    assert now(survey).is_open


def test_a_change_that_was_overtaken_between_reading_and_writing_is_refused_and_another_property_is_not(survey: Survey):
    found = selectors.read_now(survey.code)
    assert found is not None
    survey_change(code=survey.code, values={"title": "First"}, since=found.row)
    with pytest.raises(ServiceRefused) as refused:
        survey_change(code=survey.code, values={"title": "Second"}, since=found.row)
    assert refused.value.reason == "conflict"
    survey_change(code=survey.code, values={"results": "hidden"}, since=found.row)
    assert (now(survey).definition.title, now(survey).definition.results) == ("First", "hidden")


def test_while_a_region_does_not_answer_nobody_knows_that_there_are_no_votes(
    app: Lab, instructor: Client, survey: Survey
):
    form = fields(instructor.get(edit(survey))) | {"action": "remove-0"}
    form = fields(instructor.post(edit(survey), form)) | {"action": "save"}
    app.fault("us-west-2", "refuse", "--for", "60")
    refused = instructor.post(edit(survey), form)
    assert refused.status_code == 409
    assert now(survey) == survey
    assert instructor.post(edit(survey), {**fields(refused), "new_round": "on", "action": "save"}).status_code == 302
    assert now(survey).round == 2


def test_five_thousand_options_are_one_sentence_and_a_body_of_ten_megabytes_is_not_read(instructor: Client):
    form = fields(instructor.get("/admin/surveys/new/")) | {"title": "Many", "q0-text": "Which?", "action": "save"}
    page = instructor.post("/admin/surveys/new/", {**form, "q0-options": "\n".join(map(str, range(5_000)))})
    assert page.status_code == 422
    assert page.content.decode().count('href="#q0-options"') == 1
    assert instructor.post("/admin/surveys/new/", {**form, "help": "x" * 10_000_000}).status_code == 400


def test_the_largest_survey_there_may_be_is_edited_like_any_other(instructor: Client):
    texts = iter(secrets.token_hex(50) for _ in range(2_000))  # nothing that signing could make smaller
    questions = [
        {"text": next(texts), "kind": "multiple", "options": [next(texts) for _option in range(30)]}
        for _question in range(50)
    ]
    made = survey_create(definition=reader.parse({"title": "Large", "questions": questions}))
    one, other = (fields(instructor.get(edit(made))) for _ in range(2))
    assert instructor.post(edit(made), {**one, "title": "Larger", "action": "save"}).status_code == 302
    page = instructor.post(edit(made), {**other, "title": "Largest", "action": "save"})
    assert page.status_code == 409
    settled = instructor.post(edit(made), {**fields(page), "choice-0": "mine", "action": "settle"})
    assert settled.status_code == 302
    assert (now(made).definition.title, now(made).definition.questions) == ("Largest", made.definition.questions)
    assert instructor.get(f"/s/{made.code}/").status_code == 200
    assert instructor.get(f"/s/{made.code}/present/?q=50").status_code == 200


def test_when_no_region_takes_a_survey_everything_typed_is_still_there(app: Lab, instructor: Client):
    form = fields(instructor.get("/admin/surveys/new/"))
    form |= {"title": "Still here", "q0-text": "Which?", "q0-options": "one\ntwo", "action": "save"}
    for region in ("us-east-1", "us-west-2"):
        app.fault(region, "refuse", "--for", "60")
    page = instructor.post("/admin/surveys/new/", form)
    assert page.status_code == 503
    again = fields(page)
    assert (again["title"], again["q0-options"].split()) == ("Still here", ["one", "two"])
