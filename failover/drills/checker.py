"""Compares the ledger of what was sent with the ballots that the application exports.

Pure. The later one of a voter's two votes is the one with the higher name; no clock decides it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from failover.drills.entries import Receipt
from failover.drills.figures import first_receipts, regions_served, worst_ms
from failover.drills.ledger import Ledger
from failover.drills.verdict import Ballot, Problem, Store, Verdict, Wrong


def check(ledger: Ledger, store: Store, *, alone: bool = False) -> Verdict:
    """Says what became of every acknowledged vote.

    `alone`: no other people voted in this survey, so every ballot must be the ledger's.
    """
    rows = [*store.merged, *(ballot for region in store.raw.values() for ballot in region)]
    held = _latest(ledger, store.merged)
    receipts = [receipt for receipt in first_receipts(ledger) if receipt.round == store.round]
    gone = [receipt for receipt in receipts if not _covered(ledger, receipt, held)]
    acknowledged = {receipt.vote_id for receipt in ledger.receipts}
    refused = {refusal.vote_id for refusal in ledger.refused} - acknowledged
    problems = (
        *_lost(ledger, gone, held),
        *_duplicated(ledger, store, alone=alone),
        *_foreign(ledger, rows, alone=alone),
        *_half_written(ledger, rows),
        *_unequal(ledger, store, alone=alone),
        *_merged_wrongly(ledger, store, alone=alone),
        *_unchecked(ledger, store.round),
    )
    return Verdict(
        attempted=len(ledger.votes),
        acknowledged=len(acknowledged),
        refused=len(refused),
        failed=len(ledger.votes) - len(acknowledged) - len(refused),
        found=len(receipts) - len(gone),
        recorded_unacknowledged=len({ballot.vote_id for ballot in rows} & (ledger.votes.keys() - acknowledged)),
        regions=regions_served(ledger),
        worst_ms=worst_ms(ledger),
        problems=problems,
    )


def differences(first: Iterable[Ballot], second: Iterable[Ballot]) -> tuple[Ballot, ...]:
    """The rows that only one of two replicas has, or that they have with different contents."""
    rows, others = ({_row(ballot): ballot for ballot in replica} for replica in (first, second))
    return tuple({**rows, **others}[key] for key in sorted(rows.keys() ^ others.keys()))


def _row(ballot: Ballot) -> tuple[str, str, str, str]:
    """A row with everything that must be equal, in a form that sorts."""
    return ballot.voter, ballot.written_in, ballot.vote_id, _text(ballot.answers)


def _text(answers: Mapping[str, Any]) -> str:
    return repr(sorted(answers.items()))


def _latest(ledger: Ledger, ballots: Iterable[Ballot]) -> dict[str, str]:
    """Each voter's highest vote_id, among the votes that they sent themselves."""
    latest: dict[str, str] = {}
    for ballot in ballots:
        sent = ledger.votes.get(ballot.vote_id)
        if sent is not None and sent.voter == ballot.voter:
            latest[ballot.voter] = max(ballot.vote_id, latest.get(ballot.voter, ""))
    return latest


def _covered(ledger: Ledger, receipt: Receipt, held: Mapping[str, str]) -> bool:
    """Whether the vote itself or a later one of the same voter is there."""
    return held.get(ledger.votes[receipt.vote_id].voter, "") >= receipt.vote_id


def _ours(ledger: Ledger, ballots: Iterable[Ballot], *, alone: bool) -> list[Ballot]:
    """The ballots that must be the ledger's."""
    return [ballot for ballot in ballots if alone or ballot.voter.startswith(ledger.run.voters)]


def _lost(ledger: Ledger, gone: Sequence[Receipt], held: Mapping[str, str]) -> list[Problem]:
    problems = []
    for receipt in gone:
        voter = ledger.votes[receipt.vote_id].voter
        vote = f"{voter}'s vote {receipt.vote_id}, acknowledged by {receipt.region},"
        if voter in held:
            text = f"{vote} was reverted to {held[voter]}"
            problems.append(Problem(Wrong.REVERTED, voter, receipt.vote_id, text))
        else:
            problems.append(Problem(Wrong.ABSENT, voter, receipt.vote_id, f"{vote} is not there"))
    return problems


