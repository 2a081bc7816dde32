"""The failover dashboard as a Django app, so that its templates and static files are found."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Pages only: no model, no thread, no process."""

    name = "failover.dashboard"
    label = "failover_dashboard"
