"""One drill from its steady state to its report."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from failover.drills import exports
from failover.drills.drill import Drill
from failover.drills.exports import ExportFailed
from failover.drills.ledger import Ledger, LedgerFile
from failover.drills.plan import Load
from failover.drills.play import arms, finals, preflight, watchdog
from failover.drills.play.timeline import Timeline
from failover.drills.play.watching import Watching
from failover.drills.predict import Prediction, open_survey
from failover.drills.students import Arm, Class
from failover.drills.verify import STABLE_S
from failover.lab.control.client import LabClient
from failover.lab.files import DEMO_LOCK, DRILL_LOCK, DirLock, is_running

PROGRESS_S = 5.0


@dataclass(frozen=True)
class Order:
    """What a person asked for: the drill, and what of it is another than in its file."""

    drill: Drill
    strategies: tuple[str, ...]
    load: Load
    survey_file: Path
    seed: int
    predict_s: float = 0.0
    """How long a class may predict before the drill; 0: nobody is asked."""


@dataclass(frozen=True)
class Played:
    """A drill that was played to its end: its ledger, and the survey of its prediction."""

    ledger: Ledger
    prediction: Prediction | None = None


def play(
    order: Order, regions: tuple[str, ...], *, lab: LabClient, directory: Path, say: Callable[[str], object]
) -> Played:
    """Plays a drill and returns its ledger, which is in `directory`.

    Everything that it broke is put back, however it ends. Raises ExportFailed, LabError, CannotVote or
    KeyboardInterrupt when the drill could not be played to its end.
    """
    url = exports.demo_url(lab.lab_dir)
    alone = DirLock(lab.lab_dir, DRILL_LOCK, "drill")
    alone.take()
    try:
        return _play_alone(order, regions, lab=lab, directory=directory, url=url, say=say)
    finally:
        alone.release()


def _play_alone(
    order: Order,
    regions: tuple[str, ...],
    *,
    lab: LabClient,
    directory: Path,
    url: str,
    say: Callable[[str], object],
) -> Played:
    """Plays while no other drill does: each would measure what the other breaks."""
    preflight.await_steady(lab, say=say)
    prediction = _predict(order, url=url, scratch=lab.lab_dir / "drills", say=say) if order.predict_s else None
    code = exports.survey_of(order.survey_file)
    exports.output_of("survey", "reset", code, "--open")
    directory.mkdir(parents=True)
    with (
        watchdog.watching(lab.lab_dir),
        arms.running(order.strategies, regions, lab=lab, url=url, code=code, survey_file=order.survey_file) as running,
        LedgerFile(directory / "ledger.jsonl") as book,
    ):
        _vote(order, regions, running, lab=lab, book=book, say=say)
        say("reading every region")
        ledger = Ledger.read(book.path)
        for arm in running:
            for final in finals.read(ledger, arm, lab=lab):
                book.write(final)
    return Played(Ledger.read(directory / "ledger.jsonl"), prediction)


def _predict(order: Order, *, url: str, scratch: Path, say: Callable[[str], object]) -> Prediction:
    """Lets a class predict, and seals what it said before anything is broken. Raises ExportFailed."""
    prediction = open_survey(order.drill, order.strategies, url=url, scratch=scratch)
    say(f"predict at {prediction.page} (code {prediction.code}) for {order.predict_s:g} s")
    time.sleep(order.predict_s)
    prediction.seal()
    say("the predictions are sealed")
    return prediction


def _vote(
    order: Order,
    regions: Sequence[str],
    running: Sequence[Arm],
    *,
    lab: LabClient,
    book: LedgerFile,
    say: Callable[[str], object],
) -> None:
    """Lets the class vote while the timeline plays, and waits until the votes have arrived."""
    timeline = Timeline(order.drill, regions, running[0].code, lab=lab, book=book, say=say)
    lesson = Class(
        running,
        book,
        random.Random(order.seed),
        drill=order.drill.name,
        seed=order.seed,
        on_begin=timeline.start,
    )
    watching = Watching(running, regions, lab=lab, book=book)
    try:
        watching.start()
        asyncio.run(_class(lesson, order.load, timeline, lab_dir=lab.lab_dir, say=say))
        timeline.end()
        _await_arrivals(running, lesson, watching)
    finally:
        try:
            timeline.end()
        finally:
            watching.end()
    if timeline.problem or not timeline.is_complete:
        raise ExportFailed(timeline.problem or "the timeline was not played to its end")


async def _class(lesson: Class, load: Load, timeline: Timeline, *, lab_dir: Path, say: Callable[[str], object]) -> None:
    """Ctrl-C and SIGTERM end the drill; the votes that are under way come to their end."""
    loop, began = asyncio.get_running_loop(), time.monotonic()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        lesson.stop()
        loop.run_in_executor(None, timeline.end)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    voting = loop.create_task(lesson.vote(load))
    while not voting.done():
        await asyncio.wait([voting], timeout=PROGRESS_S)
        if not timeline.problem and not is_running(lab_dir, DEMO_LOCK):
            timeline.problem = f"the demo in LAB_DIR={lab_dir} has ended"
        if timeline.problem:
            lesson.stop()
        for strategy, progress in lesson.progress.items():
            say(f"{time.monotonic() - began:4.0f} s  {strategy}: {progress}")
    await voting
    if stopped:
        raise KeyboardInterrupt


def _await_arrivals(running: Sequence[Arm], lesson: Class, watching: Watching) -> None:
    """Wait until what was acknowledged has been seen in every region, or can no longer be stable."""
    deadline = time.monotonic() + STABLE_S + 1.0
    while time.monotonic() < deadline:
        latest = {arm.strategy: set(lesson.latest[arm.strategy].values()) for arm in running}
        if all(
            latest[arm.strategy] <= watching.arrived[arm.strategy, region] for arm in running for region in arm.regions
        ):
            return
        time.sleep(0.1)
