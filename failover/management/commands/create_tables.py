"""`manage.py create_tables [--global]`: makes missing tables in every region, or as global tables."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from failover import wiring
from failover.adapters.errors import classify
from failover.adapters.provision import add_replicas, create_missing
from failover.gateway import tables


class Command(BaseCommand):
    """Idempotent: a table that exists is left as it is."""

    help = (
        "Makes the tables; --global makes replicated tables in the first region and adds the other regions as replicas."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """One switch."""
        parser.add_argument("--global", action="store_true", dest="replicas", help="add replicas (UpdateTable) on AWS")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints one line per table and region."""
        wired = wiring.current()
        home = wired.config.regions[0]
        for region, client in wired.clients.items():
            for spec in tables():
                if options["replicas"] and spec.replicated and region != home:
                    continue
                try:
                    is_new = create_missing(client, spec)
                    added = (
                        add_replicas(client, spec, wired.config.regions)
                        if options["replicas"] and spec.replicated
                        else []
                    )
                except Exception as error:
                    raise CommandError(f"{spec.name} in {region}: {classify(error).detail}") from error
                self.stdout.write(f"{region}  {spec.name}  {'made' if is_new else 'exists'}")
                for replica in added:
                    self.stdout.write(f"{replica}  {spec.name}  replica added")
