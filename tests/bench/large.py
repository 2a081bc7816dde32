"""Surveys with very many ballots, in both regions' engines before the demo starts: what a busy semester leaves.

Every item is made by the application's own code (models, keys, digests, tallies) and written straight to the first
region's engine, ballots in batches of 25 as an import would: voting 100,000 times over HTTP takes ten minutes and
leaves the same items. The second engine gets a copy of what the first one saved when it was stopped, as if all were
replicated.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from failover import gateway, wiring
from failover.adapters.provision import create_missing
from failover.conf import FailoverConfig
from failover.lab.config import LabConfig
from failover.lab.engine.engine import Engine
from polls.ballots import services, vote_ids
from polls.ballots.models import BallotRow, shard_key, voter_key
from polls.surveys import reader
from polls.surveys.services import survey_create
from polls.surveys.survey import Survey
from polls.tallies import store
from polls.tallies.ports import Shard
from tests.bench.engine import REGIONS

FIRST, SECOND = REGIONS
MANY, FEW = 100_000, 100
BATCH, WRITERS, SAVE_S = 25, 3, 90.0
BIG, SMALL = "MANY22", "FEW222"
ARTICLE = {FEW: "article-few", MANY: "article-many"}


def prepare(folder: Path, many: int = MANY) -> None:
    """Leaves, in a demo's directory that no demo uses now, a survey of `many` ballots and one of FEW, counted, in both
    regions; and the peer's tables of as many votes.
    """
    with _engine_that_saves(folder) as url:
        # Batches take an engine longer than votes do.
        config = FailoverConfig(
            regions=(FIRST,),
            endpoints={FIRST: url},
            nameserver=None,
            run_dir=folder / "preparing",
            deadline_s=60.0,
            read_timeout_s=20.0,
        )
        with wiring.using(config) as wired:
            client = wired.clients[FIRST]
            for spec in gateway.tables():
                create_missing(client, spec)
            for code, number in ((BIG, many), (SMALL, FEW)):
                survey = survey_create(definition=reader.parse(_definition(code)))
                _write(client, BallotRow.Meta.table_name, _ballots(survey, number))
                count(survey)
            for number, table in ARTICLE.items():
                _article(client, table, many if number == MANY else number)
    lab = LabConfig(lab_dir=folder)
    _copy(lab.engine_dir(FIRST) / "data", lab.engine_dir(SECOND) / "data")


@contextlib.contextmanager
def _engine_that_saves(folder: Path) -> Iterator[str]:
    """The first region's engine; yields its URL. So many items take it longer to save than the lab would wait."""
    stopping = threading.Event()
    engine = Engine(LabConfig(lab_dir=folder), FIRST, on_crash=lambda _: None, stopping=stopping)
    try:
        running = engine.start()
        yield f"http://127.0.0.1:{running.port}"
        stopping.set()
        os.kill(running.pid, signal.SIGTERM)
        running.leash.wait(SAVE_S)
    finally:
        stopping.set()
        engine.stop()


def _copy(data: Path, other: Path) -> None:
    """The engine's own files of one region become another's: it scopes its tables by region, and names them by it.
    What is in the items stays.
    """
    other.mkdir(parents=True)
    files = list(data.glob("*.json"))
    assert files, "the engine saved nothing"
    for file in files:
        text = file.read_text()
        for scope in (r"\u0000{}\u0000", "arn:aws:dynamodb:{}:"):
            text = text.replace(scope.format(FIRST), scope.format(SECOND))
        (other / file.name).write_text(text)


def count(survey: Survey) -> None:
    """Counts every shard, as the region's function does, without the rests that leave the machine to voters."""
    recounter, scheme = store.recounter(FIRST), store.scheme_of(survey)
    for number in range(survey.shards):
        recounter.recount(Shard(survey.code, survey.round, number), scheme)


def _definition(code: str) -> dict[str, Any]:
    return {
        "title": "A survey of a whole semester",
        "code": code,
        "questions": [
            {"text": "Which?", "kind": "single", "options": ["One", "Two", "Three"]},
            {"text": "Which of these?", "kind": "multiple", "options": ["One", "Two", "Three"], "required": False},
            {"text": "How sure?", "kind": "rating", "scale": 5, "required": False},
        ],
    }


def _ballots(survey: Survey, number: int) -> Iterator[Mapping[str, Any]]:
    now_ms = int(gateway.clock.wall() * 1000)
    for place in range(number):
        voter, vote_id = f"semester-{place:08d}", vote_ids.mint(now_ms, place)
        answers = {"q1": f"o{place % 3 + 1}", "q2": ["o1", "o3"], "q3": 4}
        yield BallotRow(
            shard_key(survey.code, survey.round, voter, survey.shards),
            voter_key(voter, FIRST),
            vote_id=vote_id,
            digest=services.digest_of(answers),
            answers=answers,
            expires_at=survey.kept_until,
            updated_at=vote_ids.order(vote_id),
            updated_in=FIRST,
        ).to_dynamodb_dict()


def _article(client: Any, table: str, number: int) -> None:
    """The peer's table: a vote an item, of one choice among three buttons."""
    client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "voteId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "voteId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    votes = ({"voteId": {"S": f"vote-{place:08d}"}, "choice": {"S": f"o{place % 3 + 1}"}} for place in range(number))
    _write(client, table, votes)


def _write(client: Any, table: str, items: Iterator[Mapping[str, Any]]) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        # A round of batches at a time: the generator stays on this thread, and little of it in memory.
        while batches := [list(islice(items, BATCH)) for _ in range(40)]:
            if not batches[0]:
                return
            list(pool.map(partial(_put, client, table), filter(None, batches)))


def _put(client: Any, table: str, batch: list[Mapping[str, Any]]) -> None:
    reply = client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in batch]})
    assert not reply.get("UnprocessedItems"), "the engine took only a part of a batch"
