"""A class of students without phones: votes over HTTP at a steady rate, each written down before it
is sent.

A student names a vote before the first attempt and repeats it under the same name until it is
acknowledged, refused for good, or given up. Some students change their vote later, some send the
same vote again on purpose. Every request has a connection of its own, as from another phone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from failover.core.text import whole_number
from failover.drills.ledger import GaveUp, Intent, LedgerFile, Receipt, Refused, Run, Sent, Try
from failover.drills.vote_names import name_vote

FASTEST = 200.0
"""Votes a second: above what the web tier of one laptop takes, a ledger would measure the client.
"""
LONGEST_S = 600.0
MOST_TRIES = 8
GIVE_UP_S = 30.0
"""How long one vote is repeated, from its first try."""
REPLY_TIMEOUT_S = 10.0
"""Well above the application's own deadline (3 s): the client must not be what ends a request."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0


class CannotVote(Exception):
    """The class cannot begin; one line that a person can act on."""


@dataclass(frozen=True)
class Load:
    """`rate` votes a second for `seconds`. `changes` and `repeats` are shares (0 to 1) of all
    votes.
    """

    rate: float = 20.0
    seconds: float = 20.0
    changes: float = 0.1
    repeats: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.rate <= FASTEST:
            raise CannotVote(f"a rate is above 0 and at most {FASTEST:g} votes a second, not {self.rate:g}")
        if not 0 < self.seconds <= LONGEST_S:
            raise CannotVote(f"a class votes for more than 0 and at most {LONGEST_S:g} s, not {self.seconds:g}")
        if min(self.changes, self.repeats) < 0 or self.changes + self.repeats > 1:
            raise CannotVote("changes and repeats are shares of all votes, together at most 1")

    @property
    def votes(self) -> int:
        """How many votes are sent, without the repeats of failed ones."""
        return max(1, round(self.rate * self.seconds))


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


@dataclass
class Student:
    """One voter; votes one at a time."""

    last: Sent
    busy: bool = False


