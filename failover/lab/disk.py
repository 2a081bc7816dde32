"""Warns when the disk that keeps the votes is nearly full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

LOW_DISK_BYTES = 200_000_000
"""Two engines' snapshots of 100,000 ballots, each beside the one that it replaces, and logs."""


class DiskWatch:
    """Has one line to say each time that the disk of a directory becomes nearly full.

    ``usage`` gives the free bytes of the disk that holds a path.
    """

    def __init__(self, lab_dir: Path, usage: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> None:
        self._lab_dir = lab_dir
        self._free = usage
        self._is_low = False

    def line(self) -> str:
        """A warning if the disk has become nearly full since the last call, otherwise ""."""
        free = self._free(self._lab_dir)
        was_low, self._is_low = self._is_low, free < LOW_DISK_BYTES
        if was_low or not self._is_low:
            return ""
        where = f"the disk of LAB_DIR={self._lab_dir} has {free // 1_000_000} MB left"
        return f"{where}: votes are in memory until the stop, which needs room to save them"
