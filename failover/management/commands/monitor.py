"""`manage.py monitor`: the process that watches the regions, one per host. Run it beside the web
workers.
"""

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from failover import wiring
from failover.adapters import lifeline
from failover.monitor.process import Monitor, MonitorRunning


class Command(BaseCommand):
    """Runs until SIGTERM, Ctrl-C, or the end of the process that started it."""

    help = "Watches the regions: canaries, heartbeats, routing; publishes one status for this host's web workers."

    def handle(self, *args: Any, **options: Any) -> None:
        """Blocks until stopped."""
        config = wiring.parse_settings()
        monitor = Monitor(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: monitor.stop())
        lifeline.hold(monitor.stop)
        try:
            monitor.run()
        except MonitorRunning as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"FAILOVER_RUN_DIR: {config.run_dir} cannot be used: {error.strerror}") from error