@dataclass
class Progress:
    """What became of the votes so far, counted by name; a repeat on purpose counts as one more."""

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
    """The students of one run against the application at `url`. `chance` decides who does what and
    answers what.
    """

    url: str
    code: str
    book: LedgerFile
    chance: random.Random = field(default_factory=random.Random)
    progress: Progress = field(default_factory=Progress)
    voters: str = field(default_factory=lambda: f"student-{secrets.token_hex(4)}-")
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """No new vote is begun; what is under way is waited for. To be called in the loop's own
        thread.
        """
        self._over.set()

    async def vote(self, load: Load) -> None:
        """Runs the load to its end and waits for what is under way. Raises CannotVote before the
        first vote only.
        """
        # Phones do not share connections, and no proxy may stand between the students and this
        # machine.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(trust_env=False, limits=limits, timeout=REPLY_TIMEOUT_S) as client:
            survey = await self._survey(client)
            self._students: list[Student] = []
            self._questions = survey["questions"]
            if not survey["allow_change"]:
                load = replace(load, changes=0.0)
            self.book.write(Run(survey["code"], self.voters, bool(survey["allow_change"]), time.time()))
            began = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for number in range(load.votes):
                    # Due by the plan, not after the last reply: a slow application must not make
                    # the load smaller.
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._over.wait(), began + number / load.rate - time.monotonic())
                    if self._over.is_set():
                        break
                    student = self._turn(load)
                    student.busy = True
                    self.book.write(student.last)
                    self.progress.sent += 1
                    group.create_task(self._send(client, student))

    async def _survey(self, client: httpx.AsyncClient) -> Mapping[str, Any]:
        try:
            reply = await client.get(f"{self.url}/api/v1/surveys/{self.code}/")
        except httpx.TransportError as error:
            raise CannotVote(f"{self.url} does not answer ({error or type(error).__name__})") from error
        if reply.status_code != httpx.codes.OK:
            raise CannotVote(f"survey {self.code} cannot be read: {_word_of(reply)} ({reply.status_code})")
        survey: Mapping[str, Any] = reply.json()
        return survey

    def _turn(self, load: Load) -> Student:
        """Chooses the student who votes now: a new one, or one who has voted and waits for no
        reply.
        """
        free = [student for student in self._students if not student.busy]
        drawn = self.chance.random()
        if free and drawn < load.changes + load.repeats:
            student = self.chance.choice(free)
            if drawn < load.repeats:
                student.last = replace(student.last, intent=Intent.REPEAT, at=time.time())
            else:
                student.last = self._new_vote(student.last.voter, Intent.CHANGE, above=student.last.vote_id)
            return student
        student = Student(self._new_vote(f"{self.voters}{len(self._students):05d}", Intent.FIRST))
        self._students.append(student)
        return student

    def _new_vote(self, voter: str, intent: Intent, *, above: str | None = None) -> Sent:
        now = time.time()
        name = name_vote(int(now * 1000), self.chance.getrandbits, above=above)
        return Sent(voter, name, answers(self._questions, self.chance), intent, now)

    async def _send(self, client: httpx.AsyncClient, student: Student) -> None:
        try:
            await self._until_answered(client, student.last)
        finally:
            student.busy = False

    async def _until_answered(self, client: httpx.AsyncClient, sent: Sent) -> None:
        """Sends the vote until it is acknowledged, refused, or given up, always under the same
        name.
        """
        began = time.monotonic()
        for number in range(1, MOST_TRIES + 1):
            reply, tried = await self._try(client, sent, number)
            self.book.write(tried)
            elapsed = time.monotonic() - began
            if reply is not None and reply.is_success:
                receipt = _receipt(sent, reply, number, elapsed * 1000)
                self.book.write(receipt)
                self.progress.regions[receipt.region] += 1
                return
            if not tried.failed:
                self.book.write(Refused(sent.vote_id, tried.http, tried.said, time.time()))
                self.progress.refused += 1
                return
            wait = self._wait(reply, number)
            if number == MOST_TRIES or elapsed + wait > GIVE_UP_S:
                self.book.write(GaveUp(sent.vote_id, number, elapsed * 1000, time.time()))
                self.progress.failed += 1
                return
            await asyncio.sleep(wait)

    async def _try(self, client: httpx.AsyncClient, sent: Sent, number: int) -> tuple[httpx.Response | None, Try]:
        began = time.monotonic()
        body = {"voter": sent.voter, "vote_id": sent.vote_id, "answers": dict(sent.answers)}
        reply = None
        try:
            reply = await client.post(f"{self.url}/api/v1/surveys/{self.code}/ballots", json=body)
        except httpx.TransportError as error:
            http, word = 0, type(error).__name__
        else:
            http, word = reply.status_code, _word_of(reply)
            if reply.is_success and not _is_receipt(reply, sent):
                # A success that does not say which vote it is about acknowledges nothing.
                reply, http, word = None, 0, f"{http} without this vote's receipt"
        return reply, Try(sent.vote_id, number, http, word, (time.monotonic() - began) * 1000, time.time())

    def _wait(self, reply: httpx.Response | None, number: int) -> float:
        """The pause in s: what the reply asks for, or twice the pause before. It is jittered, so
        that a class does not come back all at once.
        """
        asked = whole_number(reply.headers.get("Retry-After", "")) if reply is not None else None
        base = FIRST_WAIT_S * 2 ** (number - 1) if asked is None else asked
        return min(base, LONGEST_WAIT_S) * self.chance.uniform(0.75, 1.25)


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


def _receipt(sent: Sent, reply: httpx.Response, tries: int, ms: float) -> Receipt:
    receipt = reply.json()
    return Receipt(
        vote_id=sent.vote_id,
        round=receipt["round"],
        region=receipt["region"],
        status=receipt["status"],
        http=reply.status_code,
        attempts=tuple(receipt["attempts"]),
        tries=tries,
        ms=ms,
        at=time.time(),
    )


def _is_receipt(reply: httpx.Response, sent: Sent) -> bool:
    """Whether the reply is a complete receipt for this vote."""
    try:
        body = reply.json()
        whole = {"vote_id", "round", "region", "status", "attempts"} <= body.keys()
    except (ValueError, AttributeError):
        return False
    return whole and bool(body["vote_id"] == sent.vote_id)


def _word_of(reply: httpx.Response) -> str:
    """A reply in a word or a sentence: the status of a receipt, the reason of a refusal."""
    try:
        body = reply.json()
        return str(body.get("reason") or body.get("detail") or body.get("status") or reply.reason_phrase)
    except (ValueError, AttributeError):
        return reply.reason_phrase
