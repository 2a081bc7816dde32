"""Breaks a lab's regions as a person would, without the second that a process of its own takes."""

from io import StringIO
from pathlib import Path

from django.core.management import call_command
from django.test import override_settings


def fault(lab_dir: Path, *arguments: str) -> None:
    """`manage.py fault ...`, which checks from outside the lab that the fault took hold, or is over."""
    with override_settings(LAB_DIR=lab_dir):
        call_command("fault", *arguments, stdout=StringIO())
