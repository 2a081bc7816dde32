"""The tally function: AWS Lambda calls `handler` with what the stream of `survey-votes` says in its
own region, and once a minute on a schedule.

The lab runs the same file as a child process (`handler.py --stdin`): a JSON line in, `{"id": ...,
"event": AWS's own event}`, a JSON line out, `{"id": ..., "reply": ...}` or `{"id": ..., "error":
"..."}`, in any order; it ends with its input.

Environment: `AWS_REGION`, and the `FAILOVER_*` variables that the web tier has. No region but its
own is bound. `TALLY_LARGE_REST` is set by the lab (see Recounter). On AWS no large shard rests:
counting shares no machine with the votes there, and a function that rests is paid for.
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
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # Lambda's zip has the packages beside this file

from django.conf import settings

from failover import gateway
from polls.tallies import store
from polls.tallies.large_shards import LargeShards

REGION = os.environ["AWS_REGION"]

# Not the web tier's settings: counting needs no apps, no secrets and no accounts, and starts in
# half the time.
settings.configure(
    USE_I18N=False,
    FAILOVER={
        **{name.removeprefix("FAILOVER_"): text for name, text in os.environ.items() if name.startswith("FAILOVER_")},
        "REGIONS": REGION,
        # Set by how the file is started, and by no variable: open on AWS, shut in the lab.
        "LOOPBACK_ONLY": "yes" if __name__ == "__main__" else "",
        "CLOSED": "",
        "RUN_DIR": os.environ.get("FAILOVER_RUN_DIR") or str(Path(tempfile.gettempdir()) / "survey-tally"),
    },
)

recounter = store.recounter(REGION, large_rest=float(os.environ.get("TALLY_LARGE_REST", "0")))


def handler(
    event: dict[str, Any], _context: object = None, *, large_shards: LargeShards | None = None
) -> dict[str, Any]:
    """Counts again every shard that a record of the stream names. Large shards are counted after
    the reply, where there is a queue for `large_shards`. Returns AWS's partial batch response: the
    records whose shards could not be counted.

    An event of the schedule has no records. It compares tallies with ballots and counts again what
    differs: the tallies of every open survey when the event's detail says "everything", as it
    should where signals were lost. Returns the numbers of rounds and shards compared, and of shards
    corrected.
    """
    if "Records" not in event:
        swept = recounter.sweep(everything=bool(event.get("detail", {}).get("everything")))
        return {"rounds": swept.rounds, "shards": swept.shards, "corrected": swept.corrected}
    records = [(record, store.shard_of(key_of(record))) for record in event["Records"]]
    shards = [shard for _record, shard in records if shard is not None]
    failed = recounter.count(shards, defer=large_shards.put if large_shards else None)
    numbers = [record["dynamodb"]["SequenceNumber"] for record, shard in records if shard in failed]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}


def key_of(record: dict[str, Any]) -> str:
    """The partition key of the item that a record is about."""
    return str(record["dynamodb"]["Keys"]["shard"]["S"])


def serve(lines: TextIO, out: TextIO) -> None:
    """Answers one event after another until the input ends. An event of the schedule runs beside
    those of the stream, as in Lambda. Large shards are counted after the reply: this process lives
    on between its events.
    """
    writing = threading.Lock()

    def answer(request: dict[str, Any]) -> None:
        try:
            answered: dict[str, Any] = {"reply": handler(request["event"], large_shards=large_shards)}
        except Exception as error:  # as in Lambda, the caller gets whatever the function raises
            answered = {"error": f"{type(error).__name__}: {error}"}
        with writing:
            out.write(json.dumps({"id": request["id"], **answered}) + "\n")
            out.flush()

    gateway.regions()  # everything is loaded and wired before the first event
    large_shards = LargeShards(recounter.count, clock=gateway.clock)
    schedule = ThreadPoolExecutor(1, thread_name_prefix="schedule")
    for line in lines:
        request = json.loads(line)
        if "Records" in request["event"]:
            answer(request)
        else:
            schedule.submit(answer, request)


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
    os._exit(0)  # nobody reads an answer now; whatever is still being counted will be counted again
