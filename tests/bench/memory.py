"""The memory of one worker over very many routed calls, while faults of its first region come and go."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dnslib import DNSRecord

from tests.bench.engine import REGIONS
from tests.bench.report import Aim, Judged, Row
from tests.failover.adapters import faulty, faulty_dns
from tests.processes import ROOT

CALLS, EVERY, WARM = 100_000, 5_000, 20_000
FAULT_S = 1.5
AIM = Aim(5, judged=Judged.WORST)
WELL = faulty.says(faulty.reply(200, {}))
MANNERS: tuple[faulty.Behaviour, ...] = (
    WELL,
    faulty.says(faulty.reply(500, {})),
    WELL,
    faulty.closes,
    WELL,
    faulty.resets,
    WELL,
    faulty.hangs,
    WELL,
    faulty.says(faulty.refusal("ThrottlingException")),
    WELL,
    faulty.drips,
)


class Fickle:
    """A region, and its name, that behave by turns; every `FAULT_S` seconds its connections end and another begins."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._manner: faulty.Behaviour = WELL
        self._answers = faulty_dns.loopback
        self._open: set[socket.socket] = set()

    def behave(self, connection: socket.socket, over: threading.Event) -> None:
        """What `faulty.server` gives each connection to."""
        self._open.add(connection)
        try:
            self._manner(connection, over)
        finally:
            self._open.discard(connection)

    def answer(self, question: DNSRecord) -> DNSRecord | None:
        """What `faulty_dns.nameserver` asks: only the first region's name has troubles."""
        return (self._answers if REGIONS[0] in str(question.q.qname) else faulty_dns.loopback)(question)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Within the block faults come and go."""
        thread = threading.Thread(target=self._change)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _change(self) -> None:
        names = itertools.cycle(
            (faulty_dns.loopback, faulty_dns.empty, faulty_dns.loopback, faulty_dns.servfail, faulty_dns.silence)
        )
        for manner in itertools.cycle(MANNERS):
            self._manner = manner
            self._answers = next(names) if manner is WELL else faulty_dns.loopback
            for connection in list(self._open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            if self._over.wait(FAULT_S):
                return


def rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The measured rows, and the notes."""
    if not Path("/proc/self/statm").exists():
        return [], ["Memory: not measured, this system has no /proc."]
    fickle = Fickle()
    with (
        faulty.server(fickle.behave) as first,
        faulty.server(WELL) as second,
        faulty_dns.nameserver(fickle.answer) as nameserver,
        fickle.changing(),
    ):
        asked = {
            "endpoints": {
                region: f"http://dynamodb.{region}.amazonaws.com:{port}"
                for region, port in zip(REGIONS, (first, second), strict=True)
            },
            "nameserver": nameserver,
            "run_dir": str(folder / "worker"),
            "calls": CALLS,
            "every": EVERY,
        }
        samples = list(_samples(asked))
    base = next(sample["mb"] for sample in samples if sample["calls"] == WARM)
    later = [sample["mb"] - base for sample in samples if sample["calls"] > WARM]
    assert len(later) == (CALLS - WARM) // EVERY, "the worker ended early"
    return [Row.alone(f"a worker's memory over {CALLS:,} routed calls, growth", "MB", later, AIM)], [
        _note(base, samples[-1]["outcomes"])
    ]


def _samples(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.bench.worker", json.dumps(asked)]
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                yield json.loads(line)
        finally:
            process.kill()


def _note(base: float, outcomes: dict[str, int]) -> str:
    counts = ", ".join(f"{name} {times:,}" for name, times in sorted(outcomes.items()))
    return (
        f"Memory: a worker process of its own makes {CALLS:,} routed puts, one thread, through gateway, router, pools, "
        "resolver, PynamoDB and botocore over real sockets to two stand-in servers and a nameserver; every "
        f"{FAULT_S:g} s the first region changes: well, 500, connection closed, reset, hang, throttling, drip, or a "
        f"DNS answer that is empty, an error or never comes. Resident memory after each {EVERY:,} calls, "
        f"less the {base:.0f} MB after the "
        f"first {WARM:,}. Attempts: {counts}."
    )
