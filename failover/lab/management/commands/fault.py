"""``manage.py fault``: breaks a region of the running lab, lists what is broken, and mends it."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from failover.lab.control.client import LabClient
from failover.lab.errors import LabError, LayerTaken
from failover.lab.faults import verify
from failover.lab.faults.book import LONGEST_S
from failover.lab.faults.kinds import DEFAULT_S, KINDS, Layer, Stop
from failover.lab.faults.outside import region_of

IS_TAKEN = 3


class Command(BaseCommand):
    """Sets, lists and clears faults, and checks each from outside the lab."""

    help = (
        "Breaks a region of the running lab, for a while, and checks from outside that it is broken. "
        "Exit 3: another fault is in force in that layer of the region."
    )
    # It talks to the lab only, and must work while the application does not.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """``fault REGION KIND``, ``fault --list``, ``fault --clear [REGION [KIND]]``."""
        parser.add_argument("region", nargs="?", help="such as us-east-1")
        parser.add_argument("kind", nargs="?", help="see --list")
        seconds = f"until it ends by itself (default {DEFAULT_S:.0f}, at most {LONGEST_S:.0f})"
        parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help=seconds)
        parser.add_argument("--keep-connections", action="store_true", help="do not cut open connections")
        parser.add_argument("--ms", type=int, help="milliseconds, for the kinds that use them")
        parser.add_argument("--list", action="store_true", help="what is broken now, and what can be")
        parser.add_argument("--clear", action="store_true", help="end KIND in REGION, all faults of REGION, or all")

    def handle(self, *_args: Any, **options: Any) -> None:
        """List, clear or set."""
        client = LabClient(Path(settings.LAB_DIR))
        region, kind = options["region"], options["kind"]
        try:
            if options["list"]:
                self._list(client)
            elif options["clear"]:
                self._clear(client, region, kind)
            elif region and kind:
                self._set(client, region, kind, options)
            else:
                raise CommandError("say REGION KIND, --list, or --clear [REGION [KIND]]")
        except LabError as error:
            returncode = IS_TAKEN if isinstance(error, LayerTaken) else 1
            raise CommandError(str(error), returncode=returncode) from error

    def _set(self, client: LabClient, region: str, kind: str, options: dict[str, Any]) -> None:
        before = client.state()
        fault = client.set_fault(
            region, kind, seconds=options["seconds"], keep_connections=options["keep_connections"], ms=options["ms"]
        )
        finding = verify.took_hold(before, fault)
        if not finding.holds:
            client.clear(region, kind)
            raise CommandError(f"{kind} in {region} did not take hold, and was cleared: {finding.text}")
        self.stdout.write(f"{kind} in {region} for {fault['seconds']:g} s. {finding.sentence}.")
        if kind == Stop.name and not region_of(client.state(), region)["engine"]["saved"]:
            self.stderr.write(
                f"{region} could not save its tables in {settings.LAB_DIR}: is the disk full? It will start with "
                "what it saved before, and get the rest from the other regions."
            )

    def _clear(self, client: LabClient, region: str | None, kind: str | None) -> None:
        cleared = client.clear(region, kind)
        if not cleared:
            what = f"{kind} is not in force" if kind else "Nothing is broken"
            self.stdout.write(f"{what}{f' in {region}' if region else ''}.")
        state, still_felt = client.state(), []
        for fault in cleared:
            finding = verify.is_gone(state, fault)
            if not finding.holds:
                still_felt.append(f"{fault['kind']} in {fault['region']} was cleared but is still felt: {finding.text}")
                continue
            self.stdout.write(f"{fault['kind']} in {fault['region']} is over. {finding.sentence}.")
        if still_felt:
            raise CommandError("; ".join(still_felt))

    def _list(self, client: LabClient) -> None:
        faults = [fault for region in client.state()["regions"] for fault in region["faults"]]
        for fault in faults:
            ms = f"  {fault['ms']} ms" if fault["ms"] is not None else ""
            where = f"{fault['region']}  {fault['layer']}"
            self.stdout.write(f"{where}  {fault['kind']}{ms}  ends in {fault['remaining_s']:.0f} s")
        if not faults:
            self.stdout.write("Nothing is broken.")
        self.stdout.write("Kinds of faults by layer, of which a region may have one each:")
        for layer in Layer:
            self.stdout.write(f"  {layer}")
            for kind in KINDS:
                if kind.layer is layer:
                    self.stdout.write(f"    {kind.name:<22} {kind.summary}")
