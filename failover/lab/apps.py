"""The Django skin of the lab: it exists for its management commands alone."""

from django.apps import AppConfig


class LabAppConfig(AppConfig):
    """Registers ``manage.py lab`` and ``manage.py fault``; listed by the lab's settings only."""

    name = "failover.lab"
    label = "failover_lab"
    verbose_name = "Local cloud"
