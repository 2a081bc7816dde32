"""How far the counts are behind the votes, and what counting a very large survey costs who votes in it."""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from failover.lab.engine.replica import client
from tests.bench.engine import REGIONS, Demo
from tests.bench.large import BIG, FEW, MANY, SMALL
from tests.bench.report import Aim, Judged, Row, p99
from tests.bench.students import CODE, Student, in_threads, wait_for_turn
from tests.bench.web import Reader, get_json

RATE, VOTES, PART = 50, 2_000, 500
VOTERS, POLL_S, PATIENCE_S = 8, 0.1, 30.0
CONNECTIONS, VOTES_EACH, ROUNDS = 8, 80, 9
BESIDE = 5
BEHIND = Aim(1_000, judged=Judged.WORST)
KEEPS = Aim(0.9, at_least=True)
NOTE = (
    f"Tally: {VOTES:,} votes of new voters at {RATE} a second over {VOTERS} kept connections, a value for each "
    f"{PART} votes in turn. A vote is behind from its acknowledgement until the counts of its region, asked for "
    f"every {POLL_S * 1000:.0f} ms straight at the engine, have come to as many voters: so coarse is each value. "
    "results.json is asked for at the same time; its readings are up to 0.4 s old."
)


def alone(demo: Demo) -> tuple[list[Row], list[str]]:
    """How far the counts are behind while nothing else is open."""
    return _rows_behind(demo, f"tally behind the last vote at {RATE} votes/s", BEHIND), [NOTE]


def beside(demo: Demo) -> tuple[list[Row], list[str]]:
    """What voting in an open survey with very many ballots comes to, and the delay beside it, while it is voted in."""
    speeds = _rates(demo)
    with _voted_in(demo, BIG):
        behind = _rows_behind(demo, f"the tally's delay while a survey of {MANY:,} ballots is voted in")
    row = Row(f"votes a second at {MANY:,} ballots", f"at {FEW}", "1/s", speeds["many"], speeds["few"], KEEPS)
    return [*behind, row], [
        f"Voting at {MANY:,} ballots: {CONNECTIONS} connections, {VOTES_EACH} votes each a round, as fast as they are "
        "taken, the recounters of both regions counting beside it: all rounds at few ballots, then all at many. "
        f"Afterwards {BESIDE} votes a second go to the survey with many, for the delay of the other's counts."
    ]


@contextlib.contextmanager
def _voted_in(demo: Demo, code: str) -> Iterator[None]:
    """While the block runs, one student after another votes in this survey, BESIDE a second."""
    over = threading.Event()

    def vote() -> None:
        with Student(demo.port, code) as student:
            while not over.wait(1 / BESIDE):
                student.must_vote()

    with ThreadPoolExecutor(1) as pool:
        voting = pool.submit(vote)
        try:
            yield
        finally:
            over.set()
    voting.result()


def _rows_behind(demo: Demo, what: str, aim: Aim | None = None) -> list[Row]:
    demo.settle()
    acknowledged, kept, shown = _behind(demo)
    parts = [slice(start, start + PART) for start in range(0, VOTES, PART)]
    behind = [delays(acknowledged, kept)[part] for part in parts]
    seen = [delays(acknowledged, shown)[part] for part in parts]
    return [
        Row.alone(f"{what}, p99", "ms", [p99(values) for values in behind], aim),
        Row.alone(f"{what}, median", "ms", [statistics.median(values) for values in behind]),
        Row.alone(f"{what}, p99 as results.json tells it", "ms", [p99(values) for values in seen]),
    ]


def delays(acknowledged: Sequence[float], counted: Sequence[tuple[float, int]]) -> list[float]:
    """For the k-th acknowledged vote (seconds, in order), the milliseconds until a reading (seconds, voters; in order)
    told of at least k.
    """
    highest = 0
    readings = [(at, highest := max(highest, voters)) for at, voters in counted]
    voters = [number for _at, number in readings]
    return [
        max(0.0, readings[bisect_left(voters, place)][0] - at) * 1000
        for place, at in enumerate(sorted(acknowledged), start=1)
    ]


def _behind(demo: Demo) -> tuple[list[float], list[tuple[float, int]], list[tuple[float, int]]]:
    """When the votes were acknowledged, and what the engine's tallies and results.json told, and when."""
    path = f"/s/{CODE}/results.json"
    before = get_json(demo.port, path)
    tallies = _counting(demo, f"{CODE}#{before['round']}")
    start = tallies()
    with Reader(demo.port, path) as reader:
        kept, over = _watch(tallies, start)
        shown, over_too = _watch(lambda: int(json.loads(reader.get().reply.body)["voters"]), start)
        try:
            acknowledged = _vote_at_rate(demo)
        finally:
            over()
            over_too()
    return acknowledged, kept, shown


def _watch(ask: Callable[[], int], start: int) -> tuple[list[tuple[float, int]], Callable[[], None]]:
    """Asks until all votes are told of, from now on; gives the readings, and the function that waits for their end."""
    readings: list[tuple[float, int]] = []
    errors: list[BaseException] = []
    deadline = math.inf

    def watch() -> None:
        try:
            while not readings or readings[-1][1] < VOTES:
                assert time.monotonic() < deadline, f"only {readings[-1][1]} of {VOTES} votes were counted in time"
                readings.append((time.perf_counter(), ask() - start))
                time.sleep(POLL_S)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=watch)
    thread.start()

    def over() -> None:
        nonlocal deadline
        deadline = time.monotonic() + PATIENCE_S
        thread.join()
        if errors:
            raise errors[0]

    return readings, over


def _counting(demo: Demo, round_key: str) -> Callable[[], int]:
    """Asks the first region's engine how many voters its tallies come to."""
    port = next(row["engine"]["port"] for row in demo.lab.state()["regions"] if row["name"] == REGIONS[0])
    engine = client("dynamodb", REGIONS[0], port)
    query: dict[str, Any] = {
        "TableName": "survey-tallies",
        "KeyConditionExpression": "round_key = :round",
        "ExpressionAttributeValues": {":round": {"S": round_key}},
        "ConsistentRead": True,
    }
    return lambda: sum(json.loads(row["counts"]["S"]).get("voters", 0) for row in engine.query(**query)["Items"])


def _vote_at_rate(demo: Demo) -> list[float]:
    """Votes at a steady rate; when each was acknowledged."""
    acknowledged: list[float] = []
    with contextlib.ExitStack() as stack:
        students = [stack.enter_context(Student(demo.port)) for _ in range(VOTERS)]
        began = time.perf_counter()

        def voter(place: int, student: Student) -> Callable[[], None]:
            turns = iter(range(place, VOTES, VOTERS))

            def vote() -> None:
                wait_for_turn(next(turns), began=began, rate=RATE)
                student.must_vote()
                acknowledged.append(time.perf_counter())

            return vote

        in_threads([voter(number, student) for number, student in enumerate(students)], times=VOTES // VOTERS)
    return acknowledged


def _rates(demo: Demo) -> dict[str, list[float]]:
    """The small survey first, then the large one, not in turn: what was voted in the large one is counted for minutes
    afterwards, and must not run beside the votes that it is compared with.
    """

    def voting(code: str) -> float:
        demo.replicate()
        with contextlib.ExitStack() as stack:
            students = [stack.enter_context(Student(demo.port, code)) for _ in range(CONNECTIONS)]
            return in_threads([student.must_vote for student in students], times=VOTES_EACH)

    demo.settle()
    return {name: [voting(code) for _ in range(ROUNDS)] for name, code in (("few", SMALL), ("many", BIG))}
