"""What the survey JSON may say beyond questions: help, labels, times, hidden results, access by link."""

import json
from typing import Any

import pytest

from failover import gateway
from polls.surveys import markdown
from polls.surveys.definitions import Access, DefinitionInvalid, Visibility, to_json
from polls.surveys.merge import Row, change
from polls.surveys.reader import parse
from polls.surveys.survey import State, first_values, from_row

RATING = {"text": "How?", "kind": "rating", "scale": 3}
MINIMAL = {"title": "T", "questions": [RATING]}


def with_question(**changes: Any) -> dict[str, Any]:
    return {**MINIMAL, "questions": [{**RATING, **changes}]}


def survey_with(**changes: Any):
    values = first_values(parse({**MINIMAL, **changes}), now_s=gateway.clock.wall())
    return from_row("CODE", change(Row(), values, now_ms=1, new_round=True))


def test_every_option_is_written_and_read_again():
    raw = {
        **with_question(help="*choose*", labels=["bad", "so so", "good"]),
        "help": "Two lines\nof **Markdown**",
        "results": "hidden",
        "access": "link",
        "opens_at": "2026-03-31T16:00:00+02:00",
        "closes_at": "2026-03-31T15:00:00Z",
    }
    definition = parse(raw)
    assert (definition.results, definition.access) == (Visibility.HIDDEN, Access.LINK)
    assert to_json(definition)["opens_at"] == "2026-03-31T14:00:00Z"
    assert parse(json.loads(json.dumps(to_json(definition)))) == definition
    assert [option.text for option in definition.questions[0].choices] == ["1 bad", "2 so so", "3 good"]


def test_what_is_not_said_is_not_written():
    assert set(to_json(parse(MINIMAL))) == {"title", "allow_change", "questions"}


def test_two_labels_are_for_the_ends():
    question = parse(with_question(labels=["bad", "good"])).questions[0]
    assert question.ends == ("bad", "good")
    assert [option.text for option in question.choices] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({**MINIMAL, "results": "secret"}, "“Results” must be one of shown, hidden"),
        ({**MINIMAL, "access": ["link"]}, "“Who may vote” must be one of open, link"),
        ({**MINIMAL, "opens_at": "2026-03-31T14:00:00"}, "a time with its zone"),
        ({**MINIMAL, "closes_at": "0001-01-01T00:00:00+14:00"}, "a time with its zone"),
        ({**MINIMAL, "closes_at": 7}, "a time with its zone"),
        ({**MINIMAL, "opens_at": "2026-03-31T14:00Z", "closes_at": "2026-03-31T14:00Z"}, "must be later than"),
        ({**MINIMAL, "help": ["x"]}, "“Introduction” must be a text"),
        ({**MINIMAL, "help": "x" * 1001}, "longer than 1000"),
        (with_question(help="a\x07b"), "cannot be shown"),
        (with_question(labels=["a", "b", "c", "d"]), "Give 2 labels (for both ends) or 3"),
        (with_question(labels=["a", ""]), "Write every label"),
        (with_question(labels="ab"), "Give 2 labels"),
        (
            {"title": "T", "questions": [{"text": "Q", "kind": "text", "labels": ["a", "b"]}]},
            "Only a rating has labels",
        ),
    ],
)
def test_each_mistake_is_one_clear_sentence(raw: dict[str, Any], sentence: str):
    with pytest.raises(DefinitionInvalid) as caught:
        parse(raw)
    assert len(caught.value.messages) == 1, caught.value.messages
    assert sentence in caught.value.messages[0]


def test_a_mistake_says_in_words_and_in_the_json_where_it_is():
    choice = {"text": "Q", "kind": "single", "options": ["a", {"id": "?", "text": "b"}, ""]}
    with pytest.raises(DefinitionInvalid) as caught:
        parse({"title": "", "questions": [RATING, {**RATING, "scale": 99}, choice], "x": 1})
    assert [(one.question, one.option, one.field, one.path) for one in caught.value.mistakes] == [
        (0, 0, "x", "x"),
        (0, 0, "title", "title"),
        (2, 0, "scale", "questions[1].scale"),
        (3, 2, "id", "questions[2].options[1].id"),
        (3, 3, "", "questions[2].options[2]"),
    ]
    assert caught.value.messages[1] == "Give the survey a title. (title)"
    assert caught.value.messages[4] == "Question 3, option 3: Write the option. (questions[2].options[2])"
    assert str(caught.value).split("\n")[4] == "Question 3, option 3: Write the option."


