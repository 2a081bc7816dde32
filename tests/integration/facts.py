"""Kinds of fault with the outcome that each must have, and a class that votes through this process's gateway."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from failover import gateway, wiring
from failover.core.errors import Attempt, ErrorClass, Outcome
from failover.core.signals.breaker import CircuitState
from failover.lab.control.client import LabClient
from polls.ballots import services, vote_ids
from polls.ballots.bulk_reads import read_replica
from polls.ballots.models import BallotRow, shard_key, voter_key
from polls.ballots.selectors import ballots
from polls.surveys import reader
from polls.surveys.services import survey_create
from polls.surveys.survey import Survey
from tests.conftest import Lab, rows_held
from tests.polls.conftest import QUESTIONS
from tests.waiting import patience, wait_until

EAST, WEST = "us-east-1", "us-west-2"
DEADLINE_S, TIMEOUT_S = 3.0, 0.6
MACHINE_S = 2.0
"""What a busy two-core machine may add to a deadline: it starts a thread late, or wakes the caller late."""
A, B, C, E = ErrorClass.NOT_SENT, ErrorClass.UNKNOWN, ErrorClass.REFUSED, ErrorClass.DENIED
ANSWERS = {"q1": "o1"}


@dataclass(frozen=True)
class Fact:
    """A kind of fault, and the outcome of an attempt in a region that has it.

    `applied`: the write is carried out all the same, at once or when the fault is over. `ms`: the fault's own delay.
    """

    kind: str
    error_class: ErrorClass
    outcome: Outcome
    detail: str
    tls: bool = False
    applied: bool = False
    ms: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}{', over TLS' if self.tls else ''}"


FACTS = [
    Fact("dns-nxdomain", A, Outcome.DNS, "DNS says that there is no such name"),
    Fact("dns-servfail", A, Outcome.DNS, "DNS answers with an error (SERVFAIL)"),
    Fact("dns-empty", A, Outcome.DNS, "DNS answers empty"),
    Fact("dns-silent", A, Outcome.DNS, "DNS does not answer"),
    Fact("refuse", A, Outcome.CONNECT, "the connection was refused"),
    Fact("stop", A, Outcome.CONNECT, "the connection was refused"),
    Fact("blackhole", A, Outcome.CONNECT, "no connection in time"),
    Fact("hang", B, Outcome.TIMEOUT, "no reply in time"),
    Fact("latency", B, Outcome.TIMEOUT, "no reply in time", applied=True, ms=1_300),
    Fact("freeze", B, Outcome.TIMEOUT, "no reply in time", applied=True),
    Fact("drip", B, Outcome.TIMEOUT, "no reply in time", applied=True),
    Fact("reset", B, Outcome.CONNECT, "the connection was cut before a reply"),
    Fact("lost-reply", B, Outcome.CONNECT, "the connection was cut before a reply", applied=True),
    Fact("http-503", B, Outcome.SERVER_ERROR, "HTTP 503 ServiceUnavailable"),
    Fact("throttle", C, Outcome.THROTTLED, "ProvisionedThroughputExceededException"),
    Fact("deny", E, Outcome.DENIED, "AccessDeniedException"),
    Fact("dns-empty", A, Outcome.DNS, "DNS answers empty", tls=True),
    Fact("tls-hang", A, Outcome.TLS, "no TLS handshake in time", tls=True),
    Fact("tls-reset", A, Outcome.TLS, "the TLS handshake failed", tls=True),
    Fact("tls-wrong-certificate", A, Outcome.TLS, "the certificate is not valid", tls=True),
    Fact("reset", B, Outcome.CONNECT, "the connection was cut before a reply", tls=True),
    Fact("lost-reply", B, Outcome.CONNECT, "the connection was cut before a reply", tls=True, applied=True),
]


@dataclass
class Class:
    """Students who vote in a survey of their own through this process's gateway, which is wired to a lab."""

    lab: LabClient
    wired: wiring.Wired
    survey: Survey
    acknowledged: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)

    def vote(self, *, idempotent: bool = True, on_attempt: Callable[[Attempt], None] | None = None) -> list[Attempt]:
        """One put of a ballot, by a new voter; returns the attempts. Asserts that the call ends by its deadline."""
        voter, vote_id = uuid.uuid4().hex, services.name_vote()
        self.sent[voter] = vote_id

        def op(bound: gateway.Bound) -> None:
            BallotRow(
                shard_key(self.survey.code, self.survey.round, voter, self.survey.shards),
                voter_key(voter, bound.region),
                vote_id=vote_id,
                digest=services.digest_of(ANSWERS),
                answers=ANSWERS,
                expires_at=self.survey.kept_until,
            ).put(updated_at=vote_ids.order(vote_id))

        began = time.monotonic()
        try:
            routed = self.wired.router.call(op, idempotent=idempotent, on_attempt=on_attempt)
        finally:
            took = time.monotonic() - began
            assert took <= DEADLINE_S + MACHINE_S * patience(), f"a call took {took:.2f} s"
        self.acknowledged[voter] = vote_id
        return list(routed.attempts)

    def break_(self, region: str, fact: Fact) -> None:
        """Sets the fault in a region."""
        self.lab.set_fault(region, fact.kind, seconds=120, ms=fact.ms)

    def circuit(self, region: str) -> CircuitState:
        """This process's own circuit of a region."""
        return self.wired.router.report().regions[region].circuit

    def voters(self, region: str) -> dict[str, list[str]]:
        """The vote ids by voter, one for each row of a region's replica."""
        vote_ids_by_voter: dict[str, list[str]] = {}
        for row in read_replica(self.survey, region):
            vote_ids_by_voter.setdefault(str(row.voter_region).partition("#")[0], []).append(str(row.vote_id))
        return vote_ids_by_voter

    def settle(self) -> None:
        """Asserts that both regions come to hold every acknowledged vote once, under its own id."""
        for region in (EAST, WEST):
            wait_until(
                lambda region=region: self.acknowledged.keys() <= self.voters(region).keys(),
                within=20,
                what=f"every acknowledged vote is in {region}",
            )
            for voter, names in self.voters(region).items():
                assert set(names) == {self.sent[voter]}
            counted = Counter(cast.voter for cast in ballots(self.survey, region=region).value)
            assert set(counted.values()) == {1}
            assert self.acknowledged.keys() <= counted.keys()


@contextmanager
def voting(lab: Lab, run_dir: Path, patch: pytest.MonkeyPatch) -> Iterator[Class]:
    """A class in this lab. Clears every fault before and afterwards."""
    patch.delenv("AWS_CA_BUNDLE", raising=False)
    for name, value in lab.environment().items():
        if name.startswith("AWS_"):
            patch.setenv(name, value)
    times = {"DEADLINE_S": DEADLINE_S, "CONNECT_TIMEOUT_S": TIMEOUT_S, "READ_TIMEOUT_S": TIMEOUT_S, "HOLD_S": 30}
    client = LabClient(lab.dir)
    client.clear()
    with wiring.using(lab.config(run_dir, **{name: str(value) for name, value in times.items()})) as wired:
        wait_until(lambda: len(rows_held("NONE")) == 2, within=30, what="both regions answer")
        survey = survey_create(definition=reader.parse({"title": "A survey of facts", "questions": QUESTIONS}))
        try:
            yield Class(client, wired, survey)
        finally:
            client.clear()


def path(attempts: list[Attempt]) -> list[tuple[str, Outcome]]:
    """The region and the outcome of each attempt."""
    return [(attempt.region, attempt.outcome) for attempt in attempts]
