"""`manage.py regions`: the status that this host's monitor published, as a table or as JSON."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from failover import gateway
from failover.dashboard import reading as readings
from failover.dashboard.figures import ago
from failover.dashboard.panels.sentence import NO_MONITOR
from failover.dashboard.reading import Reading
from failover.dashboard.table import table

REDRAW_S = 1.0
CLEAR = "\x1b[H\x1b[2J"


class Command(BaseCommand):
    """Reads what the dashboard reads, and computes nothing. Exit code 1 when no monitor has ever
    reported here.
    """

    help = "Show the health, circuit, traffic and replication lag of every region."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--json` and `--watch`."""
        parser.add_argument("--json", action="store_true", help="the status document, one line a look with --watch")
        parser.add_argument("--watch", action="store_true", help="redraw every second until Ctrl-C")

    def handle(self, *, json: bool, watch: bool, **options: Any) -> None:
        """Prints the status once, or every second."""
        if not watch:
            reading = readings.current()
            if reading.status is None:
                raise CommandError(NO_MONITOR)
            self.stdout.write(_as_json(reading, indent=2) if json else _as_table(reading))
            return
        try:
            while True:
                reading = readings.current()
                drawn = _as_json(reading) if json else _as_table(reading)
                self.stdout.write(f"{CLEAR}{drawn}" if self.stdout.isatty() and not json else drawn)
                self.stdout.flush()
                gateway.clock.wait(REDRAW_S)
        except KeyboardInterrupt:
            return


def _as_json(reading: Reading, indent: int | None = None) -> str:
    return json.dumps(reading.status, indent=indent)


def _as_table(reading: Reading) -> str:
    if reading.status is None:
        return str(NO_MONITOR)
    age = None if reading.age_s is None else reading.age_s * 1000
    warning = f"STALE: the monitor was last heard {ago(age)}. Its last word:\n" if reading.stale else ""
    return warning + table(reading.status)
