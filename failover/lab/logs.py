"""The logs of the lab and of its child processes, all in ``LAB_DIR/logs``."""

from __future__ import annotations

import logging
from pathlib import Path


def last_line(text: str) -> str:
    """The last line with words in it of what a child process printed."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def last_line_of(log: Path) -> str:
    """The last line with words in it of a log; a log that cannot be read counts as empty."""
    try:
        return last_line(log.read_text(errors="replace"))
    except OSError:
        return last_line("")


def log_to_file(lab_dir: Path) -> None:
    """Send the lab's log to ``logs/lab.log`` alone. The terminal shows only what a person needs."""
    folder = lab_dir / "logs"
    folder.mkdir(exist_ok=True)
    handler = logging.FileHandler(folder / "lab.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(message)s"))
    for name in ("failover.lab", "asyncio"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
