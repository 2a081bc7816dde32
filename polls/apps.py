"""The survey as a Django app."""

from django.apps import AppConfig


class PollsConfig(AppConfig):
    """Importing `polls.surveys.models` registers the tables with the gateway; there are no SQL models here."""

    name = "polls"
