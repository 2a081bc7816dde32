"""gunicorn for one strategy: one process with threads, as such an application is usually served.

It listens on the socket that its starter opened, unless the command line says where. It ends with
its starter, however that ends.
"""

import os
import signal

from failover.adapters import lifeline
from failover.drills.strategies.catalogue import STRATEGIES

if "DRILL_SOCKET" in os.environ:
    bind = f"fd://{os.environ['DRILL_SOCKET']}"
wsgi_app = "failover.drills.strategies.app:create()"
worker_class = "gthread"
workers = 1
threads = STRATEGIES[os.environ.get("DRILL_STRATEGY", "single-region")].threads
# A thread that waits for a dead region is part of the lesson; nobody kills the process for it.
timeout = 0
graceful_timeout = 1
loglevel = "warning"


def on_starting(server: object) -> None:
    """Stop when the starter is gone."""
    lifeline.hold(lambda: os.kill(os.getpid(), signal.SIGTERM))
