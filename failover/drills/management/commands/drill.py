"""``manage.py drill``: plays an outage beside other strategies, and writes a report that can be checked."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from failover.conf import FailoverConfig
from failover.drills import drill_files as drills
from failover.drills import exports, matrix, verify
from failover.drills.drill import Drill, DrillInvalid, in_full
from failover.drills.entries import OURS, ROUTER, ROUTER_STALE
from failover.drills.ledger import LedgerDamaged
from failover.drills.plan import CannotVote
from failover.drills.play.run import Order, play
from failover.drills.predict import LONGEST_S
from failover.drills.report import document, page, table
from failover.drills.strategies.catalogue import STRATEGIES
from failover.lab.control.client import LabClient
from failover.lab.errors import LabError
from failover.lab.faults.kinds import KINDS

DID_NOT_HOLD, COULD_NOT_RUN = 1, 2
OWN_SURVEY = Path(__file__).resolve().parents[2] / "class_survey.json"
ALL = "all"


class Command(BaseCommand):
    """``drill NAME``, ``drill list``, ``drill verify DIR``, ``drill matrix``."""

    help = (
        "Plays a drill in the running demo: exit 0 when its hypothesis held, 1 when it did not, 2 when it could not "
        "run. `drill list` explains each; `drill verify DIR` checks a report against its ledger."
    )
    requires_system_checks = ()  # it talks to the demo over HTTP, and must work while the application does not

    def add_arguments(self, parser: CommandParser) -> None:
        """The drill, and what of it shall be another than in its file."""
        parser.add_argument("name", help="a drill of the list, a file that ends in .toml, list, verify, or matrix")
        parser.add_argument("directory", nargs="?", type=Path, help="verify: where the report lies")
        parser.add_argument("digest", nargs="?", default="", help="verify: the last digest that the drill printed")
        parser.add_argument("--strategy", help=f"names with commas between, or {ALL}; default: those of the drill")
        parser.add_argument("--full", action="store_true", help="an outage as long as the slowest strategy needs")
        parser.add_argument("--students", type=int, help="how many students vote")
        parser.add_argument("--rate", type=float, help="votes a second")
        parser.add_argument("--seed", type=int, help="the same students and answers again")
        parser.add_argument(
            "--predict", type=float, default=0.0, metavar="SECONDS", help="let a class predict first, for so long"
        )
        parser.add_argument("--out", type=Path, metavar="DIR", help="where to write; default: below LAB_DIR/drills")
        parser.add_argument("--repeats", type=int, default=3, help="matrix: runs of each fault (%(default)s)")
        parser.add_argument("--kinds", default="", help="matrix: kinds of faults with commas between; default: all")
        parser.add_argument("--json", action="store_true", help="print report.json, and nothing else")

    def handle(self, *_args: Any, **options: Any) -> None:
        """List, verify or play."""
        match options["name"]:
            case "list":
                self._list()
            case "matrix":
                self._matrix(options)
            case "verify":
                self._verify(options["directory"], options["digest"])
            case _:
                self._play(options)

    def _list(self) -> None:
        for name in drills.names():
            drill = drills.load(name)
            self.stdout.write(f"{name:<16} {drill.seconds:4.0f} s  {drill.title}: {drill.question}")
        self.stdout.write("Strategies:")
        ours = {ROUTER: "this application", ROUTER_STALE: "the same; the last DNS answers serve on for a minute"}
        for name, text in (ours | {strategy.name: strategy.summary for strategy in STRATEGIES.values()}).items():
            self.stdout.write(f"  {name:<22} {text}")

    def _verify(self, directory: Path | None, digest: str) -> None:
        if directory is None:
            raise CommandError("say which: drill verify DIR [DIGEST]", returncode=COULD_NOT_RUN)
        code, text = verify.main(directory, digest)
        if code:
            raise CommandError(text, returncode=code)
        self.stdout.write(text)

    def _matrix(self, options: dict[str, Any]) -> None:
        def say(line: str) -> None:
            self.stdout.write(line)
            self.stdout.flush()

        directory = options["out"] or Path(settings.LAB_DIR) / "drills" / "matrix"
        kinds = [kind.strip() for kind in options["kinds"].split(",") if kind.strip()]
        if unknown := set(kinds) - {kind.name for kind in KINDS}:
            raise CommandError(f"no such kind of fault: {', '.join(sorted(unknown))}", returncode=COULD_NOT_RUN)
        if options["repeats"] < 1:
            raise CommandError("--repeats must be at least 1", returncode=COULD_NOT_RUN)
        try:
            played = matrix.play(directory, options["repeats"], kinds=kinds, say=say)
        except (exports.ExportFailed, LabError, OSError) as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from error
        except KeyboardInterrupt:
            raise CommandError("stopped; the same command goes on", returncode=COULD_NOT_RUN) from None
        for line in matrix.table(played):
            say(line)
        if any(result.lost or result.duplicated for result in played):
            raise CommandError("votes were lost or doubled", returncode=DID_NOT_HOLD)

    def _play(self, options: dict[str, Any]) -> None:
        def say(line: str) -> None:
            if not options["json"]:
                self.stdout.write(line)
                self.stdout.flush()

        lab = LabClient(Path(settings.LAB_DIR))
        try:
            order = _order(options)
            directory = options["out"] or Path(settings.LAB_DIR) / "drills" / f"{_stamp()}-{order.drill.name}"
            if directory.exists():
                raise CannotVote(f"{directory} exists already, and no drill is written over: name another")
            environment = document.this_machine(lab.state())
            played = play(order, FailoverConfig.parse(settings.FAILOVER).regions, lab=lab, directory=directory, say=say)
            predicted = played.prediction.answers() if played.prediction else None
        except (DrillInvalid, CannotVote, LedgerDamaged, exports.ExportFailed, LabError, OSError) as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from error
        except KeyboardInterrupt:
            raise CommandError("stopped; everything that was broken is mended", returncode=COULD_NOT_RUN) from None
        report = document.write(order.drill, directory, environment, predicted)
        page.write(order.drill, directory, report)
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=1))
        for line in table.lines(report):
            say(line)
        say(f"report {directory / document.PAGE}")
        say(f"last digest {report['digest']}")
        if not document.has_held(report):
            raise CommandError("the hypothesis did not hold", returncode=DID_NOT_HOLD)


def _order(options: dict[str, Any]) -> Order:
    """What is asked for. Raises DrillInvalid or CannotVote."""
    drill: Drill = drills.load(options["name"])
    strategies = drill.strategies
    if options["strategy"] == ALL:
        strategies = (*OURS, *STRATEGIES)
    elif options["strategy"]:
        strategies = drills.checked_strategies([name.strip() for name in options["strategy"].split(",")])
    if options["full"]:
        drill = in_full(drill, strategies)
    changes = {name: options[name] for name in ("students", "rate") if options[name] is not None}
    seed = options["seed"] if options["seed"] is not None else random.randrange(10**6)
    if not 0 <= options["predict"] <= LONGEST_S:
        raise CannotVote(f"a class may predict for at most {LONGEST_S:g} s, not for {options['predict']:g}")
    return Order(drill, strategies, replace(drill.load, **changes), OWN_SURVEY, seed, options["predict"])


def _stamp() -> str:
    return time.strftime("%Y%m%d-%H%M%S")
