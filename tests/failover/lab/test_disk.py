"""The warning that the lab's disk is nearly full."""

from pathlib import Path

from failover.lab.disk import LOW_DISK_BYTES, DiskWatch


def test_a_disk_that_is_nearly_full_is_said_once_each_time_that_it_gets_so(tmp_path: Path):
    free = iter([10 * LOW_DISK_BYTES, LOW_DISK_BYTES - 1, 5, LOW_DISK_BYTES, 7_000_000])
    watch = DiskWatch(tmp_path, usage=lambda _path: next(free))
    lines = [watch.line() for _ in range(5)]
    assert [bool(line) for line in lines] == [False, True, False, False, True]
    assert "has 7 MB left" in lines[4]


def test_the_real_disk_is_looked_at(tmp_path: Path):
    assert isinstance(DiskWatch(tmp_path).line(), str)
