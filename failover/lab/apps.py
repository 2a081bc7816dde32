"""The lab as a Django app, so that Django finds its management commands."""

from django.apps import AppConfig


class LabAppConfig(AppConfig):
    """Registers ``manage.py demo``, ``lab`` and ``fault``. Only the lab's settings list it."""

    name = "failover.lab"
    label = "failover_lab"
    verbose_name = "Local cloud"
