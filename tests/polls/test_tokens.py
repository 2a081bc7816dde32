"""A voter is whom our own signature names, and nobody else."""

import pytest
from django.core import signing

from polls import tokens


def test_a_token_comes_back_as_it_was():
    token = tokens.new("DEMO20", 3).voted(vote_id="v", digest="d", number=3, receipt={"region": "us-east-1"})
    assert tokens.loads(token.dumps(), "DEMO20") == token


def test_every_voter_is_somebody_else_and_of_url_safe_characters():
    voters = {tokens.new("DEMO20", 1).voter for _ in range(100)}
    assert len(voters) == 100
    assert all(len(voter) == 22 and voter.replace("-", "").replace("_", "").isalnum() for voter in voters)


@pytest.mark.parametrize("change", ["", "x", "a:b:c", "None", "\x00"])
def test_a_token_that_we_did_not_sign_is_nobody(change: str):
    assert tokens.loads(change, "DEMO20") is None


def test_a_changed_token_is_nobody():
    text = tokens.new("DEMO20", 1).dumps()
    middle = len(text) // 2
    changed = text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
    assert tokens.loads(changed, "DEMO20") is None


def test_a_token_of_another_survey_or_purpose_is_nobody():
    assert tokens.loads(tokens.new("DEMO20", 1).dumps(), "OTHER2") is None
    assert tokens.loads(signing.dumps({"code": "DEMO20", "round": 1, "voter": "x"}, salt="else"), "DEMO20") is None
    assert tokens.loads(signing.dumps({"code": "DEMO20", "more": 1}, salt=tokens.SALT), "DEMO20") is None


def test_the_page_names_the_voter_and_the_later_vote_of_the_two_holds():
    page = tokens.new("DEMO20", 1)
    cookie = page.voted(vote_id="b", digest="d", number=1, receipt={})
    assert tokens.later(page, cookie) == cookie
    assert tokens.later(cookie, page) == cookie
    assert tokens.later(page, tokens.new("DEMO20", 1)) == page
    assert tokens.later(None, cookie) == cookie
    assert tokens.later(page, None) == page


def test_a_page_of_an_earlier_round_stays_of_that_round():
    page = tokens.new("DEMO20", 1)
    cookie = page.voted(vote_id="b", digest="d", number=2, receipt={})
    assert tokens.later(page, cookie) == page
