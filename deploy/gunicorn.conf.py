"""gunicorn for one host: threads, because a vote waits for the network and not for the CPU, and a
worker of our own, because a thread must not wait for a phone. Run the monitor beside it.
"""

import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from gunicorn import glogging

from failover import wiring
from failover.adapters import lifeline
from failover.conf import FailoverConfig
from surveyapp import logs
from surveyapp.server import limits
from surveyapp.settings import values

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "surveyapp.settings.production")

wsgi_app = "surveyapp.wsgi:application"
chdir = str(Path(__file__).resolve().parent.parent)
worker_class = "surveyapp.server.worker.Worker"
try:
    if os.environ.get("GUNICORN_CMD_ARGS", "").strip():
        # It would override this file: a --bind in it opens another port. Options on the command
        # line still count.
        raise ImproperlyConfigured("GUNICORN_CMD_ARGS: unset it, and use BIND, WORKERS and FAILOVER_THREADS")
    bind = values.address("BIND", default="127.0.0.1:8000")
    workers = values.whole("WORKERS", default=2, low=1, high=64)
    # As many as the connection pools and the bulkheads of the failover engine are sized for.
    threads = values.whole("FAILOVER_THREADS", default=FailoverConfig.threads, low=1, high=256)
    worker_connections = limits.from_environment().connections
    # Reading one setting loads them all: a mistake is one line here, and not a worker that dies.
    formatter = logs.FORMATTERS[settings.LOG_FORMAT]
    wiring.check_sdk(wiring.parse_settings())
except ImproperlyConfigured as error:
    sys.exit(f"configuration error: {error}")
# Longer than the deadline of a vote by far: a worker is killed only when it is truly stuck.
timeout = 30
graceful_timeout = 5
limit_request_line = 4094
limit_request_fields = 50
# gunicorn trusts no proxy, not even the host itself (its default). The application decides, by
# SURVEY_TRUSTED_PROXIES.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
errorlog = "-"
loglevel = "warning"


class Logger(glogging.Logger):
    """Formats gunicorn's own lines like the application's. Not done by `logconfig_dict`, with which
    gunicorn would format an access log entry, which nobody reads, for every vote.
    """

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter())


logger_class = Logger


def on_starting(server: Any) -> None:
    """Raises the limit of open files, which workers inherit. In the demo the web tier ends with the
    process that started it, however that ends.
    """
    fit = limits.allow_files(worker_connections)
    if fit < worker_connections:
        server.log.warning(f"the limit of open files leaves {fit} connections a worker, not {worker_connections}")
    lifeline.hold(lambda: os.kill(os.getpid(), signal.SIGTERM))


def post_worker_init(worker: object) -> None:
    """Loads the views and connects to the regions, so that a worker's first vote does not wait."""
    import_module(settings.ROOT_URLCONF)  # and with it every view
    wiring.warm_up()


def worker_exit(server: object, worker: object) -> None:
    """Saves the last counts of a worker that is asked to end. A killed one loses 0.2 s of them."""
    wiring.hand_in()
