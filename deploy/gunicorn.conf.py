"""gunicorn for one host: threads, because a vote waits for the network and not for the CPU. Run the monitor beside
it.
"""

import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from django.core.exceptions import ImproperlyConfigured  # noqa: E402  (the project's folder goes on the path first)

from failover.conf import FailoverConfig  # noqa: E402  (the same)
from surveyapp.settings.values import whole  # noqa: E402  (the same)

wsgi_app = "surveyapp.wsgi:application"
chdir = str(ROOT)
bind = os.environ.get("BIND", "127.0.0.1:8000")
worker_class = "gthread"
try:
    workers = whole("WORKERS", default=2, low=1, high=64)
    # As many as the connection pools and the bulkheads of the failover engine are sized for.
    threads = whole("FAILOVER_THREADS", default=FailoverConfig.threads, low=1, high=256)
except ImproperlyConfigured as error:
    sys.exit(f"configuration error: {error}")
# Longer than the deadline of a vote by far: a worker is killed only when it is truly stuck.
timeout = 30
graceful_timeout = 5
keepalive = 5
limit_request_line = 4094
limit_request_fields = 50
errorlog = "-"
loglevel = "warning"


def on_starting(server):  # type: ignore[no-untyped-def]  # gunicorn's hook
    """In the demo the web tier ends with the process that started it, however that ends."""
    from failover import lifeline

    lifeline.hold(lambda: os.kill(os.getpid(), signal.SIGTERM))


def post_worker_init(worker):  # type: ignore[no-untyped-def]  # gunicorn's hook
    """No vote is the first thing that a worker does."""
    from django.urls import get_resolver

    from failover import wiring

    get_resolver().url_patterns  # noqa: B018  (reading it imports every view)
    wiring.warm_up()
