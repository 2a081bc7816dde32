"""A small load: phones that keep their connection and post ballots one after another."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CODE = "DEMO20"
PATH = f"/api/v1/surveys/{CODE}/ballots"
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Reply:
    """What came back for one vote, and after how many milliseconds."""

    status: int
    document: dict[str, Any]
    ms: float

    @property
    def way(self) -> list[tuple[str, str]]:
        """The regions that were tried, each with what it came to."""
        return [(attempt["region"], attempt["outcome"]) for attempt in self.document.get("attempts", [])]


class Student:
    """One kept connection. Every vote is a new voter's: one voter may not vote that often."""

    _numbers = itertools.count()

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def __enter__(self) -> Student:
        self._connection.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def vote(self) -> Reply:
        """Posts a ballot and reads the receipt."""
        ballot = {"voter": f"bench-{next(self._numbers):08d}", "answers": {"q1": "o2", "q2": ["o1", "o3"], "q3": 4}}
        body = json.dumps(ballot).encode()
        began = time.perf_counter()
        self._connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        reply = self._connection.getresponse()
        data = reply.read()
        return Reply(reply.status, json.loads(data), (time.perf_counter() - began) * 1000)

    def must_vote(self) -> Reply:
        """A vote that was recorded: anything else would be measured as fast and be worthless."""
        reply = self.vote()
        assert reply.status == 201, f"a vote got {reply.status}: {reply.document}"
        return reply


def in_threads(jobs: Iterable[object], *, times: int) -> float:
    """Calls every job (a function of nothing) `times` times, each in a thread of its own; calls a second together.

    Raises what a job raised.
    """
    errors: list[BaseException] = []

    def work(job: Any) -> None:
        try:
            for _ in range(times):
                job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if errors:
        raise errors[0]
    return len(threads) * times / seconds
