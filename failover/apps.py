"""The failover engine as a Django app: its checks and commands. It starts no thread and no process."""

from django.apps import AppConfig


class FailoverAppConfig(AppConfig):
    """Registers the system checks; wiring happens on first use, never here."""

    name = "failover"

    def ready(self) -> None:
        from failover import checks  # noqa: F401  (registers on import)
