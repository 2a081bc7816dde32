"""Runs one attempt in one region, and gives up on time whatever the region does.

A name, a connection and a reply have a time limit each (dns.py, transport.py), but an operation may
consist of several exchanges, or of slow code. So an attempt runs in a thread of a small pool of its
region, and is waited for only so long. A call that was given up on keeps its thread until those
time limits end it. When a region holds all of its threads, further calls fail at once as "not sent"
instead of waiting.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import nullcontext
from contextvars import copy_context
from typing import TypeVar

from failover.adapters.binding import bind
from failover.adapters.clock import SystemClock
from failover.adapters.errors import classify
from failover.adapters.transport import connections_made_since
from failover.core.errors import ErrorClass, FailoverError, Failure, Outcome
from failover.core.phrases import phrase
from failover.core.ports import Bound, Clock, Success

T = TypeVar("T")
_clock: Clock = SystemClock()


class RegionBusy(FailoverError):
    """The region holds all the threads that it may hold."""


class DaemonPool:
    """A pool of at most `size` threads, made when needed. They are daemons, so a call that hangs
    does not delay the end of the process. (`concurrent.futures.ThreadPoolExecutor` joins its
    threads at exit.)
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0
        self._made = 0

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Starts `job` at once in a free thread. Raises `RegionBusy` when there is none: no job
        ever waits in a queue.
        """
        future: Future[T] = Future()

        def work() -> None:
            try:
                result = job()
            except BaseException as error:
                self._finished()
                future.set_exception(error)
            else:
                self._finished()
                future.set_result(result)

        with self._lock:
            if self._free:
                self._free -= 1
            elif self._made < self._size:
                try:
                    threading.Thread(target=self._loop, name=f"{self._name}-{self._made}", daemon=True).start()
                except RuntimeError as error:
                    raise RegionBusy(phrase("this machine gives no thread more: {error}", error=str(error))) from error
                self._made += 1
            else:
                raise RegionBusy(phrase("all {calls} calls that may be under way are", calls=self._size))
        self._work.put(work)
        return future

    def _finished(self) -> None:
        # Counted before the result is set, so that the caller's next call finds this thread free.
        with self._lock:
            self._free += 1

    def _loop(self) -> None:
        while True:
            self._work.get()()


class PooledRunner:
    """The router's `Runner`: binds the region, runs the operation in a copied context, classifies
    its errors.
    """

    def __init__(
        self, regions: Iterable[str], *, threads: int, renew: Callable[[str], None] = lambda region: None
    ) -> None:
        self._renew = renew
        self._pools = {region: DaemonPool(threads, f"region-{region}") for region in regions}

    def run_everywhere(
        self, regions: Iterable[str], op: Callable[[Bound], T], *, timeout: float, fresh: bool = False
    ) -> dict[str, Success[T] | Failure]:
        """Runs the operation in all `regions` at once, and waits at most `timeout` seconds. Never
        raises.
        """
        under_way: dict[str, Future[T]] = {}
        results: dict[str, Success[T] | Failure] = {}
        for region in regions:
            try:
                under_way[region] = self._start(region, op, Bound(region, fresh=fresh))
            except RegionBusy as error:
                results[region] = _busy(error)
        wait(under_way.values(), timeout)
        for region, future in under_way.items():
            results[region] = _outcome(future, 0, timeout)
        return results

    def run(self, region: str, op: Callable[[Bound], T], bound: Bound, timeout: float) -> Success[T] | Failure:
        """Makes one attempt of at most `timeout` seconds. Never raises."""
        try:
            future = self._start(region, op, bound)
        except RegionBusy as error:
            return _busy(error)
        return _outcome(future, timeout, timeout)

    def renew(self, region: str) -> None:
        """Makes later attempts use new connections only, through the `renew` given at the start."""
        self._renew(region)

    def _start(self, region: str, op: Callable[[Bound], T], bound: Bound) -> Future[T]:
        def attempt() -> T:
            fresh = connections_made_since(_clock.monotonic()) if bound.fresh else nullcontext()
            with bind(region), fresh:
                return op(bound)

        context = copy_context()
        return self._pools[region].submit(lambda: context.run(attempt))


def _outcome(future: Future[T], wait_s: float, allowed_s: float) -> Success[T] | Failure:
    try:
        # An operation's own TimeoutError is returned here. One that is raised means that the time
        # is over.
        error = future.exception(wait_s)
    except TimeoutError:
        late = phrase("no answer within {seconds:.2f} s", seconds=allowed_s)
        return Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, late, TimeoutError(late))
    if isinstance(error, RegionBusy):
        return _busy(error)
    return Success(future.result()) if error is None else classify(error)


def _busy(error: RegionBusy) -> Failure:
    return Failure(ErrorClass.NOT_SENT, Outcome.TIMEOUT, error.args[0], error)
