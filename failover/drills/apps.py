"""The Django skin of the drills: it exists for its management commands alone."""

from django.apps import AppConfig


class DrillsAppConfig(AppConfig):
    """Registers ``manage.py students``; listed by the lab's settings only."""

    name = "failover.drills"
    label = "failover_drills"
    verbose_name = "Drills"
