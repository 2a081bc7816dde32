"""Every way in which a region cannot be reached, and every class of error, live: real sockets, the real DNS server,
real TLS, real engines, and the real gateway in this process.

For each: the order of the regions, what the attempts came to, the circuit, what the caller gets, and that the call
ended by its deadline, which is a promise and no speed figure. Afterwards every acknowledged vote is found in both
regions, and none is doubled. What no engine answers by itself (AccessDenied, expired credentials,
RequestLimitExceeded ...) is in tests/failover/adapters/test_errors.py, over sockets.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failover import gateway, wiring
from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.ports import Success
from failover.core.signals.breaker import CircuitState
from failover.lab.control.client import LabClient
from failover.wiring import router_config
from polls.ballots import services, vote_ids
from polls.ballots.bulk_reads import read_replica
from polls.ballots.models import BallotRow, shard_key, voter_key
from polls.ballots.selectors import ballots
from polls.surveys import reader
from polls.surveys.services import survey_create
from polls.surveys.survey import Survey
from tests.conftest import Lab, lab_in, rows_held
from tests.polls.conftest import QUESTIONS
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

EAST, WEST = "us-east-1", "us-west-2"
DEADLINE_S, TIMEOUT_S = 3.0, 0.6
MACHINE_S = 2.0
"""What a busy two-core machine may add to a deadline: the start of a thread, the turn of the caller's own."""
A, B, C, E = ErrorClass.NOT_SENT, ErrorClass.UNKNOWN, ErrorClass.REFUSED, ErrorClass.DENIED
ANSWERS = {"q1": "o1"}


@dataclass(frozen=True)
class Fact:
    """One row: the fault, and what an attempt in that region comes to. `applied`: its write is done all the same,
    at once or when the fault is over."""

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


@pytest.fixture(scope="module")
def tls_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose fronts speak TLS and nothing else."""
    with lab_in(tmp_path_factory.mktemp("tls-lab"), LAB_TLS="1") as lab:
        yield lab


@dataclass
class Class:
    """A class that votes through this process's gateway, wired to a lab, in a survey of its own."""

    lab: LabClient
    wired: wiring.Wired
    survey: Survey
    acknowledged: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)

    def vote(self, *, idempotent: bool = True, on_attempt: Callable[[Attempt], None] | None = None) -> list[Attempt]:
        """One put of a ballot, by a voter of its own; returns the attempts. The call ends by its deadline."""
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
            assert took <= DEADLINE_S + MACHINE_S, f"a call took {took:.2f} s"
        self.acknowledged[voter] = vote_id
        return list(routed.attempts)

    def break_(self, region: str, fact: Fact) -> None:
        """Sets the fault."""
        self.lab.set_fault(region, fact.kind, seconds=120, ms=fact.ms)

    def circuit(self, region: str) -> CircuitState:
        """This worker's own."""
        return self.wired.router.report().regions[region].circuit

    def voters(self, region: str) -> dict[str, list[str]]:
        """The vote ids by voter, one for each row of a region's replica."""
        found: dict[str, list[str]] = {}
        for row in read_replica(self.survey, region):
            found.setdefault(str(row.voter_region).partition("#")[0], []).append(str(row.vote_id))
        return found

    def settle(self) -> None:
        """Every acknowledged vote is found in both regions, under its own name and once."""
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
    """A class in this lab; whatever was broken is mended behind it."""
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


@pytest.fixture
def make_class(
    request: pytest.FixtureRequest, wired: wiring.Wired, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bool], Class]]:
    """A class in the lab with or without TLS. Between two classes the session's wiring stands, because what reads in
    the background would else wire this process to AWS."""
    opened: list[Any] = []

    def make(tls: bool) -> Class:
        lab: Lab = request.getfixturevalue("tls_lab" if tls else "lab")
        opened.append(voting(lab, tmp_path, monkeypatch))
        made: Class = opened[0].__enter__()
        return made

    yield make
    for one in opened:
        one.__exit__(None, None, None)


def way(attempts: list[Attempt]) -> list[tuple[str, Outcome]]:
    """Regions and outcomes in their order."""
    return [(one.region, one.outcome) for one in attempts]


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_every_fact_is_met_as_its_class_asks(make_class: Callable[[bool], Class], fact: Fact) -> None:
    votes = make_class(fact.tls)
    assert way(votes.vote()) == [(EAST, Outcome.OK)]
    votes.break_(EAST, fact)

    # A write that may not be repeated goes on only where the first attempt cannot have been applied.
    seen: list[Attempt] = []
    if fact.error_class is B:
        with pytest.raises(OutcomeUnknown) as unknown:
            votes.vote(idempotent=False, on_attempt=seen.append)
        assert list(unknown.value.attempts) == seen
        assert way(seen) == [(EAST, fact.outcome)]
    else:
        seen = votes.vote(idempotent=False)
        repeats = 2 if fact.error_class is C else 1
        assert way(seen) == [*[(EAST, fact.outcome)] * repeats, (WEST, Outcome.OK)]
    assert (seen[0].error_class, seen[0].detail) == (fact.error_class, fact.detail)

    # One that may be repeated goes on always. Three that count open the circuit: so many votes are slow, and no more.
    ways = [way(votes.vote()) for _ in range(4)]
    if fact.error_class is C:
        assert ways == [[(EAST, fact.outcome), (EAST, fact.outcome), (WEST, Outcome.OK)]] * 4
        assert votes.circuit(EAST) is CircuitState.CLOSED
    else:
        failing, skipping = [(EAST, fact.outcome), (WEST, Outcome.OK)], [(EAST, Outcome.SKIPPED), (WEST, Outcome.OK)]
        assert ways == [failing, failing, skipping, skipping]
        assert votes.circuit(EAST) is CircuitState.OPEN
    assert votes.circuit(WEST) is CircuitState.CLOSED

    # With the other region broken too nobody answers, and the caller is told so in time.
    votes.break_(WEST, fact)
    with pytest.raises(NoRegionAnswered) as nobody:
        votes.vote()
    tried = [one for one in nobody.value.attempts if one.outcome is not Outcome.SKIPPED]
    assert {one.region for one in tried} == {EAST, WEST}
    assert {one.outcome for one in tried} <= {fact.outcome, Outcome.TIMEOUT}

    votes.lab.clear()
    votes.settle()
    east = votes.voters(EAST)
    failed_over = [voter for voter in votes.acknowledged if voter in east and len(east[voter]) == 2]
    if fact.applied:
        wait_until(
            lambda: any(len(names) == 2 for names in votes.voters(EAST).values()),
            within=20,
            what="a write that failed over was applied in both regions",
        )
        votes.settle()
    else:
        assert failed_over == [], "nothing of what failed reached the first region"


