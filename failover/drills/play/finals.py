"""Reads every region at the end of a drill, once the replicas are equal or a patience is over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from botocore.exceptions import ClientError

from failover.drills import exports
from failover.drills.entries import OURS, FinalRead, answers_digest
from failover.drills.exports import ExportFailed
from failover.drills.ledger import Ledger
from failover.drills.strategies.catalogue import STRATEGIES
from failover.drills.strategies.stores import ballots_in, counted_in
from failover.drills.students import Arm
from failover.lab.control.client import LabClient
from failover.lab.engine.replica import EngineReplica
from failover.lab.errors import LabError
from failover.lab.faults.outside import region_of

CONVERGE_S = 60.0
Rows = tuple[tuple[str, str, str], ...]


def read(ledger: Ledger, arm: Arm, *, lab: LabClient, within_s: float = CONVERGE_S) -> list[FinalRead]:
    """What each region of one strategy holds. A region that does not answer has no rows."""
    if arm.strategy in OURS:
        return _of_the_application(ledger, arm, within_s=within_s)
    deadline = time.monotonic() + within_s
    while True:
        reads = [_of_a_table(ledger, arm.strategy, region, lab) for region in arm.regions]
        if len({(final.rows and frozenset(final.rows), final.counted) for final in reads}) == 1:
            return reads
        if time.monotonic() > deadline:
            return reads
        time.sleep(exports.LOOK_AGAIN_S)


def _of_the_application(ledger: Ledger, arm: Arm, *, within_s: float) -> list[FinalRead]:
    """Its own export, for every round in which a vote was acknowledged; the current one when none was."""
    rounds = sorted({receipt.round for receipt in ledger.of_strategy(arm.strategy).receipts})
    asked: Sequence[int | None] = rounds or [None]
    reads = []
    for number in asked:
        try:
            store = exports.converged(arm.code, arm.regions, within_s=within_s, number=number)
        except ExportFailed:
            reads += [FinalRead(arm.strategy, region, number or 0, None, time.time()) for region in arm.regions]
            continue
        counted = sum(ballot.voter.startswith(ledger.run.voters) for ballot in store.merged)
        for region, ballots in store.raw.items():
            held = [(ballot.voter, ballot.vote_id, ballot.answers) for ballot in ballots]
            reads.append(FinalRead(arm.strategy, region, store.round, _ours(ledger, held), time.time(), counted))
    return reads


def _of_a_table(ledger: Ledger, strategy: str, region: str, lab: LabClient) -> FinalRead:
    """A stock application's own table, read at the region's engine."""
    try:
        engine = region_of(lab.state(), region)["engine"]
        replica = EngineReplica(region, engine["incarnation"], engine["port"])
        items = [dict(item) for item in replica.scan(STRATEGIES[strategy].table)]
    except (LabError, ClientError, OSError, KeyError, TypeError):
        return FinalRead(strategy, region, 1, None, time.time())
    counts = [counted for item in items if (counted := counted_in(item)) is not None]
    if counts:
        return FinalRead(strategy, region, 1, None, time.time(), sum(counts))
    held = [ballot for item in items for ballot in ballots_in(item)]
    return FinalRead(strategy, region, 1, _ours(ledger, held), time.time())


def _ours(ledger: Ledger, held: Sequence[tuple[str, str, Mapping[str, object]]]) -> Rows:
    """The rows of this run's voters and votes, without those of other people who voted meanwhile."""
    return tuple(
        sorted(
            (voter, vote_id, answers_digest(answers))
            for voter, vote_id, answers in held
            if voter.startswith(ledger.run.voters) or vote_id in ledger.votes
        )
    )
