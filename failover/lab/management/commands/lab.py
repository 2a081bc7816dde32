"""``manage.py lab``: the local cloud alone, in the foreground."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from failover.lab.config import LabConfig
from failover.lab.engine.leash import UNSAVED
from failover.lab.errors import LabError, LabUnsaved
from failover.lab.functions.triggers import TALLY
from failover.lab.lab import run_lab

STDERR = 2


class Command(BaseCommand):
    """Runs until Ctrl-C, SIGTERM, or the end of the parent process that holds its lifeline."""

    help = "Runs the local cloud: two regions, their DNS and their replication. Ctrl-C stops it."
    # The application's settings need the lab's app.env, which is not there yet.
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Start the lab with the application's tables."""
        # Imported here because it wires the models, which other commands of the lab do not need.
        from failover import gateway

        def say(line: str) -> None:
            self.stdout.write(line)
            self.stdout.flush()

        try:
            config = LabConfig.from_env(lab_dir=Path(settings.LAB_DIR))
            run_lab(config, gateway.tables(), say=say, triggers=[TALLY])
        except LabUnsaved as error:
            # Written without a buffer: the log may be on the same full disk, and an error when a
            # buffer is flushed would change the exit status.
            with contextlib.suppress(OSError):
                os.write(STDERR, f"CommandError: {error}\n".encode(errors="backslashreplace"))
            sys.exit(UNSAVED)
        except LabError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"LAB_DIR={settings.LAB_DIR}: cannot be used: {error}") from error
