"""`manage.py routing`: the toggle without the web page."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from failover import gateway
from failover.core.decisions import checked_reason
from failover.core.errors import FailoverError, RoutingRefused, RoutingSuperseded
from failover.dashboard.sentences import effect_of

MISUSED = 2
REFUSED = 3


class Command(BaseCommand):
    """Exit code 2 for wrong arguments, 3 when a safety rule refuses, 1 when no region took the
    decision, no region said whether it did, or another person's decision of the same moment holds.
    """

    help = (
        "Follow the rules (auto), or try one region first until someone changes that (pin). "
        "Exit 3: a safety rule refuses."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """`auto --reason T` and `pin REGION --reason T [--force]`."""
        modes = parser.add_subparsers(dest="mode", required=True, metavar="auto|pin")
        auto = modes.add_parser("auto", help="the rules choose the region, by health and priority")
        _reason(auto)
        pin = modes.add_parser("pin", help="one region is tried first, whatever the rules say")
        pin.add_argument("region", metavar="REGION")
        _reason(pin)
        pin.add_argument("--force", action="store_true", help="override a safety rule; the override is recorded")

    def handle(self, *, mode: str, reason: str, region: str | None = None, force: bool = False, **options: Any) -> None:
        """Sets the routing once."""
        try:
            reason = checked_reason(reason)
        except ValueError as error:
            raise CommandError(f"{error}: --reason TEXT", returncode=MISUSED) from error
        known = gateway.regions()
        if region is not None and region not in known:
            raise CommandError(f"{region} is not one of the regions: {', '.join(known)}", returncode=MISUSED)
        try:
            decision = gateway.route(
                "auto" if region is None else "pinned", region, actor=_actor(), reason=reason, force=force
            )
        except RoutingRefused as error:
            raise CommandError(f"refused: {error.rule} (--force overrides it)", returncode=REFUSED) from error
        except RoutingSuperseded as error:
            raise CommandError(f"not changed: {error}") from error
        except gateway.RoutingUnknown as error:
            raise CommandError(
                f"it is not known whether this was changed, look with `manage.py regions`: {error}"
            ) from error
        except FailoverError as error:
            raise CommandError(f"nothing was changed: {error}") from error
        self.stdout.write(effect_of(decision))


def _reason(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", default="", metavar="TEXT", help="required; everyone who reads the log sees it")


def _actor() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user need not have a name
        return "cli:unknown"
