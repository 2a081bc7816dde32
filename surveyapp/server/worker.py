"""gunicorn's worker process for a class on a bad network. `deploy/gunicorn.conf.py` names `Worker`.

gunicorn's own threaded worker lends a thread to a request before the request is complete, so
clients that stop in mid-request take all threads. Here one thread reads and writes every connection
(`loop`), and the threads of a pool get whole requests only. A client that stops in mid-request
takes a socket for a bounded time, and nothing more.

A request goes through this folder as follows:

1. `loop` accepts the connection (from `listeners`) and reads the bytes that arrive. `connections`
   keeps its stage and its deadline; `limits` has the figures.
2. `incoming` collects the bytes until the head and the body are complete. gunicorn's parser reads
   the head, `chunked` a body in chunks. What cannot be served raises `refusals.Refused`, and the
   loop answers it itself.
3. `loop` hands the complete request to a thread, which runs the WSGI application (`service`).
4. The thread writes into a `reply`, which sends as much as the client takes at once and keeps the
   rest.
5. `loop` sends the rest while the thread serves somebody else, then waits for the next request or
   closes.

gunicorn's arbiter, the parent process, starts the workers and gives each the listening sockets.
What this module uses of gunicorn's worker: `sockets`, `cfg` (the configuration), `log`, `wsgi` (the
application), `alive` (false after SIGTERM), `PIPE` (each signal writes a byte into it) and
`notify()`, without which the arbiter kills a worker after `cfg.timeout` seconds.
"""

from __future__ import annotations

import os

from gunicorn.workers import base

from failover.adapters.clock import SystemClock
from surveyapp.server import limits
from surveyapp.server.loop import Loop
from surveyapp.server.service import Service


class Worker(base.Worker):  # type: ignore[misc]  # gunicorn has no types
    """Runs the loop. Settings of gunicorn that mean nothing here: a request's hooks,
    `max_requests`, TLS, `sendfile`.
    """

    def run(self) -> None:
        """Serves until a signal says to stop or the parent is gone. gunicorn calls it once, in the
        worker process.
        """
        clock = SystemClock()
        loop = Loop(
            Service(self.wsgi, self.cfg, self.log, clock),
            clock,
            limits.from_environment(),
            config=self.cfg,
            log=self.log,
            listeners=self.sockets,
            wake_pipe=self.PIPE,
            most_connections=limits.allow_files(self.cfg.worker_connections),
            is_alive=lambda: bool(self.alive),
            on_tick=self._tick,
        )
        with loop:
            while self.alive:
                loop.turn()
            loop.finish(within_s=self.cfg.graceful_timeout)

    def _tick(self) -> None:
        self.notify()
        if self.ppid != os.getppid():
            self.alive = False
