"""What a spreadsheet gets: nothing that runs, nothing that tells who voted."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polls.ballots import vote_ids
from polls.ballots.merge import Cast
from polls.results import csv_export
from polls.surveys import reader
from polls.surveys.survey import State, Survey
from polls.tallies.tally import count

DEFINITION = reader.parse(
    {
        "title": "T",
        "questions": [
            {"text": "=1+1", "kind": "single", "options": ["@one", 'two, "too"']},
            {"text": "All?", "kind": "multiple", "options": ["a", "b"]},
            {"text": "How?", "kind": "rating", "scale": 3},
            {"text": "Why?", "kind": "text"},
        ],
    }
)
SURVEY = Survey("TESTED", DEFINITION, State.OPEN, 1, 4, 0)
NOON_MS = 1_790_000_000_000


def cast(voter: str, second: int, **answers: object) -> Cast:
    return Cast(voter, vote_ids.mint(NOON_MS + second * 1000, 7), "d", answers)


def read(lines: object) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(lines), newline="")))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝"])
def test_a_cell_that_a_spreadsheet_would_run_has_an_apostrophe_in_front(start: str):
    assert csv_export.safe(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"


@given(st.text())
def test_no_text_ever_starts_as_a_formula_and_none_is_changed_but_by_the_apostrophe(text: str):
    cell = str(csv_export.safe(text))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell in (text, f"'{text}")


def test_numbers_stay_numbers():
    assert csv_export.safe(-4) == -4


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1)))
def test_what_is_written_is_read_again_cell_by_cell(rows: list[list[str]]):
    rows = [row for row in rows if row != [""]]
    assert read(csv_export.lines(rows)) == [[str(csv_export.safe(cell)) for cell in row] for row in rows]


def test_a_bom_comes_first_and_only_when_it_is_asked_for():
    assert "".join(csv_export.lines([["a"]], bom=True)) == "\ufeffa\r\n"
    assert "".join(csv_export.lines([["a"]])) == "a\r\n"


def test_results_have_a_row_an_option_with_both_denominators():
    casts = [cast("voter-1", 0, q1="o1", q3=3), cast("voter-2", 1, q1="o2", q3=2), cast("voter-3", 2, q3=2)]
    tally = count(casts, options=SURVEY.option_ids, may_change=True)
    rows = read(csv_export.lines(csv_export.result_rows(SURVEY, tally)))
    assert rows[1] == ["q1", "'=1+1", "single", "o1", "'@one", "1", "50.0", "33.3", "2", "3", ""]
    assert rows[-1] == ["q4", "Why?", "text", "", "", "", "", "", "0", "3", ""]
    assert [row[-1] for row in rows if row[0] == "q3"] == ["2.33"] * 3


def test_a_ballot_is_told_in_words_and_without_its_voter():
    ballots = csv_export.anonymous([cast("voter-secret", 61, q1="o2", q2=["o1", "o2"], q3=1, q4="=because")])
    text = "".join(csv_export.lines(csv_export.ballot_rows(SURVEY, ballots)))
    assert "voter" not in text
    row = read([text])[1]
    assert row[0] == "1"
    assert row[1].endswith("Z")
    assert len(row[1]) == len("2026-09-21T14:14Z")
    assert row[2:] == ["o2", 'two, "too"', "1", "1", "1", "'=because"]


def test_columns_have_the_names_of_ids_which_are_one_of_a_kind_whatever_the_texts_are():
    raw = {"text": "Same?", "kind": "multiple", "options": ["a", "b", "a; b"]}
    questions = reader.parse({"title": "T", "questions": [raw, raw | {"kind": "single"}, raw]}).questions
    survey = replace(SURVEY, definition=replace(DEFINITION, questions=questions))
    ballots = csv_export.anonymous(
        [cast("voter-1", 0, q1=["o3"], q2="o3"), cast("voter-2", 60, q1=["o1", "o2"], q3=[])]
    )
    head, first, second = read(csv_export.lines(csv_export.ballot_rows(survey, ballots)))
    assert head == ["ballot", "minute_utc", "q1.o1", "q1.o2", "q1.o3", "q2", "q2.text", "q3.o1", "q3.o2", "q3.o3"]
    assert first[2:] == ["0", "0", "1", "o3", "a; b", "", "", ""]
    assert second[2:] == ["1", "1", "0", "", "", "0", "0", "0"]


def test_where_a_comma_parts_decimals_semicolons_part_the_cells():
    lines = list(csv_export.lines([["a;b", 1.5, "=x"]], separator=";"))
    assert lines == ['"a;b";1,5;\'=x\r\n']


def test_a_question_with_the_name_of_our_own_columns_has_a_column_of_its_own():
    raw = {"kind": "text", "text": "Same?"}
    questions = [raw | {"id": name} for name in ("ballot", "minute_utc")]
    choice = {"id": "minute", "kind": "single", "text": "?", "options": [{"id": "text", "text": "a"}, "b"]}
    made = reader.parse({"title": "T", "questions": [*questions, choice]}).questions
    survey = replace(SURVEY, definition=replace(DEFINITION, questions=made))
    (head,) = read(csv_export.lines(csv_export.ballot_rows(survey, [])))
    assert head == ["ballot", "minute_utc", "ballot.", "minute_utc.", "minute", "minute.text"]


def test_two_exports_cannot_be_laid_side_by_side():
    casts = [cast(f"voter-{number}", 0, q1="o1", q4=str(number)) for number in range(40)]
    orders = {tuple(ballot.answers["q4"] for ballot in csv_export.anonymous(casts)) for _export in range(3)}
    assert len(orders) == 3


def test_ballots_are_in_the_order_of_their_minutes():
    casts = [cast("voter-1", 120), cast("voter-2", 0), cast("voter-3", 61)]
    minutes = [ballot.minute for ballot in csv_export.anonymous(casts)]
    assert minutes == sorted(minutes)
    assert len(set(minutes)) == 3


def test_hiding_a_text_leaves_the_survey_as_it_is():
    assert replace(SURVEY, hidden_texts=frozenset({"q4.0"})).definition == SURVEY.definition
