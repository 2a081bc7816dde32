"""A page token names whom our own signature names, in every stack that shares our key, and nobody else."""

from typing import Any

import pytest
from django.core import signing

from polls.ballots import tokens
from polls.ballots.tokens import PageToken, Vote


def test_a_token_comes_back_as_it_was():
    token = PageToken.make("DEMO20", 3, "voter-of-a-page", last=Vote("v", "d"))
    assert tokens.loads(token.dumps(), "DEMO20") == token
    assert token.last == ("v", "d")
    assert PageToken.make("DEMO20", 3, "voter-of-a-page").last is None


@pytest.mark.parametrize("change", ["", "x", "a:b:c", "None", "\x00", ":" * 9000])
def test_a_token_that_we_did_not_sign_is_nobody(change: str):
    assert tokens.loads(change, "DEMO20") is None


def test_a_changed_token_is_nobody():
    text = PageToken.make("DEMO20", 1, "voter-of-a-page").dumps()
    middle = len(text) // 2
    changed = text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
    assert tokens.loads(changed, "DEMO20") is None


def test_a_token_of_another_survey_or_purpose_is_nobody():
    assert tokens.loads(PageToken.make("DEMO20", 1, "voter-of-a-page").dumps(), "OTHER2") is None
    assert tokens.loads(signing.dumps({"code": "DEMO20", "round": 1, "voter": "x"}, salt="else"), "DEMO20") is None
    assert tokens.loads(signing.dumps({"code": "DEMO20", "more": 1}, salt=tokens.SALT), "DEMO20") is None
    assert tokens.loads(signing.dumps(["DEMO20"], salt=tokens.SALT), "DEMO20") is None


@pytest.mark.parametrize("other", ["us-west-2,us-east-1", " us-west-2 "])
def test_stacks_with_one_key_read_each_others_tokens_and_know_them_apart(settings: Any, other: str):
    settings.FAILOVER = {**settings.FAILOVER, "REGIONS": "us-east-1,us-west-2"}
    text = PageToken.make("DEMO20", 1, "voter-of-a-page").dumps()
    own = tokens.loads(text, "DEMO20")
    assert own is not None
    assert not own.is_foreign
    settings.FAILOVER = {**settings.FAILOVER, "REGIONS": other}
    assert own.is_foreign
    settings.FAILOVER = {**settings.FAILOVER, "REGIONS": "us-east-1"}
    assert not own.is_foreign
    settings.INSTALLATION = "00000000"
    assert own.is_foreign
