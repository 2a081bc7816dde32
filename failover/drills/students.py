"""A class of students without phones: votes over HTTP as a plan has them, each written down before it
is sent.

A student names a vote before the first attempt and repeats it under the same vote_id until it is
acknowledged, refused for good, or given up. With several strategies every vote is sent to each of
them at the same moment. Every request has a connection of its own, as from another phone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from failover.core.text import whole_number
from failover.drills.entries import GaveUp, Refused, Run, Sent, Try
from failover.drills.ledger import LedgerFile
from failover.drills.plan import CannotVote, Intent, Load, Turn, plan
from failover.drills.replies import Reply, asked, is_receipt, receipt_of, word_of
from failover.drills.vote_names import name_vote

REPLY_TIMEOUT_S = 10.0
"""Well above the application's own deadline (3 s): the client must not be what ends a request."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0


def loopback(url: str) -> str:
    """The URL without a trailing slash. Raises CannotVote for any host but this machine: this is a
    load generator.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        allowed = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        allowed = False
    if parts.scheme != "http" or not allowed:
        raise CannotVote(f"{url}: students vote on this machine only, as in --url http://127.0.0.1:8000/")
    return url.rstrip("/")


@dataclass(frozen=True)
class Arm:
    """One application to vote in: its strategy, where its stacks listen, and the survey's code.

    `regions` are those in which it keeps votes. A student uses one stack, and after a failure the
    next one.
    """

    strategy: str
    urls: tuple[str, ...]
    code: str
    regions: tuple[str, ...] = ()

    def ballots_url(self, number: int) -> str:
        """Where attempt or student `number` sends ballots."""
        return f"{self.urls[number % len(self.urls)]}/api/v1/surveys/{self.code}/ballots"


@dataclass
class Progress:
    """What became of the votes so far, counted by vote_id; a repeat on purpose counts as one more."""

    sent: int = 0
    refused: int = 0
    failed: int = 0
    regions: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        by_region = ", ".join(f"{region} {count}" for region, count in sorted(self.regions.items())) or "no region"
        waiting = self.sent - self.regions.total() - self.refused - self.failed
        return (
            f"{self.sent} sent, {self.regions.total()} acknowledged ({by_region}), {waiting} under way, "
            f"{self.refused} refused, {self.failed} failed"
        )


@dataclass
class Class:
    """The students of one run. `chance` decides who does what and answers what, for all arms alike."""

    arms: Sequence[Arm]
    book: LedgerFile
    chance: random.Random = field(default_factory=random.Random)
    drill: str = ""
    seed: int | None = None
    voters: str = field(default_factory=lambda: f"student-{secrets.token_hex(4)}-")
    progress: dict[str, Progress] = field(default_factory=dict)
    latest: dict[str, dict[str, str]] = field(default_factory=dict)
    """By strategy, each voter's latest acknowledged vote."""
    on_begin: Callable[[float], object] = lambda _began: None
    """Called when the first vote is about to be due, with the time from which dues count (epoch s)."""
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.progress = {arm.strategy: Progress() for arm in self.arms}
        self.latest = {arm.strategy: {} for arm in self.arms}

    def stop(self) -> None:
        """No new vote is begun; what is under way is waited for. To be called in the loop's own
        thread.
        """
        self._over.set()

    async def vote(self, load: Load) -> None:
        """Runs the load to its end and waits for what is under way. Raises CannotVote before the
        first vote only, and OSError when the ledger cannot be written.
        """
        problem = ""
        # Phones do not share connections, and no proxy may stand between the students and this
        # machine.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=REPLY_TIMEOUT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as client:
            surveys = [await _survey(client, arm) for arm in self.arms]
            self._questions = surveys[0]["questions"]
            if any(survey["questions"] != self._questions for survey in surveys):
                raise CannotVote("the surveys have different questions, and a vote is sent to all of them")
            may_change = all(survey["allow_change"] for survey in surveys)
            turns = plan(load, self.chance, may_change=may_change)
            self._began, began = time.time(), time.monotonic()
            self.book.write(
                Run(
                    surveys[0]["code"],
                    self.voters,
                    may_change,
                    self._began,
                    self.drill,
                    load.students,
                    load.rate,
                    self.seed,
                    {arm.strategy: arm.regions for arm in self.arms},
                )
            )
            self.on_begin(self._began)
            try:
                await self._play(client, turns, load, began)
            except* OSError as errors:  # only the ledger's: those of the network are replies that did not come
                problem = f"{self.book.path} cannot be written: {errors.exceptions[0]}"
        if problem:
            raise OSError(problem)

    async def _play(self, client: aiohttp.ClientSession, turns: Sequence[Turn], load: Load, began: float) -> None:
        """Sends each vote when it is due, and waits for all of them. `began` is on the monotonic clock."""
        last: dict[int, Sent] = {}
        async with asyncio.TaskGroup() as group:
            for turn in turns:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), began + turn.due_s - time.monotonic())
                if self._over.is_set():
                    break
                sent = last[turn.student] = self._sent(turn, last.get(turn.student))
                self.book.write(sent)
                for arm in self.arms:
                    self.progress[arm.strategy].sent += 1
                    group.create_task(self._until_answered(client, arm, sent, turn, load))

    def _sent(self, turn: Turn, before: Sent | None) -> Sent:
        now, due = time.time(), self._began + turn.due_s
        if before is not None and turn.intent in (Intent.REPEAT, Intent.DOUBLE):
            return Sent(before.voter, before.vote_id, before.answers, turn.intent, now, due)
        above = before.vote_id if before is not None else None
        vote_id = name_vote(int(now * 1000), self.chance.getrandbits, above=above)
        return Sent(
            f"{self.voters}{turn.student:05d}", vote_id, answers(self._questions, self.chance), turn.intent, now, due
        )

    async def _until_answered(
        self, client: aiohttp.ClientSession, arm: Arm, sent: Sent, turn: Turn, load: Load
    ) -> None:
        """Sends the vote until it is acknowledged, refused, or given up, always under the same
        vote_id.
        """
        progress = self.progress[arm.strategy]
        for number in range(1, load.tries + 1):
            reply, tried = await self._try(client, arm, sent, number, arm.ballots_url(turn.student + number - 1))
            self.book.write(tried)
            elapsed = time.time() - sent.due
            if reply is not None and reply.is_success:
                receipt = receipt_of(arm.strategy, sent, reply, number, elapsed * 1000)
                self.book.write(receipt)
                progress.regions[receipt.region] += 1
                latest = self.latest[arm.strategy]
                latest[sent.voter] = max(sent.vote_id, latest.get(sent.voter, ""))
                return
            if not tried.failed:
                self.book.write(Refused(sent.vote_id, tried.http, tried.said, time.time(), arm.strategy))
                progress.refused += 1
                return
            wait = self._wait(reply, number)
            if number == load.tries or elapsed + wait > load.patience_s:
                self.book.write(GaveUp(sent.vote_id, number, elapsed * 1000, time.time(), arm.strategy))
                progress.failed += 1
                return
            await asyncio.sleep(wait)

    async def _try(
        self, client: aiohttp.ClientSession, arm: Arm, sent: Sent, number: int, url: str
    ) -> tuple[Reply | None, Try]:
        began = time.monotonic()
        body = {"voter": sent.voter, "vote_id": sent.vote_id, "answers": dict(sent.answers)}
        reply = None
        try:
            reply = await asked(client, "POST", url, json=body)
        except (aiohttp.ClientError, OSError) as error:
            http, word = 0, type(error).__name__
        else:
            http, word = reply.status, word_of(reply)
            if reply.is_success and not is_receipt(reply, sent):
                # A success that does not say which vote it is about acknowledges nothing.
                reply, http, word = None, 0, f"{http} without this vote's receipt"
        ms = (time.monotonic() - began) * 1000
        return reply, Try(sent.vote_id, number, http, word, ms, time.time(), arm.strategy)

    def _wait(self, reply: Reply | None, number: int) -> float:
        """The pause in s: what the reply asks for, or twice the pause before. It is jittered, so
        that a class does not come back all at once.
        """
        asked = whole_number(reply.retry_after) if reply is not None else None
        base = FIRST_WAIT_S * 2 ** (number - 1) if asked is None else asked
        return min(base, LONGEST_WAIT_S) * self.chance.uniform(0.75, 1.25)


