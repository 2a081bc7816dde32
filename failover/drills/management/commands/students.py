"""``manage.py students CODE``: a class for an instructor without twenty phones."""

import asyncio
import itertools
import random
import signal
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from failover.conf import FailoverConfig
from failover.drills.checker import check
from failover.drills.entries import ROUTER
from failover.drills.exports import ExportFailed, converged, demo_url, survey_of
from failover.drills.figures import percentile, regions_served, waits_ms
from failover.drills.ledger import Ledger, LedgerDamaged, LedgerFile
from failover.drills.plan import CannotVote, Curve, Load
from failover.drills.students import Arm, Class, loopback

COULD_NOT_RUN = 2
CONVERGE_S = 60.0
PROGRESS_S = 5.0
OWN_SURVEY = Path(__file__).resolve().parents[2] / "class_survey.json"
"""Voters that nobody invited belong in a survey of their own, not among the answers of a class."""


class Command(BaseCommand):
    """Votes at a steady rate, and with ``--check`` looks for every acknowledged vote in every
    region.
    """

    help = (
        "Lets a class of students vote in a running demo. Exit 1: an acknowledged vote is missing or wrong (--check); "
        "2: it could not run."
    )
    requires_system_checks = ()  # it talks to the demo over HTTP, and must work while the application does not

    def add_arguments(self, parser: CommandParser) -> None:
        """Load, where to, and whether to look afterwards."""
        load = Load()
        parser.add_argument("code", metavar="CODE", nargs="?", help="default: a survey of the students' own, CLASS20")
        parser.add_argument("--rate", type=float, default=load.rate, help="votes a second (%(default)g; at most 200)")
        parser.add_argument(
            "--for", dest="seconds", type=float, default=load.seconds, help="seconds (%(default)g; at most 600)"
        )
        parser.add_argument("--students", type=int, help="so many vote in all; default: a new one for most votes")
        parser.add_argument(
            "--curve", choices=list(Curve), default=load.curve, help="%(default)s, or most votes soon as in a class"
        )
        parser.add_argument(
            "--url",
            action="append",
            help="the application on this machine; again for each stack. Default: the demo of LAB_DIR",
        )
        parser.add_argument("--ledger", type=Path, metavar="FILE", help="where to write down every vote")
        parser.add_argument("--seed", type=int, help="the same students and answers again")
        parser.add_argument(
            "--check", action="store_true", help="wait until the regions are equal, then look for every vote"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Vote, say it in a line, look."""
        try:
            load = Load(options["rate"], options["seconds"], options["students"], curve=options["curve"])
            urls = tuple(map(loopback, options["url"] or [demo_url(Path(settings.LAB_DIR))]))
            code = options["code"] or survey_of(OWN_SURVEY)
            ledger = self._vote(load, Arm(ROUTER, urls, code), options)
        except (CannotVote, LedgerDamaged, ExportFailed, OSError) as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from error
        if options["check"]:
            self._check(ledger)

    def _vote(self, load: Load, arm: Arm, options: dict[str, Any]) -> Ledger:
        path = options["ledger"] or _ledger_path(Path(settings.LAB_DIR))
        try:
            with LedgerFile(path) as book:
                lesson = Class([arm], book, random.Random(options["seed"]), seed=options["seed"])
                try:
                    asyncio.run(self._until_stopped(lesson, load))
                except KeyboardInterrupt:
                    self.stderr.write("Stopped in the middle; what was sent until then is in the ledger.")
        except FileExistsError:
            raise CannotVote(f"{path} exists already, and a ledger is never continued: name another") from None
        except CannotVote:
            path.unlink()
            raise
        ledger = Ledger.read(path)
        self.stdout.write(f"{_summary(ledger)}; ledger {path}, last digest {ledger.digest}")
        return ledger

    async def _until_stopped(self, lesson: Class, load: Load) -> None:
        """The first Ctrl-C lets every vote that is under way come to its end, the second does not."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            lesson.stop()
            loop.remove_signal_handler(signal.SIGINT)

        loop.add_signal_handler(signal.SIGINT, stop)
        reporting = loop.create_task(self._report(lesson))
        try:
            await lesson.vote(load)
        finally:
            reporting.cancel()

    async def _report(self, lesson: Class) -> None:
        """A line every few seconds, so that nobody wonders whether it runs."""
        for number in itertools.count(1):
            await asyncio.sleep(PROGRESS_S)
            self.stdout.write(f"{number * PROGRESS_S:4.0f} s: {lesson.progress[ROUTER]}")
            self.stdout.flush()

    def _check(self, ledger: Ledger) -> None:
        regions = FailoverConfig.parse(settings.FAILOVER).regions
        try:
            verdict = check(ledger, converged(ledger.run.code, regions, within_s=CONVERGE_S))
        except ExportFailed as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from error
        if not verdict.ok:
            raise CommandError(verdict.summary())
        self.stdout.write(f"Checked in {' and '.join(regions)}: {verdict.summary()}")


def _ledger_path(lab_dir: Path) -> Path:
    return lab_dir / "students" / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**6:06d}.jsonl"


def _summary(ledger: Ledger) -> str:
    """One line. A vote that was neither acknowledged nor refused counts as failed: its student does
    not know.
    """
    acknowledged = {receipt.vote_id for receipt in ledger.receipts}
    refused = {refusal.vote_id for refusal in ledger.refused} - acknowledged
    again = sum(attempt.number > 1 for attempt in ledger.tries)
    waits = waits_ms(ledger)
    served = ", ".join(f"{region} {count}" for region, count in regions_served(ledger).items()) or "no region"
    return (
        f"{len(ledger.votes)} votes by {len({vote.voter for vote in ledger.votes.values()})} students: "
        f"{len(acknowledged)} acknowledged, {len(refused)} refused, "
        f"{len(ledger.votes) - len(acknowledged) - len(refused)} failed, {again} times sent again; "
        f"worst {max(waits, default=0):.0f} ms, median {percentile(waits, 0.5) or 0:.0f} ms; served by {served}"
    )
