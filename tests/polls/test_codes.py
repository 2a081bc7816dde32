"""Join codes: what we make, and what we accept."""

import pytest

from polls import codes


def test_codes_that_we_make_have_no_characters_that_look_alike():
    made = {codes.make() for _ in range(200)}
    assert len(made) == 200
    assert not set("".join(made)) & set("01ILO")
    assert all(codes.normalise(code) == code for code in made)


@pytest.mark.parametrize(
    ("typed", "code"), [("DEMO20", "DEMO20"), (" demo20 ", "DEMO20"), ("abc-def", "ABCDEF"), ("ab cd", "ABCD")]
)
def test_a_code_is_found_however_it_is_typed(typed: str, code: str):
    assert codes.normalise(typed) == code


@pytest.mark.parametrize("typed", ["", "abc", "a" * 13, "ab_cd", "ab#cd", "ÄBCD", "ıııı", "../..", "ab\x00cd"])
def test_what_cannot_be_a_code_is_none(typed: str):
    assert codes.normalise(typed) is None
