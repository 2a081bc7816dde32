"""The survey as a Django app."""

from importlib import import_module

from django.apps import AppConfig


class PollsConfig(AppConfig):
    """Registers the survey's tables with the gateway. There are no SQL models here."""

    name = "polls"

    def ready(self) -> None:
        """Import each module that defines tables: Django itself would only look for `polls.models`."""
        for subject in ("surveys", "ballots", "tallies"):
            import_module(f"polls.{subject}.models")
