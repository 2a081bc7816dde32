"""One check of text for every entry: what harms is refused, what is only new or rare is not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core import text

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
ANY = st.text(st.one_of(st.characters(codec=None), st.sampled_from("\u202a\u202c\u202e\u2066\u2069\u0301\u200d\udcfc")))


@pytest.mark.parametrize(
    "harmful",
    [
        pytest.param("\udcfcbung", id="a byte that was no UTF-8"),
        pytest.param("a\x00b", id="NUL"),
        pytest.param("a\x1b[2Jb", id="an escape sequence"),
        pytest.param("a\x7fb", id="DEL"),
        pytest.param("a\x85b", id="a control of the second set"),
        pytest.param("a\ufffeb", id="no character"),
        pytest.param("a\ufdd0b", id="no character in the Arabic block"),
        pytest.param("a\U0010ffffb", id="the last code of all"),
        pytest.param("\u202eoN", id="an override"),
        pytest.param("\u202eoN\u202c", id="an override that is closed"),
        pytest.param("\u2067a", id="an isolate without its end"),
        pytest.param("a\u2069", id="an end without its isolate"),
        pytest.param("\u202ba\u2069", id="an embedding that an isolate's end closes"),
        pytest.param("a\U000e0068\U000e0069", id="a hidden word in tags"),
        pytest.param("\U000e0001en", id="a language tag"),
        pytest.param("a" + "\u0301" * 17, id="a tower of accents"),
        pytest.param("a" + "\u20dd" * 17, id="a tower of circles"),
    ],
)
def test_what_harms_is_named_in_one_line_and_in_several(harmful: str) -> None:
    for lines in (False, True):
        named = text.harm(harmful, lines=lines)
        assert named is not None
        assert named.startswith("U+")
        assert named.isascii()


@pytest.mark.parametrize(
    "harmless",
    [
        pytest.param("\U0001fae8", id="an emoji of Unicode 15"),
        pytest.param("\U0001fae9", id="an emoji of Unicode 16"),
        pytest.param("\U0001faea", id="an emoji of Unicode 17"),
        pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467", id="a family"),
        pytest.param("\u2764\ufe0f\u200d\U0001f525", id="a heart on fire"),
        pytest.param("1\ufe0f\u20e3", id="a keycap"),
        pytest.param(ENGLAND + SCOTLAND, id="flags made of tags"),
        pytest.param("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", id="Persian with a non-joiner"),
        pytest.param("\u0915\u094d\u200d\u0937", id="Hindi with a joiner"),
        pytest.param("\u202a+49 123\u202c", id="a number from an address book"),
        pytest.param("\u2068\u05d0\u2067b\u2069\u2069", id="isolates within each other"),
        pytest.param("a\u200eb\u200f\u061c", id="marks of direction"),
        pytest.param("\u0b95\u0bcd\u0bb7", id="Tamil"),
        pytest.param("\u0f67\u0f90\u0fb5\u0fa8\u0fb3\u0fba\u0fbc\u0fbb\u0f82", id="the tallest Tibetan syllable"),
        pytest.param("5\u00a0%\u2009a\u3000b", id="blanks of other widths"),
        pytest.param("Donau\u00addampf", id="a soft hyphen"),
        pytest.param("\uf8ff", id="a character for private use"),
        pytest.param("\u0378", id="a code that Unicode has not given yet"),
    ],
)
def test_what_is_new_rare_or_joins_letters_is_taken_and_can_be_seen(harmless: str) -> None:
    for lines in (False, True):
        assert text.harm(harmless, lines=lines) is None
    assert text.harmless(harmless) == harmless
    assert not text.is_empty(harmless)


@pytest.mark.parametrize("end", ["\t", "\n", "\u2028", "\u2029"], ids=ascii)
def test_a_line_ends_only_where_there_may_be_several(end: str) -> None:
    assert text.harm(f"a{end}b") is not None
    assert text.harm(f"a{end}b", lines=True) is None


def test_an_isolate_ends_within_its_line() -> None:
    assert text.harm("\u2067a\nb\u2069", lines=True) is not None


@pytest.mark.parametrize(
    "unseen",
    [
        *("", " ", "\u00a0\u3000", "\u200b", "\u200d\u200c", "\ufeff", "\u2060\u2061", "\u2800", "\u3164", "\u115f"),
        *("\u1160", "\uffa0", "\u00ad", "\u034f", "\ufe0f", "\U000e0100", "\u180e", "\u180b", "\u17b4", "\u0301"),
        *("\u20dd", "\U0001d159", "\ufffc", "\U000e0020", "\u200e\u200f", "\u2028\n\t", "\u2066\u2069"),
    ],
    ids=ascii,
)
def test_what_nobody_sees_is_empty_and_makes_no_difference(unseen: str) -> None:
    assert text.is_empty(unseen)
    if not unseen.startswith(("\u0301", "\u20dd")):  # these are seen on a letter
        assert text.likeness(f"Yes{unseen}") == text.likeness("Yes")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" \u200b\ufeff a \u200b ", "a"),
        ("u\u0308", "\u00fc"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("end!\u200f", "end!\u200f"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
    ],
    ids=ascii,
)
def test_a_text_is_kept_composed_without_blanks_at_its_ends(written: str, kept: str) -> None:
    assert text.tidy(written, lines=True) == kept


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("caf\u00e9", "cafe\u0301", True),
        ("a  b", " a\u00a0b", True),
        ("Yes", "Y\u200des", True),
        ("Yes", "\u2066Yes\u2069", True),
        ("Yes", "yes", False),
        (ENGLAND, SCOTLAND, False),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e", False),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\U0001f469", False),
    ],
)
def test_two_texts_that_look_the_same_are_alike(one: str, other: str, alike: bool) -> None:
    assert (text.likeness(one) == text.likeness(other)) is alike


@given(ANY, st.booleans())
def test_whatever_is_stored_is_shown_harmlessly(stored: str, lines: bool) -> None:
    shown = text.harmless(stored, lines=lines)
    assert text.harm(shown, lines=lines) is None
    assert shown.encode().decode() == shown
    assert text.harmless(shown, lines=lines) == shown


@given(ANY)
def test_a_tidy_text_stays_as_it_is(written: str) -> None:
    for lines in (False, True):
        kept = text.tidy(written, lines=lines)
        assert text.tidy(kept, lines=lines) == kept


@given(ANY)
def test_a_log_line_stays_one_line_that_can_be_written(quoted: str) -> None:
    line = text.escaped(quoted)
    assert line.encode().decode() == line
    assert line.splitlines() in ([line], [])


def test_stored_json_keeps_its_shape_and_loses_what_harms() -> None:
    stored = json.loads(r'{"reason": "\udcfcbung", "n": [1, null, true, "a\nb"], "long": "' + "x" * 3_000 + '"}')
    shown = text.harmless_json(stored)
    assert shown["reason"] == "\ufffdbung"
    assert shown["n"] == [1, None, True, "a b"]
    assert len(shown["long"]) == text.LONGEST_SHOWN


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        pytest.param("0", 0, id="zero"),
        pytest.param("007", 7, id="leading-zeros"),
        pytest.param("9" * 18, 10**18 - 1, id="most-digits"),
        pytest.param("9" * 19, None, id="too-many-digits"),
        pytest.param("9" * 5_000, None, id="more-digits-than-python-reads"),
        pytest.param("", None, id="empty"),
        pytest.param("-1", None, id="sign"),
        pytest.param(" 1", None, id="blank"),
        pytest.param("1_0", None, id="underscore"),
        pytest.param("1.0", None, id="fraction"),
        pytest.param("٣", None, id="another-script"),
        pytest.param("²", None, id="superscript"),
    ],
)
def test_a_whole_number_is_a_few_digits_and_nothing_else(typed: str, number: int | None) -> None:
    assert text.whole_number(typed) == number


def test_a_caller_may_allow_fewer_digits() -> None:
    assert (text.whole_number("999", digits=3), text.whole_number("1000", digits=3)) == (999, None)
