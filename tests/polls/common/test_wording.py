"""What a student reads about their vote's way."""

from polls.common import wording


def attempt(region: str, outcome: str, ms: float = 1.0) -> dict[str, object]:
    return {"region": region, "outcome": outcome, "ms": ms}


def test_the_story_names_who_did_not_answer_and_who_recorded():
    attempts = [attempt("us-east-1", "dns"), attempt("us-west-2", "ok", 74.4)]
    assert wording.story(attempts, "us-west-2") == [
        "us-east-1 did not answer (DNS: no address).",
        "us-west-2 recorded your vote (74 ms).",
    ]


def test_a_region_that_was_passed_over_and_asked_after_all_is_told_once():
    attempts = [attempt("us-east-1", "skipped"), attempt("us-west-2", "timeout"), attempt("us-east-1", "ok", 3)]
    assert wording.story(attempts, "us-east-1") == [
        "us-west-2 did not answer in time.",
        "us-east-1 recorded your vote (3 ms).",
    ]


def test_every_outcome_of_the_contract_has_words():
    for outcome in ("dns", "connect", "tls", "timeout", "server-error", "throttled", "denied", "skipped"):
        sentence = wording.failed("us-east-1", outcome)
        assert sentence.startswith("us-east-1 ")
        assert sentence.endswith(".")
        assert outcome == "skipped" or f" {outcome}." not in sentence


def test_ages_are_told_in_seconds_and_then_in_minutes():
    assert [wording.ago(seconds) for seconds in (-1, 0.4, 59, 60, 150)] == [
        "0 s ago",
        "0 s ago",
        "59 s ago",
        "1 minute ago",
        "2 minutes ago",
    ]