def _duplicated(ledger: Ledger, store: Store, *, alone: bool) -> list[Problem]:
    """Each voter has one merged ballot, and in each replica one row for each region of writing."""
    problems = []
    for place, ballots in {"the merged ballots": store.merged, **store.raw}.items():
        keys = Counter((ballot.voter, ballot.written_in) for ballot in _ours(ledger, ballots, alone=alone))
        for (voter, _region), times in keys.items():
            if times > 1:
                held = next(ballot.vote_id for ballot in ballots if ballot.voter == voter)
                text = f"{voter} has {times} ballots in {place}"
                problems.append(Problem(Wrong.DUPLICATED, voter, held, text))
    return problems


def _foreign(ledger: Ledger, rows: Sequence[Ballot], *, alone: bool) -> list[Problem]:
    """Finds votes that nobody sent under a voter of this run, and votes of this run under another
    voter.
    """
    problems = {}
    for ballot in rows:
        sent = ledger.votes.get(ballot.vote_id)
        ours = alone or ballot.voter.startswith(ledger.run.voters)
        if (sent is None and ours) or (sent is not None and sent.voter != ballot.voter):
            text = f"{ballot.voter} has the ballot {ballot.vote_id}, which they never sent"
            problems[ballot.voter, ballot.vote_id] = Problem(Wrong.FROM_NOWHERE, ballot.voter, ballot.vote_id, text)
    return list(problems.values())


def _half_written(ledger: Ledger, rows: Sequence[Ballot]) -> list[Problem]:
    problems = {}
    for ballot in rows:
        sent = ledger.votes.get(ballot.vote_id)
        if sent is not None and dict(sent.answers) != dict(ballot.answers):
            text = f"{ballot.voter} sent {dict(sent.answers)} as {ballot.vote_id}, and {dict(ballot.answers)} is there"
            problems[ballot.vote_id] = Problem(Wrong.HALF_WRITTEN, ballot.voter, ballot.vote_id, text)
    return list(problems.values())


def _unequal(ledger: Ledger, store: Store, *, alone: bool) -> list[Problem]:
    """Compares every replica with the first."""
    problems = []
    (first, reference), *others = store.raw.items() or [("", ())]
    for region, ballots in others:
        ours = _ours(ledger, ballots, alone=alone), _ours(ledger, reference, alone=alone)
        for ballot in differences(*ours):
            row = f"{ballot.voter}'s row of {ballot.written_in} ({ballot.vote_id})"
            text = f"{row} is not the same in {first} and {region}"
            problems.append(Problem(Wrong.UNEQUAL, ballot.voter, ballot.vote_id, text))
    return problems


def _merged_wrongly(ledger: Ledger, store: Store, *, alone: bool) -> list[Problem]:
    """Compares the merged ballots with the first replica. `_unequal` reports replicas that differ."""
    if not store.raw:
        return []
    region, rows = next(iter(store.raw.items()))
    pick = max if ledger.run.may_change else min
    stands: dict[str, str] = {}
    for row in _ours(ledger, rows, alone=alone):
        stands[row.voter] = pick(row.vote_id, stands.get(row.voter, row.vote_id))
    merged = {ballot.voter: ballot.vote_id for ballot in _ours(ledger, store.merged, alone=alone)}
    return [
        Problem(
            Wrong.MERGED_WRONG,
            voter,
            stands.get(voter, ""),
            f"{voter}'s rows in {region} come to {stands.get(voter, 'nothing')}, "
            f"and are merged to {merged.get(voter, 'nothing')}",
        )
        for voter in sorted(stands.keys() | merged.keys())
        if stands.get(voter) != merged.get(voter)
    ]


def _unchecked(ledger: Ledger, number: int) -> list[Problem]:
    return [
        Problem(
            Wrong.UNCHECKED,
            ledger.votes[receipt.vote_id].voter,
            receipt.vote_id,
            f"{receipt.vote_id} was acknowledged in round {receipt.round}, and the export is of round {number}",
        )
        for receipt in first_receipts(ledger)
        if receipt.round != number
    ]
