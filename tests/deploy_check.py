"""Runs `manage.py check --deploy` with production settings and only production's variables. Warnings are errors."""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def production_environment(run_dir: str) -> dict[str, str]:
    """The variables that production must set, with throw-away values."""
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "surveyapp.settings.production",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
        "DJANGO_ALLOWED_HOSTS": "survey.example.org",
        "FAILOVER_REGIONS": "us-east-1,us-west-2",
        "FAILOVER_RUN_DIR": run_dir,
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    }


def main() -> int:
    """Runs the check and returns its exit code."""
    with tempfile.TemporaryDirectory() as run_dir:
        command = [sys.executable, "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
        return subprocess.run(command, cwd=ROOT, env=production_environment(run_dir), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
