"""The Django skin of the drills: their commands, their templates, and their tab on the dashboard."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DrillsAppConfig(AppConfig):
    """Listed by the lab's settings only."""

    name = "failover.drills"
    label = "failover_drills"
    verbose_name = "Drills"

    def ready(self) -> None:
        """Put the drills beside the dashboard."""
        from failover.dashboard import tabs

        tabs.register(_("Drills"), "drills:list")
