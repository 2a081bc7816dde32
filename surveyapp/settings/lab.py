"""One laptop: the same application, told by `LAB_DIR/app.env` where the local cloud listens.

Only the environment differs from production, and the lab's own commands (`lab`, `demo`, `fault`)
exist only here. Under these settings nothing leaves this machine: see `LOOPBACK_ONLY` below.
"""

import contextlib
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from failover.core.disk import is_unwritable
from failover.lab import environment, files
from surveyapp.settings import values

values.refuse_harm()
environment.isolate(os.environ)
LAB_DIR = Path(os.environ.get("LAB_DIR", ".lab")).resolve()


def _secrets_file() -> Path:
    """The lab's own secret key, made on first use and readable by its owner only."""
    path = LAB_DIR / files.SECRETS
    if not path.exists():
        LAB_DIR.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        try:
            with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as handle:
                handle.write(f"DJANGO_SECRET_KEY={secrets.token_urlsafe(50)}\n")
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)  # the first of two processes wins, and both read the same key
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
    return path


def _read(path: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, _, value in lines if name}


# What the lab says of itself holds, whatever this shell was told for another installation.
try:
    closed = files.why_closed(LAB_DIR)
    try:
        os.environ.update(_read(_secrets_file()))
    except OSError as error:
        if not closed or not is_unwritable(error) or not LAB_DIR.is_dir():
            raise
        # No lab runs here and none can: the commands that need none, such as `check`, have a key
        # for themselves.
        os.environ["DJANGO_SECRET_KEY"] = secrets.token_urlsafe(50)
    if not closed:
        os.environ.update(_read(LAB_DIR / files.APP_ENV))
except (OSError, ValueError) as error:
    raise ImproperlyConfigured(f"LAB_DIR={LAB_DIR}: cannot be used: {error}") from error
os.environ["DJANGO_SQLITE_PATH"] = str(LAB_DIR / "db.sqlite3")
# A drill may start a second web tier beside the demo's; nobody can name another directory.
IS_SECOND = os.environ.get("LAB_RUN") == files.SECOND_RUN
os.environ["FAILOVER_RUN_DIR"] = str(LAB_DIR / (files.SECOND_RUN if IS_SECOND else "run"))
os.environ.setdefault("SURVEY_INSTALLATION", str(LAB_DIR))
os.environ.setdefault("FAILOVER_REGIONS", "us-east-1,us-west-2")
os.environ.setdefault("FAILOVER_HEARTBEAT_S", "0.5")
os.environ.setdefault("FAILOVER_HOLD_S", "5")
os.environ.setdefault("DJANGO_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
os.environ.setdefault("DJANGO_TIME_ZONE", environment.time_zone())

from surveyapp.settings.base import *  # noqa: E402, F403  (the environment above must be in place before base reads it)
from surveyapp.settings.base import FAILOVER as BASE_FAILOVER  # noqa: E402  (the same order)
from surveyapp.settings.base import INSTALLED_APPS as BASE_APPS  # noqa: E402  (the same order)

# Not read from the environment: no variable may open the lab to the network, and none may shut
# production in.
FAILOVER = {**BASE_FAILOVER, "LOOPBACK_ONLY": "yes", "CLOSED": closed}

INSTALLED_APPS = [*BASE_APPS, "failover.lab", "failover.drills"]

ROOT_URLCONF = "surveyapp.urls_lab"
METRICS_OPEN = True

# No build step on a laptop: WhiteNoise serves the files where they lie.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
# Plain HTTP on loopback or a classroom's own network: these need TLS, which production has.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]
