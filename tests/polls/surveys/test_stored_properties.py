"""Whatever stands in a row: it is merged, read, shown and counted; nothing of it is lost by writing it again."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from failover.gateway import StoredJSON
from polls.ballots.merge import Cast
from polls.builder import drafts, joining
from polls.results.csv_export import anonymous, ballot_rows, lines, result_rows
from polls.surveys import definitions, reader, stored
from polls.surveys.merge import change, merge, put_on
from polls.surveys.packing import packed, unpacked
from polls.surveys.survey import DEFINED, State, first_values, from_row, is_whole
from polls.tallies import store, tally

NAMES = st.sampled_from(
    [*DEFINED, "state", "archived", "born", "shards", "expires_at", "deleted:1", "hidden-text:q1.0", "theme"]
)
WORDS = st.sampled_from(
    ["", "T", "open", "closed", "link", "hidden", "single", "rating", "matrix", "q1", "o1", "0026-03-01T00:00:00Z",
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "2026-03-31T14:00:00", "\ud800", "\x00", "\u202e"]
)  # fmt: skip
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=5)
KEYS = st.sampled_from(["id", "text", "kind", "required", "options", "scale", "help", "labels", "theme"])
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | WORDS, inner, max_size=8), max_leaves=30
)
QUESTION = st.fixed_dictionaries(
    {"id": st.sampled_from(["q1", "q2"]), "kind": st.sampled_from(["single", "multiple", "rating", "text", "matrix"])},
    optional={"text": SCALARS, "required": SCALARS, "options": JSON, "scale": SCALARS, "labels": JSON, "theme": JSON},
)
ANY = JSON.map(lambda value: StoredJSON().deserialize(json.dumps(value)))  # as it comes out of an item
VALUES = JSON | st.lists(QUESTION, min_size=1, max_size=3)
ENTRY = JSON | st.fixed_dictionaries(
    {"v": VALUES, "at": st.integers(0, 9) | SCALARS},
    optional={"born": SCALARS, "seen": JSON, "names": JSON, "more": JSON},
)
FIELDS = (JSON | st.dictionaries(NAMES | WORDS, ENTRY, max_size=8)).map(
    lambda fields: StoredJSON().deserialize(json.dumps(fields))
)
ROUNDS = st.integers(0, 3) | NUMBERS


SOUND = reader.parse({"title": "T", "questions": [{"text": "Which?", "kind": "single", "options": ["a", "b"]}]})
FIRST = packed(change(merge([]), first_values(SOUND, now_s=0), now_ms=1))


@given(st.lists(st.tuples(ROUNDS, FIELDS), min_size=1, max_size=3), ANY)
def test_any_json_in_any_property_of_any_region_is_read_shown_and_counted(rows: list[tuple[Any, Any]], answer: Any):
    stands = [(1, FIRST), *rows]
    merged = merge(unpacked(number, fields, region=f"r{place}") for place, (number, fields) in enumerate(stands))
    if not is_whole(merged):
        assert merged.value("questions") is None  # a later change says so
        return
    survey = from_row("CODE", merged)
    json.dumps(survey.as_json())
    if survey.deleted:
        return
    drafts.of(survey.definition)
    assert survey.state_at(0.0) in State
    assert survey.state in State
    assert isinstance(survey.waits, bool)
    assert survey.kept_until
    assert joining.breaks(survey.definition, survey.definition) == []
    again = stored.read(definitions.to_json(survey.definition), survey.code)
    assert again.definition == survey.definition
    assert again.unread <= survey.unread  # what was understood is understood again
    stored.mistakes(survey.definition)
    cast = Cast("voter-0001", "no vote's name", "", {"q1": answer, "q2": answer})
    scheme = store.scheme_of(survey)
    counted = tally.total(
        [tally.count([cast], options=scheme.options, may_change=scheme.may_change)], options=scheme.options
    )
    assert "".join(lines(result_rows(survey, counted)))
    assert "".join(lines(ballot_rows(survey, anonymous([cast]))))


@given(FIELDS, st.dictionaries(NAMES, ANY, min_size=1, max_size=2), st.integers(0, 20))
def test_a_change_keeps_what_is_not_understood(fields: Any, values: dict[str, Any], now_ms: int):
    own = unpacked(1, fields, region="east")
    row = put_on(own, change(own, values, now_ms=now_ms), region="east")
    written = json.loads(json.dumps(packed(row, over=fields)))
    for name, entry in fields.items() if isinstance(fields, dict) else ():
        if name not in values:
            kept = written[name]
            assert kept == json.loads(json.dumps(entry)) or entry.items() <= kept.items() or "seen" in entry
    assert unpacked(row.round, written, region="east").fields == row.fields


@given(st.text() | JSON.map(json.dumps))
@example('{"a": NaN}')
@example("[1e999]")
@example("[" * 100_000)
@example('["\\ud800"]')
def test_any_text_in_a_json_attribute_is_read_and_can_be_sent(text: str):
    json.dumps(StoredJSON().deserialize(text), ensure_ascii=False, allow_nan=False).encode()


@given(JSON)
def test_any_json_is_stored_as_it_is(value: Any):
    written = StoredJSON().serialize(value)
    if written is not None:
        written.encode()
        assert json.loads(written) == value


def test_a_definition_of_the_largest_size_fits_into_an_item_in_every_script():
    texts = {name: name * 195 for name in "ж漢🎓"}
    for letter, text in texts.items():
        questions: list[dict[str, Any]] = []
        while not definitions.is_too_large({"questions": questions}):
            listed = [{"id": f"o{place}", "text": f"{place}{text}"} for place in range(30)]
            questions.append({"id": f"q{len(questions)}", "text": text, "kind": "single", "options": listed})
        row = change(merge([]), {"questions": questions[:-1]}, now_ms=1)
        size = len((StoredJSON().serialize(packed(row)) or "").encode())
        assert size < 400 * 1024 * 0.6, letter  # the marks of hidden texts take up to 50 KB beside it


def test_the_sound_survey_is_read_as_its_author_wrote_it():
    raw = {
        "title": "T",
        "help": "Read me",
        "results": "hidden",
        "access": "link",
        "allow_change": False,
        "opens_at": "2026-03-31T14:00:00Z",
        "closes_at": "2026-04-30T14:00:00Z",
        "questions": [
            {"text": "Which?", "kind": "single", "options": ["one", {"id": "x", "text": "two"}], "help": "H"},
            {"text": "How?", "kind": "rating", "scale": 3, "labels": ["a", "b", "c"], "required": False},
            {"text": "Why?", "kind": "text"},
        ],
    }
    definition = reader.parse(raw)
    survey = from_row("CODE", change(merge([]), first_values(definition, now_s=0), now_ms=1, new_round=True))
    assert survey.definition == reader.parse({**raw, "code": "CODE"})
    assert (survey.unread, survey.votable) == (frozenset(), True)