async def _survey(client: aiohttp.ClientSession, arm: Arm) -> Mapping[str, Any]:
    """The survey as the first stack of an arm that answers serves it. Raises CannotVote."""
    problem = ""
    for url in arm.urls:
        try:
            reply = await asked(client, "GET", f"{url}/api/v1/surveys/{arm.code}/")
            break
        except (aiohttp.ClientError, OSError) as error:
            problem = problem or f"{url} does not answer ({error or type(error).__name__})"
    else:
        raise CannotVote(problem)
    if not reply.is_success:
        raise CannotVote(f"survey {arm.code} cannot be read: {word_of(reply)} ({reply.status})")
    return reply.body


def answers(questions: list[Mapping[str, Any]], chance: random.Random) -> dict[str, Any]:
    """An answer to every question, in the form in which the application keeps it."""
    given: dict[str, Any] = {}
    for question in questions:
        options = [option["id"] for option in question.get("options", [])]
        match question["kind"]:
            case "single":
                given[question["id"]] = chance.choice(options)
            case "multiple":
                chosen = set(chance.sample(options, chance.randint(1, len(options))))
                given[question["id"]] = [option for option in options if option in chosen]
            case "rating":
                given[question["id"]] = chance.randint(1, question["scale"])
            case _:
                given[question["id"]] = f"answer {chance.randrange(1000)}"
    return given
