"""Sets faults in a lab as a person would, but in this process: starting another takes a second."""

from io import StringIO
from pathlib import Path

from django.core.management import call_command
from django.test import override_settings


def fault(lab_dir: Path, *arguments: str) -> None:
    """Runs `manage.py fault ARGUMENTS`, which checks from outside the lab that the fault took hold, or is over."""
    with override_settings(LAB_DIR=lab_dir):
        call_command("fault", *arguments, stdout=StringIO())
