"""A file system for one test, small enough to be filled."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

INODES = 600


@contextlib.contextmanager
def mounted(point: Path, *arguments: str) -> Iterator[Path]:
    """Mounts with `mount ARGUMENTS POINT` until the end of the block. Skips the test if this user may not mount."""
    point.mkdir()
    done = subprocess.run(["mount", *arguments, str(point)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT TESTED, a file system has to be mounted for it: {done.stderr.strip()}")
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


@contextlib.contextmanager
def small_disk(point: Path, *, megabytes: int = 24) -> Iterator[Path]:
    """An empty file system in memory."""
    with mounted(point, "-t", "tmpfs", "-o", f"size={megabytes}m,nr_inodes={INODES}", "tmpfs") as disk:
        yield disk


def fill(disk: Path) -> None:
    """Fills a disk until it takes neither another byte nor another file."""
    full = disk / "full"
    full.mkdir(exist_ok=True)
    # In ever smaller pieces. Another file's last block may still have room; see `fill_file`.
    for size in (1 << 20, 4096, 1):
        with contextlib.suppress(OSError), (full / f"blocks-{size}").open("ab", buffering=0) as handle:
            while True:
                handle.write(bytes(size))
    with pytest.raises(OSError, match="No space left"):
        _make_files(full)


def _make_files(folder: Path) -> None:
    for number in range(10 * INODES):
        (folder / f"file-{number}").touch()


def fill_file(path: Path) -> None:
    """On a full disk, fills the rest of a file's last block."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as handle:
        while True:
            handle.write(b"\n")


def make_room(disk: Path) -> None:
    """Removes the files that `fill` made."""
    for path in (disk / "full").iterdir():
        path.unlink()
