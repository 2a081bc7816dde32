"""The ledger file: what was written is read again, and what cannot be believed is refused."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from failover.drills.entries import Entry, GaveUp, Receipt, Refused, Run, Sent, Try, to_line
from failover.drills.ledger import Ledger, LedgerDamaged, LedgerFile
from failover.drills.plan import Intent

RUN = Run("DEMO20", "student-", True, 1.0)
SENT = Sent("student-1", "v1", {"q1": ["o1", "o2"], "q2": "ä\n"}, Intent.FIRST, 2.0, 1.9)
ATTEMPT = {"region": "us-east-1", "outcome": "dns", "ms": 2.6}
ENTRIES: list[Entry] = [
    RUN,
    SENT,
    Try("v1", 1, 0, "ReadTimeout", 10.0, 3.0),
    Try("v1", 2, 201, "recorded", 10.0, 3.5),
    Receipt("v1", 1, "us-west-2", "recorded", 201, (ATTEMPT,), 2, 1500.0, 3.5),
    Sent("student-1", "v1", SENT.answers, Intent.REPEAT, 4.0, 4.0),
    GaveUp("v1", 8, 30_000.0, 5.0),
    Sent("student-2", "v2", {}, Intent.FIRST, 6.0, 6.0),
    Refused("v2", 409, "closed", 7.0),
]


def written(path: Path, entries: list[Entry]) -> Path:
    """A ledger file with these entries."""
    with LedgerFile(path) as book:
        for entry in entries:
            book.write(entry)
    return path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    ledger = Ledger.read(written(tmp_path / "new" / "ledger.jsonl", ENTRIES))
    assert ledger == Ledger.of(ENTRIES)
    assert list(ledger.votes) == ["v1", "v2"]
    assert len(ledger.sent) == 3
    assert ledger.receipts[0].attempts == (ATTEMPT,)
    assert ledger.votes["v1"].intent is Intent.FIRST


def test_an_entry_is_in_the_file_before_the_next_thing_happens(tmp_path: Path) -> None:
    with LedgerFile(tmp_path / "ledger.jsonl") as book:
        book.write(RUN)
        book.write(SENT)
        assert list(Ledger.read(book.path).votes) == ["v1"]


def test_a_ledger_is_never_continued(tmp_path: Path) -> None:
    path = written(tmp_path / "ledger.jsonl", ENTRIES)
    with pytest.raises(FileExistsError):
        LedgerFile(path)


def test_a_line_that_was_being_written_when_the_client_died_says_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "ledger.jsonl", ENTRIES[:2])
    with path.open("a") as handle:
        handle.write(to_line(ENTRIES[4])[:40])
    assert Ledger.read(path) == Ledger.of(ENTRIES[:2])


@pytest.mark.parametrize("number", range(1, len(ENTRIES)))
def test_a_line_that_was_altered_is_found(tmp_path: Path, number: int) -> None:
    path = written(tmp_path / "ledger.jsonl", ENTRIES)
    lines = path.read_text().splitlines(keepends=True)
    # Any digit of its contents: what is read from it is well formed, and another.
    lines[number - 1] = re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), lines[number - 1], count=1)
    path.write_text("".join(lines))
    with pytest.raises(LedgerDamaged, match=rf"line {number + 1}: it does not follow from the line before it"):
        Ledger.read(path)


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param(lambda lines: lines[:3] + lines[4:], id="a line is dropped"),
        pytest.param(lambda lines: lines[1:], id="the first line is dropped"),
        pytest.param(lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], id="two lines are exchanged"),
        pytest.param(lambda lines: [*lines[:3], *lines[2:]], id="a line is doubled"),
    ],
)
def test_a_line_that_is_out_of_its_place_is_found(tmp_path: Path, altered: Callable[[list[str]], list[str]]) -> None:
    path = written(tmp_path / "ledger.jsonl", ENTRIES)
    path.write_text("".join(altered(path.read_text().splitlines(keepends=True))))
    with pytest.raises(LedgerDamaged, match="it does not follow from the line before it"):
        Ledger.read(path)


def test_the_last_digest_tells_a_cut_tail_and_a_chain_that_was_made_again(tmp_path: Path) -> None:
    whole = Ledger.read(written(tmp_path / "whole.jsonl", ENTRIES))
    cut = Ledger.read(written(tmp_path / "cut.jsonl", ENTRIES[:-1]))
    forged = Ledger.read(written(tmp_path / "forged.jsonl", [*ENTRIES[:-1], Refused("v2", 409, "too-late", 7.0)]))
    again = Ledger.read(written(tmp_path / "again.jsonl", ENTRIES))
    assert len({whole.digest, cut.digest, forged.digest}) == 3
    assert again.digest == whole.digest


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"line":"sent"}', '{"line":"unknown"}', "[1]"])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = written(tmp_path / "ledger.jsonl", ENTRIES[:2])
    with path.open("a") as handle:
        handle.write(f"{line}\n")
    with pytest.raises(LedgerDamaged, match="line 3"):
        Ledger.read(path)


def test_one_name_with_two_sets_of_answers_is_refused() -> None:
    with pytest.raises(LedgerDamaged, match="v1 was sent before"):
        Ledger.of([RUN, SENT, Sent("student-1", "v1", {"q1": "other"}, Intent.REPEAT, 3.0, 3.0)])


def test_a_reply_about_a_vote_that_was_not_sent_is_refused() -> None:
    with pytest.raises(LedgerDamaged, match="v9"):
        Ledger.of([RUN, SENT, Refused("v9", 409, "closed", 3.0)])


@pytest.mark.parametrize("runs", [[], [RUN, RUN]])
def test_a_ledger_is_of_one_run(runs: list[Entry]) -> None:
    with pytest.raises(LedgerDamaged, match="one run"):
        Ledger.of([*runs, SENT])