def caller_errors() -> list[Any]:
    key = {"kind": {"S": "facts"}, "item": {"S": "there#us-east-1"}}
    stamp = {"updated_at": {"N": "1"}, "updated_in": {"S": EAST}, "document": {"S": "{}"}}
    put = {"TableName": "survey-control", "Item": key | stamp}
    refused = put | {"ConditionExpression": "attribute_exists(nowhere)"}
    return [
        pytest.param("put_item", refused, "ConditionalCheckFailedException", id="a condition"),
        pytest.param(
            "transact_write_items",
            {"TransactItems": [{"Put": refused}]},
            "TransactionCanceledException",
            id="transaction",
        ),
        pytest.param("put_item", put | {"Item": stamp}, "ValidationException", id="an item without its key"),
    ]


@pytest.mark.parametrize(("action", "request_", "code"), caller_errors())
def test_the_callers_own_business_never_fails_over_and_never_counts(
    make_class: Callable[[bool], Class], action: str, request_: dict[str, Any], code: str
) -> None:
    votes = make_class(False)
    seen: list[Attempt] = []

    def op(bound: gateway.Bound) -> None:
        getattr(votes.wired.clients[bound.region], action)(**request_)

    for _ in range(4):  # more than would open a circuit
        with pytest.raises(ClientError) as refused:
            votes.wired.router.call(op, idempotent=True, on_attempt=seen.append)
        assert refused.value.response["Error"]["Code"] == code
    assert way(seen) == [(EAST, Outcome.DENIED)] * 4
    assert {one.error_class for one in seen} == {ErrorClass.CALLER}
    assert votes.circuit(EAST) is CircuitState.CLOSED


def test_eight_threads_lose_no_vote_and_no_time_to_a_region_that_is_frozen(
    make_class: Callable[[bool], Class],
) -> None:
    votes = make_class(False)
    votes.vote()
    votes.break_(EAST, Fact("freeze", B, Outcome.TIMEOUT, ""))
    ways: list[list[tuple[str, Outcome]]] = []
    met: list[Attempt] = []
    together = threading.Barrier(8)

    def student() -> None:
        together.wait(10)
        for _ in range(6):
            attempts = votes.vote()  # which says itself that it ended by its deadline
            met.extend(attempts)
            ways.append(way(attempts))

    threads = [threading.Thread(target=student) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ways) == 48
    assert {one[-1] for one in ways} == {(WEST, Outcome.OK)}
    # What they were allowed, not what they took: a busy machine makes anybody late.
    waited = [one.detail for one in met if one.region == EAST and one.outcome is Outcome.TIMEOUT]
    hurried = waited.count("no answer within 0.30 s")
    assert len(waited) - hurried == 3, "as many as open the circuit waited for a whole attempt, and no other"
    assert 1 <= hurried <= 8, "who came meanwhile went on soon, and then passed by"
    assert votes.circuit(EAST) is CircuitState.OPEN
    votes.lab.clear()
    votes.settle()


def test_the_last_region_left_may_be_slow_where_a_call_asks_it_more_than_once(
    make_class: Callable[[bool], Class],
) -> None:
    votes = make_class(False)
    votes.vote()
    votes.break_(EAST, Fact("dns-empty", A, Outcome.DNS, ""))
    votes.break_(WEST, Fact("latency", B, Outcome.TIMEOUT, "", ms=450))

    def twice(bound: gateway.Bound) -> str:
        for _ in range(2):
            list(BallotRow.query(shard_key(votes.survey.code, 1, "nobody", votes.survey.shards)))
        return bound.region

    routed = votes.wired.router.call(twice, idempotent=True)
    assert way(list(routed.attempts)) == [(EAST, Outcome.DNS), (WEST, Outcome.OK)]
    assert routed.attempts[-1].ms > 1000 * router_config(votes.wired.config).attempt_timeout_s


def test_a_worker_whose_region_thawed_has_its_threads_back(
    make_class: Callable[[bool], Class],
) -> None:
    votes = make_class(False)
    votes.break_(EAST, Fact("freeze", B, Outcome.TIMEOUT, ""))
    for _ in range(3):
        votes.vote()
    votes.lab.clear()

    def served() -> bool:
        results = votes.wired.runner.run_everywhere((EAST,), lambda _: "served", strong=False, timeout=5)
        return isinstance(results[EAST], Success)

    assert served()
    votes.settle()
