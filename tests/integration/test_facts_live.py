"""Every kind of fault and every class of error, live: real sockets, DNS, TLS and engines, and the gateway of this
process.

Each test checks the order of the regions, the outcome of each attempt, the circuit, what the caller gets, and that the
call ended by its deadline. Afterwards both regions hold every acknowledged vote, and each of them once. Replies that no
engine gives by itself (expired credentials, RequestLimitExceeded ...) are in
tests/failover/adapters/test_errors.py, over sockets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failover import gateway, wiring
from failover.core.errors import Attempt, ErrorClass, NoRegionAnswered, Outcome, OutcomeUnknown
from failover.core.ports import Success
from failover.core.signals.breaker import CircuitState
from failover.wiring import router_config
from polls.ballots.models import BallotRow, shard_key
from tests.conftest import Lab, lab_in
from tests.integration.facts import EAST, FACTS, WEST, A, B, C, Class, Fact, path, voting
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def tls_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose fronts speak TLS only."""
    with lab_in(tmp_path_factory.mktemp("tls-lab"), LAB_TLS="1") as lab:
        yield lab


@pytest.fixture
def make_class(
    request: pytest.FixtureRequest, wired: wiring.Wired, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bool], Class]]:
    """Makes a class in the lab with or without TLS.

    Between two tests the session's wiring is in force (`wired`): reads in the background must not reach for AWS.
    """
    with ExitStack() as stack:

        def make(tls: bool) -> Class:
            lab: Lab = request.getfixturevalue("tls_lab" if tls else "lab")
            return stack.enter_context(voting(lab, tmp_path, monkeypatch))

        yield make


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_every_fault_is_handled_as_its_error_class_requires(make_class: Callable[[bool], Class], fact: Fact) -> None:
    votes = make_class(fact.tls)
    assert path(votes.vote()) == [(EAST, Outcome.OK)]
    votes.break_(EAST, fact)

    # A write that may not be repeated is tried elsewhere only if the first attempt cannot have been applied.
    seen: list[Attempt] = []
    if fact.error_class is B:
        with pytest.raises(OutcomeUnknown) as unknown:
            votes.vote(idempotent=False, on_attempt=seen.append)
        assert list(unknown.value.attempts) == seen
        assert path(seen) == [(EAST, fact.outcome)]
    else:
        seen = votes.vote(idempotent=False)
        repeats = 2 if fact.error_class is C else 1
        assert path(seen) == [*[(EAST, fact.outcome)] * repeats, (WEST, Outcome.OK)]
    assert (seen[0].error_class, seen[0].detail) == (fact.error_class, fact.detail)

    # A write that may be repeated is always tried elsewhere. Three failures open the circuit: no later vote is slow.
    paths = [path(votes.vote()) for _ in range(4)]
    if fact.error_class is C:
        assert paths == [[(EAST, fact.outcome), (EAST, fact.outcome), (WEST, Outcome.OK)]] * 4
        assert votes.circuit(EAST) is CircuitState.CLOSED
    else:
        failing, skipping = [(EAST, fact.outcome), (WEST, Outcome.OK)], [(EAST, Outcome.SKIPPED), (WEST, Outcome.OK)]
        assert paths == [failing, failing, skipping, skipping]
        assert votes.circuit(EAST) is CircuitState.OPEN
    assert votes.circuit(WEST) is CircuitState.CLOSED

    # With the other region broken too no region answers, and the caller learns it in time.
    votes.break_(WEST, fact)
    with pytest.raises(NoRegionAnswered) as nobody:
        votes.vote()
    tried = [attempt for attempt in nobody.value.attempts if attempt.outcome is not Outcome.SKIPPED]
    assert {attempt.region for attempt in tried} == {EAST, WEST}
    assert {attempt.outcome for attempt in tried} <= {fact.outcome, Outcome.TIMEOUT}

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
def test_an_error_of_the_caller_never_fails_over_and_never_counts(
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
    assert path(seen) == [(EAST, Outcome.DENIED)] * 4
    assert {attempt.error_class for attempt in seen} == {ErrorClass.CALLER}
    assert votes.circuit(EAST) is CircuitState.CLOSED


def test_eight_threads_lose_no_vote_and_no_time_to_a_region_that_is_frozen(
    make_class: Callable[[bool], Class],
) -> None:
    votes = make_class(False)
    votes.vote()
    votes.break_(EAST, Fact("freeze", B, Outcome.TIMEOUT, ""))
    paths: list[list[tuple[str, Outcome]]] = []
    met: list[Attempt] = []
    together = threading.Barrier(8)

    def student() -> None:
        together.wait(10)
        for _ in range(6):
            attempts = votes.vote()  # which asserts that it ended by its deadline
            met.extend(attempts)
            paths.append(path(attempts))

    threads = [threading.Thread(target=student) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(paths) == 48
    assert {attempts[-1] for attempts in paths} == {(WEST, Outcome.OK)}
    # By the timeouts that they had, not by the time that they took: a busy machine makes any thread late.
    timeouts = [attempt.detail for attempt in met if attempt.region == EAST and attempt.outcome is Outcome.TIMEOUT]
    shortened = timeouts.count("no answer within 0.30 s")
    assert len(timeouts) - shortened == 3, "as many attempts as open the circuit had the whole timeout, and no other"
    assert 1 <= shortened <= 8, "attempts beside those had a shortened timeout; later ones skip the region"
    assert votes.circuit(EAST) is CircuitState.OPEN
    votes.lab.clear()
    votes.settle()


def test_the_last_region_may_be_slow_for_a_call_that_asks_it_more_than_once(
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
    assert path(list(routed.attempts)) == [(EAST, Outcome.DNS), (WEST, Outcome.OK)]
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
        results = votes.wired.runner.run_everywhere((EAST,), lambda _: "served", timeout=5)
        return isinstance(results[EAST], Success)

    assert served()
    votes.settle()
