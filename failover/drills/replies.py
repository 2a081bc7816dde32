"""What an application answered to a student's request."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from failover.drills.entries import Receipt, Sent


@dataclass(frozen=True)
class Reply:
    """What an application answered. `body` is empty when it is no JSON object."""

    status: int
    reason: str
    retry_after: str
    body: Mapping[str, Any]

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300


async def asked(client: aiohttp.ClientSession, method: str, url: str, **request: Any) -> Reply:
    """A whole reply. Raises ClientError or OSError; a timeout is an OSError."""
    async with client.request(method, url, **request) as response:
        data = await response.read()
        try:
            body = json.loads(data)
        except ValueError:
            body = None
        members = body if isinstance(body, dict) else {}
        return Reply(response.status, response.reason or "", response.headers.get("Retry-After", ""), members)


def receipt_of(strategy: str, sent: Sent, reply: Reply, tries: int, ms: float) -> Receipt:
    """The reply as the ledger has it; `ms` since the vote was due."""
    receipt = reply.body
    return Receipt(
        vote_id=sent.vote_id,
        round=receipt["round"],
        region=receipt["region"],
        status=receipt["status"],
        http=reply.status,
        attempts=tuple(receipt["attempts"]),
        tries=tries,
        ms=ms,
        at=time.time(),
        recorded_at=_moment(receipt.get("recorded_at")),
        strategy=strategy,
    )


def _moment(text: object) -> float | None:
    """An ISO 8601 time with its zone in epoch s; None for anything else."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


def is_receipt(reply: Reply, sent: Sent) -> bool:
    """Whether the reply is a complete receipt for this vote."""
    is_whole = {"vote_id", "round", "region", "status", "attempts"} <= reply.body.keys()
    return is_whole and bool(reply.body["vote_id"] == sent.vote_id)


def word_of(reply: Reply) -> str:
    """A reply in a word or a sentence: the status of a receipt, the reason of a refusal."""
    body = reply.body
    return str(body.get("reason") or body.get("detail") or body.get("status") or reply.reason)
