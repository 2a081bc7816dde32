"""One laptop: the same application, told by `LAB_DIR/app.env` where the local cloud listens.

Only the environment differs from production, and the lab's own commands (`lab`, `demo`, `fault`) exist only here.
"""

import contextlib
import os
import secrets
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

LAB_DIR = Path(os.environ.get("LAB_DIR") or ".lab").resolve()


def _secrets_file() -> Path:
    """The lab's own secret key, made on first use and readable by its owner only."""
    path = LAB_DIR / "secrets.env"
    if not path.exists():
        LAB_DIR.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as handle:
            handle.write(f"DJANGO_SECRET_KEY={secrets.token_urlsafe(50)}\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # the first of two processes wins, and both read the same key
        draft.unlink()
    return path


# Everything of the lab is on this machine: neither a school's proxy nor a profile of AWS has any part in it.
for name in (
    *("http_proxy", "https_proxy", "all_proxy"),
    *("aws_profile", "aws_default_profile", "aws_session_token", "aws_ca_bundle"),
):
    for spelling in (name, name.upper()):
        os.environ.pop(spelling, None)
try:
    environ.Env.read_env(str(_secrets_file()))
except OSError as error:
    raise ImproperlyConfigured(f"LAB_DIR={LAB_DIR}: cannot be used: {error.strerror}") from error
# Written by the lab when it is ready; absent while no lab runs.
if (LAB_DIR / "app.env").exists():
    environ.Env.read_env(str(LAB_DIR / "app.env"))
os.environ["SURVEY_INSTALLATION"] = os.environ.get("SURVEY_INSTALLATION") or str(LAB_DIR)
os.environ.setdefault("DJANGO_SQLITE_PATH", str(LAB_DIR / "db.sqlite3"))
os.environ.setdefault("FAILOVER_REGIONS", "us-east-1,us-west-2")
os.environ.setdefault("FAILOVER_RUN_DIR", str(LAB_DIR / "run"))
os.environ.setdefault("FAILOVER_HEARTBEAT_S", "0.5")
os.environ.setdefault("FAILOVER_HOLD_S", "5")
os.environ.setdefault("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
os.environ.setdefault("DJANGO_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")

from .base import *  # noqa: E402, F403  (the environment above must be in place before base reads it)
from .base import INSTALLED_APPS as BASE_APPS  # noqa: E402  (the same order)

INSTALLED_APPS = [*BASE_APPS, "failover.lab", "failover.drills"]

METRICS_OPEN = True

# No build step on a laptop: WhiteNoise serves the files where they lie.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
# Plain HTTP on loopback or a classroom's own network: these need TLS, which production has.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]
