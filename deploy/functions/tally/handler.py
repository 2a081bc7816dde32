"""The tally function: AWS Lambda calls `handler` with what the stream of `survey-votes` says in its own region, and
once a minute on a schedule.

The lab runs the same file as a child process (`handler.py --stdin`): a JSON line in, `{"id": ..., "event": AWS's own
event}`, a JSON line out, `{"id": ..., "reply": ...}` or `{"id": ..., "error": "..."}`, in any order; it ends with its
input.

Environment: `AWS_REGION`, and the `FAILOVER_*` variables that the web tier has. No region but its own is bound.
`TALLY_LARGE_REST`: the lab's, see Projector; on AWS no large shard rests, because counting shares no machine with the
votes and a function that rests is paid for.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # in the zip that Lambda unpacks, it is beside us

from django.conf import settings

from failover import gateway
from polls.tallies import store
from polls.tallies.large_shards import Aside

REGION = os.environ["AWS_REGION"]

# Not the web tier's settings: counting needs no apps, no secrets and no accounts, and starts in half the time.
settings.configure(
    USE_I18N=False,
    FAILOVER={
        **{name.removeprefix("FAILOVER_"): text for name, text in os.environ.items() if name.startswith("FAILOVER_")},
        "REGIONS": REGION,
        # Only how it is started decides: no variable can shut it in on AWS, and none can let it out of the lab.
        "LOOPBACK_ONLY": "yes" if __name__ == "__main__" else "",
        "CLOSED": "",
        "RUN_DIR": os.environ.get("FAILOVER_RUN_DIR") or str(Path(tempfile.gettempdir()) / "survey-tally"),
    },
)

projector = store.projector(REGION, large_rest=float(os.environ.get("TALLY_LARGE_REST", "0")))


def handler(event: dict[str, Any], _context: object = None, *, aside: Aside | None = None) -> dict[str, Any]:
    """Counts again every shard that a record of the stream names; or, on a schedule, compares tallies with ballots:
    those of every open survey when the event's detail says "everything", as it should where signals were lost. Shards
    that are handed to `aside` are counted after the reply.

    Returns AWS's partial batch response: the records whose shards could not be counted now.
    """
    if "Records" not in event:
        swept = projector.sweep(everything=bool(event.get("detail", {}).get("everything")))
        return {"rounds": swept.rounds, "shards": swept.shards, "corrected": swept.corrected}
    told = [(record, store.shard_of(key_of(record))) for record in event["Records"]]
    shards = [shard for _record, shard in told if shard is not None]
    failed = projector.count(shards, aside=aside.put if aside else None)
    numbers = [record["dynamodb"]["SequenceNumber"] for record, shard in told if shard in failed]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}


def key_of(record: dict[str, Any]) -> str:
    """The partition key of the item that a record is about."""
    return str(record["dynamodb"]["Keys"]["shard"]["S"])


def serve(lines: TextIO, out: TextIO) -> None:
    """Answers one event after another until the input ends. A schedule's event runs beside the stream's, as in
    Lambda; large shards are counted aside, as they can be where a process lives on between its events.
    """
    writing = threading.Lock()

    def answer(asked: dict[str, Any]) -> None:
        try:
            told: dict[str, Any] = {"reply": handler(asked["event"], aside=aside)}
        except Exception as error:  # as Lambda: whatever a function raises, its caller is told
            told = {"error": f"{type(error).__name__}: {error}"}
        with writing:
            out.write(json.dumps({"id": asked["id"], **told}) + "\n")
            out.flush()

    gateway.regions()  # everything is loaded and wired before the first event
    aside = Aside(projector.count, clock=gateway.clock)
    beside = ThreadPoolExecutor(1, thread_name_prefix="schedule")
    for line in lines:
        asked = json.loads(line)
        if "Records" in asked["event"]:
            answer(asked)
        else:
            beside.submit(answer, asked)


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
    os._exit(0)  # nobody is left to read an answer: what is still counted will be counted again
