"""The builder's rules: ids that stay, two people's changes joined, and what would break counts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from polls.builder import drafts, joining
from polls.builder.joining import ORDER, Conflict
from polls.surveys.definitions import Definition, to_json
from polls.surveys.reader import parse

SURVEY = {
    "title": "T",
    "questions": [
        {"text": "Which?", "kind": "single", "options": ["red", "green", "blue"]},
        {"text": "How?", "kind": "rating", "labels": ["low", "high"]},
        {"text": "Why?", "kind": "text"},
    ],
}


def survey(**changes: Any) -> Definition:
    return parse({**SURVEY, **changes})


def with_questions(*numbers: int, **texts: str) -> Definition:
    """The survey with these of its questions (from 1), some with other words."""
    full = to_json(survey())["questions"]
    return parse(
        {**SURVEY, "questions": [{**full[n - 1], "text": texts.get(f"q{n}", f"Question {n}")} for n in numbers]}
    )


def join(base: Definition, mine: Definition, theirs: Definition) -> tuple[Definition | None, list[str]]:
    merged, conflicts = joining.joined(joining.parts(base), joining.parts(mine), joining.parts(theirs))
    return (None if conflicts else parse(joining.assembled(merged))), [conflict.name for conflict in conflicts]


def test_a_form_that_is_saved_as_it_was_shown_changes_nothing():
    before = survey(help="**hi**", opens_at="2026-03-31T14:00:07Z", results="hidden", access="link")
    assert parse(drafts.document(drafts.of(before), before)) == before


def test_an_option_keeps_its_id_when_it_moves_or_when_its_words_change_and_a_new_one_never_takes_an_old_id():
    before = ["red", "green", "blue"]
    by_text = {item["text"]: item["id"] for item in drafts.options(["blue", "red", "green"], before)}
    assert by_text == {"red": "o1", "green": "o2", "blue": "o3"}
    assert [item["id"] for item in drafts.options(["red", "verde", "blue"], before)] == ["o1", "o2", "o3"]
    shorter = drafts.options(["red", "blue"], before)
    assert [item["id"] for item in shorter] == ["o1", "o3"]
    longer = drafts.options(["red", "blue", "black"], shorter)
    assert [item["id"] for item in longer[:2]] == ["o1", "o3"]
    assert longer[2]["id"] not in {"o1", "o2", "o3"}


@given(st.lists(st.sampled_from("abcdefg"), unique=True, min_size=2), st.lists(st.sampled_from("abcdefg"), unique=True))
def test_no_two_options_share_an_id_and_what_is_still_there_keeps_its_own(before: list[str], after: list[str]):
    old = {text: f"o{place}" for place, text in enumerate(before, 1)}
    found = drafts.options(after, before)
    assert len({item["id"] for item in found}) == len(after)
    assert all(item["id"] == old[item["text"]] for item in found if item["text"] in old)


def test_a_grid_is_a_rating_for_each_statement_with_the_same_labels():
    made = drafts.grid("I like it\n\n It works \n", "4", "no\nyes")
    definition = parse(drafts.document(drafts.Draft(title="T", questions=tuple(made)), None))
    assert [question.text for question in definition.questions] == ["I like it", "It works"]
    assert {(question.scale, question.labels) for question in definition.questions} == {(4, ("no", "yes"))}
    assert len({question.id for question in definition.questions}) == 2


def test_a_question_moves_up_and_down_and_not_beyond_the_ends():
    draft = drafts.of(survey())
    ids = [question.id for question in drafts.moved(draft, 2, -1).questions]
    assert ids == ["q1", "q3", "q2"]
    assert drafts.moved(draft, 0, -1) == draft
    assert drafts.moved(draft, 2, 1) == draft


def test_changes_of_different_parts_are_both_kept():
    base = with_questions(1, 2)
    merged, conflicts = join(base, with_questions(1, 2, q1="mine"), with_questions(2, 1, 3, q2="theirs"))
    assert conflicts == []
    assert merged is not None
    assert [question.text for question in merged.questions] == ["theirs", "mine", "Question 3"]


def test_two_who_change_one_part_are_told_and_two_who_agree_are_not():
    base = survey()
    assert join(base, survey(title="mine"), survey(title="theirs")) == (None, ["title"])
    assert join(base, survey(title="same"), survey(title="same"))[1] == []
    assert join(base, survey(results="hidden"), survey(results="hidden", title="x"))[1] == []


def test_to_change_what_somebody_else_removed_is_a_conflict_and_either_can_be_chosen():
    base = with_questions(1, 2)
    parts = [joining.parts(version) for version in (base, with_questions(1, 2, q2="mine"), with_questions(1))]
    merged, conflicts = joining.joined(*parts)
    assert [conflict.name for conflict in conflicts] == ["question:q2"]
    for choice, texts in (("mine", ["Question 1", "mine"]), ("theirs", ["Question 1"])):
        settled = joining.assembled(joining.resolved(merged, conflicts, {"question:q2": choice}))
        assert [question["text"] for question in settled["questions"]] == texts


def test_two_orders_are_a_conflict():
    base = with_questions(1, 2, 3)
    assert join(base, with_questions(2, 1, 3), with_questions(1, 3, 2))[1] == [ORDER]
    merged, conflicts = join(base, with_questions(3, 1, 2), with_questions(1, 2, 3, q1="theirs"))
    assert conflicts == []
    assert merged is not None
    assert [question.text for question in merged.questions] == ["Question 3", "theirs", "Question 2"]


# One question that nobody removes: two who each remove the other's last one are told when it is saved.
SOME = st.permutations([1, 2, 3]).flatmap(
    lambda order: st.sampled_from([[n for n in order if n not in gone] for gone in ((), (2,), (3,), (2, 3))])
)


@given(SOME, SOME, SOME)
def test_who_joins_first_makes_no_difference_to_whether_there_is_a_conflict(a: list[int], b: list[int], c: list[int]):
    base, mine, theirs = (with_questions(*numbers) for numbers in (a, b, c))
    first, second = join(base, mine, theirs), join(base, theirs, mine)
    assert sorted(first[1]) == sorted(second[1])
    if first[0] is not None and second[0] is not None:
        assert set(first[0].questions) == set(second[0].questions)
    assert join(base, mine, base)[0] == mine
    assert join(base, base, theirs)[0] == theirs


def test_words_may_change_under_votes_and_what_votes_point_at_may_not():
    base = survey()
    assert joining.breaks(base, survey(title="x", help="y", results="hidden")) == []
    assert joining.breaks(with_questions(1, 2), with_questions(3, 2, 1, q1="other words")) == []
    assert [change.field for change in joining.breaks(base, survey(allow_change=False))] == ["allow_change"]
    removed = joining.breaks(with_questions(1, 2), with_questions(1))
    assert [(change.field, change.question) for change in removed] == [("", "")]
    assert "removed" in removed[0].text
    full = to_json(base)["questions"]
    for change, field, words in (
        ({"options": ["red", "green"]}, "options", "“blue”"),
        ({"kind": "multiple"}, "kind", "another kind"),
    ):
        changed = parse({**SURVEY, "questions": [{**full[0], **change}, *full[1:]]})
        changes = joining.breaks(base, changed)
        assert [(change.field, change.question) for change in changes] == [(field, full[0]["id"])]
        assert words in changes[0].text
    rescaled = parse({**SURVEY, "questions": [full[0], {**full[1], "scale": 7}, full[2]]})
    assert "another scale" in joining.breaks(base, rescaled)[0].text


def test_a_conflict_over_an_option_of_the_survey_that_one_side_took_back_can_be_settled():
    merged, conflicts = {"title": "T", "help": "theirs", ORDER: []}, [Conflict("help", None, "theirs")]
    assert "help" not in joining.resolved(merged, conflicts, {"help": "mine"})
