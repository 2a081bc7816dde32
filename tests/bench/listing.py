"""The first page of a list of a thousand large surveys, near and through the far region, beside reading them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from failover import gateway, wiring
from failover.conf import FailoverConfig
from polls.results import selectors as result_selectors
from polls.results.selectors import voters
from polls.surveys import listing, reader
from polls.surveys.listing import Shelf
from polls.surveys.merge import Row, change, put_on
from polls.surveys.models import ListingRow, SurveyRow
from polls.surveys.packing import packed
from polls.surveys.survey import first_values, from_row
from tests.bench.engine import REGIONS
from tests.bench.measure import interleaved
from tests.bench.report import Aim, Judged
from tests.bench.report import Row as Figure
from tests.processes import running, wait_while_running
from tests.waiting import wait_until

SURVEYS, TENTH = 1_000, 100
RTT_MS = 70
ROUNDS, WITHIN_S = 7, 120.0
AIM = Aim(300, judged=Judged.OURS)
NOTE = (
    f"Lists: {SURVEYS:,} surveys of 170 KB in both regions of a lab, the second one {RTT_MS} ms away; what the page of "
    "the list reads (places, small rows, voters of each) in this process, the voters never from the cache. The "
    f"peer is what the list did before: it read and parsed the definitions, here of {TENTH} surveys, a tenth of them."
)


def rows(folder: Path) -> tuple[list[Figure], list[str]]:
    """The measured rows, and the notes."""
    with running("lab", lab_dir=folder, LAB_RTT_MS=str(RTT_MS)) as process:
        wait_while_running(process, (folder / "app.env").exists, within=60, what="the lab is ready")
        variables = dict(line.split("=", 1) for line in (folder / "app.env").read_text().splitlines())
        raw = {name: variables[f"FAILOVER_{name}"] for name in ("REGIONS", "ENDPOINTS", "NAMESERVER")}
        config = FailoverConfig.parse({**raw, "RUN_DIR": str(folder / "bench"), "READ_TIMEOUT_S": "10"})
        _prepare(config)
        near = replace(config, read_timeout_s=1.0)
        far = replace(near, regions=REGIONS[1:])
        variants: dict[str, Callable[[], float]] = {
            "both": lambda: _timed(near, _page),
            "far": lambda: _timed(far, _page),
            "all": lambda: _timed(replace(config, regions=REGIONS[:1]), _full),
        }
        for warm in variants.values():
            warm()
        measured = interleaved(variants, rounds=ROUNDS, within=WITHIN_S)
    peer = f"a full read of {TENTH}"
    what = f"first page of a list of {SURVEYS:,} large surveys"
    return [
        Figure(f"{what}, both regions", peer, "ms", measured["both"], measured["all"], AIM),
        Figure(f"{what}, far region alone", peer, "ms", measured["far"], measured["all"], AIM),
    ], [NOTE]


def _timed(config: FailoverConfig, read: Callable[[], None]) -> float:
    """Milliseconds of the second time: connections are open then, as in a worker that serves."""
    with wiring.using(config):
        result_selectors._voters_counted = type(result_selectors._voters_counted)(
            result_selectors._voters, fresh_s=0.0, monotonic=time.monotonic, survives=gateway.NoRegionAnswered
        )
        read()
        began = time.perf_counter()
        read()
        return (time.perf_counter() - began) * 1000


def _page() -> None:
    page = listing.page().value
    assert len(page.surveys) == listing.PAGE
    voters([listed.survey for listed in page.surveys])


def _full() -> None:
    with gateway.at(REGIONS[0]):
        read = [from_row(str(item.code), item.row()) for item in SurveyRow.scan(limit=TENTH)]
    assert len(read) == TENTH


def _prepare(config: FailoverConfig) -> None:
    """Writes the same items to the first region alone: replication brings them to the other."""
    with wiring.using(config) as wired:
        for region in config.regions[:1]:
            for table, item in _items():
                wired.clients[region].put_item(TableName=table, Item=item)
        wait_until(_is_everywhere, within=180, what="both regions hold every survey and its small row")


def _is_everywhere() -> bool:
    held = gateway.everywhere(lambda _bound: list(ListingRow.query(f"L{SURVEYS - 1:05}")), timeout=5.0)
    return len(held) == len(REGIONS) and all(held.values())


def _items() -> Iterator[tuple[str, dict[str, Any]]]:
    options = [f"{place} {'x' * 190}" for place in range(30)]
    questions = [{"text": f"Q{place}", "kind": "single", "options": options} for place in range(28)]
    values = first_values(reader.parse({"title": "A large survey", "questions": questions}), now_s=time.time())
    row = put_on(None, change(Row(), values, now_ms=1, new_round=True), region=REGIONS[0])
    fields, small = packed(row), listing.condensed(row)
    for number in range(SURVEYS):
        about: dict[str, Any] = {"round": row.round, "shelf": Shelf.SHOWN.value, "updated_at": 1_000 + number}
        for model, kept in ((SurveyRow, fields), (ListingRow, small)):
            item = model(f"L{number:05}", REGIONS[0], fields=kept, updated_in=REGIONS[0], **about)
            yield model.Meta.table_name, item.to_dynamodb_dict()
