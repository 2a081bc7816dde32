"""``manage.py lab``: the local cloud alone, in the foreground."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from failover.lab.config import LabConfig
from failover.lab.errors import LabError
from failover.lab.lab import run_lab
from failover.lab.triggers import TALLY


class Command(BaseCommand):
    """Runs until Ctrl-C, SIGTERM, or the end of the parent that holds its lifeline."""

    help = "Runs the local cloud: two regions, their DNS and their replication. Ctrl-C stops it."
    requires_system_checks = ()  # the application's settings need the lab's app.env, which is not there yet

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Start the lab with the application's tables."""
        from failover import gateway  # wires the models; only this command needs it

        def say(line: str) -> None:
            self.stdout.write(line)
            self.stdout.flush()

        try:
            config = LabConfig.from_env(lab_dir=Path(settings.LAB_DIR))
            run_lab(config, gateway.tables(), say=say, triggers=[TALLY])
        except LabError as error:
            raise CommandError(str(error)) from error
