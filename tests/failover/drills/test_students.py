"""Students against a real server on loopback: one vote has one name, however often it takes."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from failover.drills.entries import Entry
from failover.drills.ledger import Ledger, LedgerFile
from failover.drills.plan import FASTEST, LONGEST_S, CannotVote, Intent, Load
from failover.drills.students import Arm, Class, answers, loopback
from tests.failover.drills.server import SURVEY, application
from tests.waiting import wait_until

ONE_VOTE = Load(rate=200, seconds=0.005)


def lesson(url: str, path: Path, load: Load = ONE_VOTE) -> Ledger:
    """Lets a class vote and reads what it wrote down."""
    with LedgerFile(path / "ledger.jsonl") as book:
        asyncio.run(Class([Arm("router", (url,), "DEMO20")], book, random.Random(1)).vote(load))
    return Ledger.read(path / "ledger.jsonl")


def test_a_vote_is_written_down_with_its_receipt(tmp_path: Path) -> None:
    with application() as app:
        ledger = lesson(app.url, tmp_path)
    (vote,), (receipt,) = ledger.votes.values(), ledger.receipts
    assert app.received == [{"voter": vote.voter, "vote_id": vote.vote_id, "answers": vote.answers}]
    assert vote.voter.startswith(ledger.run.voters)
    assert (receipt.vote_id, receipt.round, receipt.region, receipt.tries, receipt.http) == (
        vote.vote_id,
        3,
        "us-east-1",
        1,
        201,
    )
    assert vote.at <= receipt.at
    assert receipt.ms > 0


@pytest.mark.parametrize(
    "first_reply",
    [
        "drop",
        (503, {}, {"detail": "No region answered in time."}),
        (503, {"Retry-After": "0"}, {"detail": "No region answered in time."}),
        (429, {"Retry-After": "0"}, {"detail": "Too many votes."}),
        (500, {}, ["not an object"]),
        "other",
        (200, {}, {"hello": "world"}),
    ],
    ids=["lost reply", "503", "503 with Retry-After", "429", "500", "receipt of another vote", "200 without receipt"],
)
def test_a_vote_without_a_receipt_is_repeated_under_the_same_name(tmp_path: Path, first_reply: object) -> None:
    with application([first_reply]) as app:
        ledger = lesson(app.url, tmp_path)
    assert len(app.received) == 2
    assert app.received[0] == app.received[1]
    assert [attempt.failed for attempt in ledger.tries] == [True, False]
    assert ledger.receipts[0].tries == 2


def test_a_refused_vote_is_not_repeated(tmp_path: Path) -> None:
    with application([(409, {}, {"reason": "closed", "detail": "Closed."})]) as app:
        ledger = lesson(app.url, tmp_path)
    assert len(app.received) == 1
    assert [refusal.reason for refusal in ledger.refused] == ["closed"]
    assert not ledger.receipts
    assert not ledger.tries[0].failed


def test_a_student_gives_up_after_a_bounded_number_of_tries(tmp_path: Path) -> None:
    busy = (503, {"Retry-After": "0"}, {"detail": "No region answered in time."})
    with application([busy] * 10) as app:
        ledger = lesson(app.url, tmp_path, replace(ONE_VOTE, tries=3))
    assert len(app.received) == 3
    assert len(set(app.names())) == 1
    assert not ledger.receipts
    assert '"line":"gave-up"' in (tmp_path / "ledger.jsonl").read_text()


def test_a_student_gives_up_rather_than_waits_beyond_the_bound(tmp_path: Path) -> None:
    with application([(503, {"Retry-After": "9999"}, {})]) as app:
        lesson(app.url, tmp_path, replace(ONE_VOTE, patience_s=1.0))
    assert len(app.received) == 1


def test_a_class_votes_changes_and_repeats_as_its_ledger_says(tmp_path: Path) -> None:
    load = Load(rate=200, seconds=0.5, changes=0.3, repeats=0.2, doubles=0.1, tabs=0.1, think_s=0)
    with application() as app:
        ledger = lesson(app.url, tmp_path, load)
    assert len(app.received) == load.votes == len(ledger.sent)
    assert Counter(app.names()) == Counter(sent.vote_id for sent in ledger.sent)
    by_voter: dict[str, list[str]] = {}
    for sent in ledger.sent:
        names = by_voter.setdefault(sent.voter, [])
        match sent.intent:
            case Intent.FIRST:
                assert not names
            case Intent.CHANGE | Intent.TAB:
                assert sent.vote_id > names[-1]
            case Intent.REPEAT | Intent.DOUBLE:
                assert sent.vote_id == names[-1]
        names.append(sent.vote_id)
    assert {sent.intent for sent in ledger.sent} == set(Intent)


def test_nobody_changes_a_vote_where_votes_cannot_be_changed(tmp_path: Path) -> None:
    with application(allow_change=False) as app:
        ledger = lesson(app.url, tmp_path, Load(rate=200, seconds=0.3, changes=0.5, tabs=0.2, think_s=0))
    assert not {Intent.CHANGE, Intent.TAB} & {sent.intent for sent in ledger.sent}
    assert len(ledger.votes) == len({vote.voter for vote in ledger.votes.values()})
    assert not ledger.run.may_change


def test_the_load_does_not_wait_for_slow_replies(tmp_path: Path) -> None:
    with application([(503, {"Retry-After": "1"}, {})] * 40) as app:
        ledger = lesson(app.url, tmp_path, Load(rate=100, seconds=0.4, changes=0, repeats=0, doubles=0, tabs=0))
    starts = [sent.at for sent in ledger.sent]
    assert len(app.received) == 80
    # Every vote was begun before the first repeat could have been acknowledged.
    assert max(starts) < min(receipt.at for receipt in ledger.receipts)


def test_a_class_that_is_stopped_waits_for_what_is_under_way(tmp_path: Path) -> None:
    async def stopped_after_three_votes(lesson: Class) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(lesson.vote(Load(rate=100, seconds=60)))
            await asyncio.to_thread(wait_until, lambda: len(app.received) >= 3, within=10, what="three requests")
            lesson.stop()

    with application([(503, {"Retry-After": "0"}, {})] * 3) as app:
        with LedgerFile(tmp_path / "ledger.jsonl") as book:
            asyncio.run(stopped_after_three_votes(Class([Arm("router", (app.url,), "DEMO20")], book)))
        ledger = Ledger.read(tmp_path / "ledger.jsonl")
    assert 0 < len(ledger.votes) < 60 * 100
    assert {receipt.vote_id for receipt in ledger.receipts} == set(ledger.votes)


def test_answers_have_the_form_in_which_the_application_keeps_them() -> None:
    questions = SURVEY["questions"]
    assert isinstance(questions, list)
    for seed in range(50):
        given = answers(questions, random.Random(seed))
        assert given["q1"] in ("o1", "o2")
        assert given["q2"] == sorted(set(given["q2"]))
        assert given["q2"]
        assert given["q3"] in range(1, 6)
        assert given["q4"] == given["q4"].strip()


def test_an_unknown_survey_is_one_line_before_any_vote(tmp_path: Path) -> None:
    with application() as app, LedgerFile(tmp_path / "ledger.jsonl") as book:
        with pytest.raises(CannotVote, match="NOPE cannot be read"):
            asyncio.run(Class([Arm("router", (app.url,), "NOPE")], book).vote(ONE_VOTE))
        assert not app.received


def test_an_application_that_does_not_run_is_one_line(tmp_path: Path) -> None:
    with application() as app:
        pass
    with LedgerFile(tmp_path / "ledger.jsonl") as book, pytest.raises(CannotVote, match="does not answer"):
        asyncio.run(Class([Arm("router", (app.url,), "DEMO20")], book).vote(ONE_VOTE))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost:8000", "http://[::1]:8000", "http://127.9.9.9/"]
)
def test_students_vote_on_this_machine(url: str) -> None:
    assert loopback(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "http://10.0.0.1/", "http://127.0.0.1.example.com/", "ftp://127.0.0.1/", "127.0.0.1", ""],
)
def test_students_vote_nowhere_else(url: str) -> None:
    with pytest.raises(CannotVote, match="this machine only"):
        loopback(url)


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [(0, 1), (-1, 1), (FASTEST + 1, 1), (1, 0), (1, LONGEST_S + 1), (float("nan"), 1), (1, float("nan"))],
)
def test_a_load_is_bounded(rate: float, seconds: float) -> None:
    with pytest.raises(CannotVote):
        Load(rate=rate, seconds=seconds)


@pytest.mark.parametrize(("changes", "repeats"), [(-0.1, 0), (0, -0.1), (0.6, 0.6)])
def test_shares_are_shares(changes: float, repeats: float) -> None:
    with pytest.raises(CannotVote):
        Load(changes=changes, repeats=repeats)


def test_every_strategy_gets_the_same_votes(tmp_path: Path) -> None:
    with application() as first, application([(503, {"Retry-After": "0"}, {})]) as second:
        arms = [Arm("router", (first.url,), "DEMO20"), Arm("retries", (second.url,), "DEMO20")]
        with LedgerFile(tmp_path / "ledger.jsonl") as book:
            asyncio.run(Class(arms, book, random.Random(2)).vote(Load(rate=100, seconds=0.3)))
        ledger = Ledger.read(tmp_path / "ledger.jsonl")
    assert set(first.names()) == set(second.names()) == set(ledger.votes)
    assert len(second.received) == len(first.received) + 1
    for strategy, tries in (("router", len(first.received)), ("retries", len(second.received))):
        part = ledger.of_strategy(strategy)
        assert len(part.tries) == tries
        assert {receipt.vote_id for receipt in part.receipts} == set(ledger.votes)


def test_strategies_with_different_questions_are_one_line_before_any_vote(tmp_path: Path) -> None:
    with application() as first, application(questions=[]) as second, LedgerFile(tmp_path / "l.jsonl") as book:
        arms = [Arm("router", (first.url,), "DEMO20"), Arm("retries", (second.url,), "DEMO20")]
        with pytest.raises(CannotVote, match="different questions"):
            asyncio.run(Class(arms, book).vote(ONE_VOTE))
        assert not first.received


def test_a_student_whose_stack_does_not_answer_turns_to_the_other(tmp_path: Path) -> None:
    busy = (503, {"Retry-After": "0"}, {})
    with application([busy] * 2) as here, application() as there, LedgerFile(tmp_path / "l.jsonl") as book:
        asyncio.run(Class([Arm("router", (here.url, there.url), "DEMO20")], book, random.Random(3)).vote(ONE_VOTE))
    assert (len(here.received), len(there.received)) == (1, 1)


def test_a_latency_counts_from_when_the_vote_was_due(tmp_path: Path) -> None:
    with application([(503, {"Retry-After": "1"}, {})]) as app:
        ledger = lesson(app.url, tmp_path)
    (sent,), (receipt,) = ledger.sent, ledger.receipts
    assert sent.due <= sent.at
    assert receipt.ms == pytest.approx((receipt.at - sent.due) * 1000, abs=5)
    assert receipt.ms > 700 > ledger.tries[-1].ms


def test_a_ledger_that_cannot_be_written_ends_the_class_and_is_kept(tmp_path: Path) -> None:
    """Nothing is sent that is not written down first."""

    class Full(LedgerFile):
        lines = 0

        def write(self, entry: Entry) -> None:
            self.lines += 1
            if self.lines > 12:
                raise OSError(28, "No space left on device")
            super().write(entry)

    with application() as app, Full(tmp_path / "ledger.jsonl") as book:
        with pytest.raises(OSError, match=r"cannot be written: .*No space left"):
            asyncio.run(Class([Arm("router", (app.url,), "DEMO20")], book).vote(Load(rate=50, seconds=2)))
        assert set(app.names()) <= set(Ledger.read(book.path).votes)


def test_a_stack_that_does_not_answer_is_no_reason_not_to_begin(tmp_path: Path) -> None:
    with application() as gone:
        pass
    with application() as there, LedgerFile(tmp_path / "l.jsonl") as book:
        asyncio.run(Class([Arm("router", (gone.url, there.url), "DEMO20")], book).vote(ONE_VOTE))
    assert len(there.received) == 1