def test_a_survey_opens_and_closes_by_the_clock_of_whoever_looks():
    survey = survey_with(opens_at="2026-01-01T10:00:00Z", closes_at="2026-01-01T11:00:00Z")
    assert survey.definition.opens_at is not None
    opens = survey.definition.opens_at.timestamp()
    assert survey.state_at(opens - 1) is State.CLOSED
    assert survey.state_at(opens) is State.OPEN
    assert survey.state_at(opens + 3599) is State.OPEN
    assert survey.state_at(opens + 3600) is State.CLOSED
    assert not survey_with(closes_at="2026-01-01T11:00:00Z").is_open
    assert survey_with().state_at(gateway.clock.wall()) is State.OPEN


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,hi)",
        "![x](https://example.org/pixel.png)",
        '<img src=x onerror="alert(1)">',
        '[x](https://example.org/" onclick="alert(1))',
        "<javascript:alert(1)>",
    ],
)
def test_markdown_never_lets_html_scripts_or_pictures_through(hostile: str):
    shown = markdown.render(hostile).lower()
    for tag in ("<script", "<img", 'href="javascript', 'href="data', ' onclick="', ' onerror="'):
        assert tag not in shown


def test_markdown_makes_emphasis_lists_and_links():
    shown = markdown.render("**a**\n\n- b\n- [c](https://example.org/)")
    assert "<strong>a</strong>" in shown
    assert "<li>b</li>" in shown
    assert 'href="https://example.org/"' in shown


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦 family",
        "می‌خواهم",
        "Pourquoi\u00a0?",
        "Prix\u202f: 5 €",
        "Donau\u00addampf",
        "שלום",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "\U0001faea",
    ],
    ids=["joined emoji", "Persian", "hard blank", "narrow blank", "soft hyphen", "Hebrew", "England", "Unicode 17"],
)
def test_texts_of_any_language_and_emoji_are_taken(text: str):
    made = parse({"title": text, "help": text, "questions": [{"text": text, "kind": "text"}]})
    assert (made.title, made.questions[0].text) == (text, text)


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\x00", "\x1b", "\udcfc", "\u2028", "\ufffe"], ids=ascii)
def test_what_turns_the_text_around_it_or_cannot_be_seen_is_refused(character: str):
    with pytest.raises(DefinitionInvalid, match="cannot be shown"):
        parse({"title": f"a{character}b", "questions": [{"text": "Q", "kind": "text"}]})


@pytest.mark.parametrize("unseen", ["\u200b", "\u2800", "\u3164", "\u00ad\u034f", "\ufe0f", "\u3000"], ids=ascii)
@pytest.mark.parametrize("field", ["title", "question", "option", "label"])
def test_a_text_in_which_nothing_can_be_seen_is_missing(field: str, unseen: str):
    texts = {name: unseen if name == field else name for name in ("title", "question", "option", "label")}
    choice = {"text": texts["question"], "kind": "single", "options": [texts["option"], "other"]}
    rating = {"text": "R", "kind": "rating", "scale": 2, "labels": [texts["label"], "other"]}
    with pytest.raises(DefinitionInvalid, match=r"Give the survey a title|Write"):
        parse({"title": texts["title"], "questions": [choice, rating]})


def test_a_help_text_in_which_nothing_can_be_seen_is_none():
    assert parse({"title": "T", "help": "\u200b \u3164", "questions": [{"text": "Q", "kind": "text"}]}).help == ""


@pytest.mark.parametrize("twin", ["Ye\u200bs", " Yes\u00a0", "\u2068Yes\u2069", "Y\u00ades"], ids=ascii)
def test_two_options_that_look_the_same_are_one_too_many(twin: str):
    with pytest.raises(DefinitionInvalid, match="“Yes” is there twice"):
        parse({"title": "T", "questions": [{"text": "Q", "kind": "single", "options": ["Yes", twin]}]})


def test_a_text_is_as_long_as_its_composed_form():
    assert parse({"title": "u\u0308" * 200, "questions": [{"text": "Q", "kind": "text"}]}).title == "ü" * 200
    with pytest.raises(DefinitionInvalid, match="longer than 200"):
        parse({"title": "u\u0308" * 201, "questions": [{"text": "Q", "kind": "text"}]})
