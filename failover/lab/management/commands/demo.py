"""``manage.py demo``: the whole demo in the foreground.

Ctrl-C or SIGTERM stops everything that it started.
"""

import os
import secrets
import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from failover.adapters import lifeline
from failover.lab.demo.config import DemoConfig
from failover.lab.demo.demo import Demo
from failover.lab.errors import LabError
from failover.lab.files import write_whole

INSTRUCTOR = "instructor"
KEPT_IN = "demo-password"


class Command(BaseCommand):
    """Prints one ready line when students can vote."""

    help = (
        "Runs the lab, the monitor and the web tier; "
        "variables: PORT, HOST, WORKERS, ENGINE, LAB_RTT_MS, LAB_TLS, DEMO_PASSWORD, LAB_DIR; see .env.example."
    )
    # The application's settings need the lab's app.env, which is not there yet.
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run the demo until it is stopped."""

        def say(line: str) -> None:
            self.stdout.write(line)
            self.stdout.flush()

        try:
            password = os.environ.get("DEMO_PASSWORD") or _kept_password(Path(settings.LAB_DIR))
            config = DemoConfig.from_env(os.environ, lab_dir=Path(settings.LAB_DIR), password=password)
            demo = Demo(config, say=say)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, lambda *_: demo.stop())
            lifeline.hold(demo.stop)  # one that a drill's matrix started ends with it
            demo.run(lambda: _prepare_accounts(password))
        except LabError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"LAB_DIR={settings.LAB_DIR}: cannot be used: {error}") from error


def _kept_password(lab_dir: Path) -> str:
    """The directory's password, made on first use and readable by its owner alone. Raises LabError."""
    path = lab_dir / KEPT_IN
    try:
        if not path.exists():
            lab_dir.mkdir(parents=True, exist_ok=True)
            write_whole(path, secrets.token_urlsafe(9) + "\n", mode=0o600)
        password = path.read_text().strip()
    except (OSError, ValueError) as error:
        raise LabError(f"{path}: cannot be used: {error}") from error
    if not password:
        raise LabError(f"{path} is empty: remove it for a new password, or set DEMO_PASSWORD")
    return password


def _prepare_accounts(password: str) -> None:
    """Make the accounts' tables, and one instructor with this password."""
    from django.contrib.auth import get_user_model

    call_command("migrate", verbosity=0, interactive=False)
    user, _ = get_user_model().objects.get_or_create(
        username=INSTRUCTOR, defaults={"is_staff": True, "is_superuser": True}
    )
    if not user.check_password(password):  # setting the same password again would end every session
        user.set_password(password)
        user.save(update_fields=["password"])
