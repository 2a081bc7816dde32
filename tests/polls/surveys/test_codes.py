"""Join codes: what we make, and what we accept."""

import pytest

from polls.surveys import codes


def test_codes_that_we_make_have_no_characters_that_look_alike():
    made = {codes.make() for _ in range(200)}
    assert len(made) == 200
    assert not set("".join(made)) & set("01ILO")
    assert all(codes.normalise(code) == code for code in made)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("DEMO20", "DEMO20"),
        (" demo20 ", "DEMO20"),
        ("abc-def", "ABCDEF"),
        ("ab cd", "ABCD"),
        ("ＤＥＭＯ２０", "DEMO20"),
        ("de\u00admo\u200b20\ufeff", "DEMO20"),
        ("DEMO–20", "DEMO20"),
        ("DE\u00a0MO\u300020", "DEMO20"),
    ],
)
def test_a_code_is_found_however_it_is_typed(typed: str, code: str):
    assert codes.normalise(typed) == code


@pytest.mark.parametrize("typed", ["", "abc", "a" * 13, "ab_cd", "ab#cd", "ÄBCD", "ıııı", "../..", "ab\x00cd"])
def test_what_cannot_be_a_code_is_none(typed: str):
    assert codes.normalise(typed) is None


@pytest.mark.parametrize(
    "typed",
    [
        "demo20.",
        "“DEMO20”",
        "(DEMO20)",
        "«demo20»,",
        "DEMO20/",
        "http://127.0.0.1:8000/s/DEMO20/",
        "https://survey.example.org/s/demo20",
        "survey.example.org/s/DEMO20/results/",
        "/s/DEMO20/?from=mail#top",
        "s/DEMO20",
        "HTTPS://SURVEY.EXAMPLE.ORG/S/DEMO20/",
        "https://survey.example.org/s/%44EMO20/link/abc/",
        "Join at http://10.0.0.1:8000/s/DEMO20/ now",
        "Vote here: https://survey.example.org/s/DEMO20.",
        "(https://survey.example.org/s/demo20)",
        "<https://survey.example.org/s/demo20>",
        "https://survey.example.org/?code=demo20",
        "**DEMO20**",
        "`demo20`",
        "DEMO20。",
        "_demo20_",
        "DE\u3164MO\u2800\ufe0f20\u034f",
        "\u2068DEMO20\u2069",
        "ｈｔｔｐ：／／ｈｏｓｔ／ｓ／ｄｅｍｏ２０／",
    ],
)
def test_what_is_pasted_into_the_join_field_is_taken_apart(typed: str):
    assert codes.from_typed(typed) == "DEMO20"


@pytest.mark.parametrize(
    "typed", ["", "...", "https://survey.example.org/", "/s//", "/s/ab", "x" * 5_000, "/s/%00%00%00%00/"]
)
def test_what_holds_no_code_is_none(typed: str):
    assert codes.from_typed(typed) is None


@pytest.mark.parametrize(("code", "alike"), [("DEMO20", True), ("ABCDE1", True), ("LILLY", True), ("ABCDEF", False)])
def test_a_code_says_whether_its_characters_are_taken_for_others(code: str, alike: bool):
    assert codes.looks_alike(code) is alike


@pytest.mark.parametrize(
    ("typed", "token"),
    [
        ("https://survey.example.org/s/DEMO20/link/abc_-1/", "abc_-1"),
        ("\u200bhttps://survey.example.org/s/DEMO20/link/abc\u200b", "abc"),
        ("https://survey.example.org/s/DEMO20/results/", None),
        ("DEMO20", None),
    ],
)
def test_a_voting_link_that_is_pasted_stays_one(typed: str, token: str | None):
    assert codes.link_typed(typed) == token
