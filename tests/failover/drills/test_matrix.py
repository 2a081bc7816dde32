"""The matrix of faults: which runs there are, how it goes on, and what it says at the end."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from failover.drills import drill_files as drills
from failover.drills import matrix
from failover.drills.exports import ExportFailed
from failover.drills.matrix import Result
from failover.lab.faults.kinds import KINDS

RESULT = Result("dns-empty", "first", 0, 100, 0, 0, 0, 0.0, 500.0, 90.0)


def test_every_kind_is_played_in_both_regions_and_the_tls_kinds_apart() -> None:
    plain, tls = matrix.cells(3, tls=False), matrix.cells(3, tls=True)
    assert len(plain) + len(tls) == len(KINDS) * 2 * 3
    assert {cell.kind for cell in tls} == {kind.name for kind in KINDS if kind.needs_tls}
    assert len(set(plain)) == len(plain)
    assert [cell.repeat for cell in plain] == sorted(cell.repeat for cell in plain), "one whole round after another"


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_the_drill_of_each_cell_can_be_played(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cell.toml"
    path.write_text(matrix.DRILL.format(kind=kind, region="second"))
    assert drills.load(str(path)).timeline[0].kind == kind


def test_what_was_played_is_not_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every cell done no demo is started."""
    monkeypatch.setattr(matrix, "_demo", None)
    done = [
        replace(RESULT, kind=cell.kind, region=cell.region, repeat=cell.repeat)
        for tls in (False, True)
        for cell in matrix.cells(2, tls=tls)
    ]
    (tmp_path / "matrix.jsonl").write_text("".join(json.dumps(asdict(result)) + "\n" for result in done))
    assert matrix.play(tmp_path, 2, say=print) == done


def test_a_file_of_something_else_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "matrix.jsonl").write_text('{"kind": "dns-empty"}\n')
    with pytest.raises(ExportFailed, match="is not what a matrix writes"):
        matrix.results(tmp_path)


def test_the_table_has_medians_and_ranges_and_the_sum_of_what_was_lost() -> None:
    runs = [replace(RESULT, repeat=number, rto_ms=1000.0 * number, lost=number) for number in range(3)]
    runs.append(replace(RESULT, kind="hang", rto_ms=None, switched_ms=None))
    lines = list(matrix.table(runs))
    (dns,) = [line for line in lines if line.startswith("dns-empty")]
    (hang,) = [line for line in lines if line.startswith("hang")]
    assert "1 (0 to 2)" in dns
    assert dns.split()[:3] == ["dns-empty", "first", "3"]
    assert hang.endswith("never")
    assert lines[-1] == "4 runs, 400 votes: 3 lost, 0 duplicated"
