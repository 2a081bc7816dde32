"""The answers that the processes of one host share through files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from failover.adapters.dns_cache import (
    MAX_TTL_S,
    AddressBook,
    Answer,
)
from failover.core.fakes import FakeClock
from tests.failover.adapters.names import GONE, HOST, STALE_S, Name, get, refusal, renew, with_book


def test_what_one_process_of_a_host_was_told_serves_one_that_has_just_started(
    clock: FakeClock, name: Name, tmp_path: Path
) -> None:
    monitor, worker = (with_book(clock, tmp_path / "book") for _ in range(2))
    renew(monitor, name)
    name.answer = GONE
    clock.wait(100)

    served = get(worker, name)

    assert (served.addresses, served.failure) == (("192.0.2.1",), GONE)


def test_the_later_answer_wins_whoever_got_it_and_whichever_would_live_longer(
    clock: FakeClock, name: Name, tmp_path: Path
) -> None:
    monitor, worker = (with_book(clock, tmp_path / "book") for _ in range(2))
    get(worker, name)
    clock.wait(STALE_S)
    name.answer = Answer(("192.0.2.2",), 60)
    get(worker, name)
    clock.wait(1)
    name.answer = Answer(("192.0.2.3",), 10)
    renew(monitor, name)
    name.answer = GONE
    clock.wait(60)

    assert get(worker, name).addresses == ("192.0.2.3",)


@pytest.mark.parametrize(
    "left",
    [
        "",
        "[]",
        "{",
        "null",
        json.dumps({"addresses": [], "ttl_s": 9, "at": 9e12}),
        json.dumps({"addresses": ["no address"], "ttl_s": 9, "at": 9e12}),
        json.dumps({"addresses": ["192.0.2.1"], "ttl_s": 9}),
        json.dumps({"addresses": ["192.0.2.1"], "ttl_s": 9, "at": "soon"}),
    ],
)
def test_a_page_of_the_book_that_makes_no_sense_is_no_page(
    left: str, clock: FakeClock, name: Name, tmp_path: Path
) -> None:
    (tmp_path / f"{HOST}.json").write_text(left)
    name.answer = GONE

    assert refusal(get, with_book(clock, tmp_path), name) == GONE.errno


def test_a_wall_clock_that_was_set_back_makes_no_answer_young_for_longer_than_any_may_be(
    clock: FakeClock, name: Name, tmp_path: Path
) -> None:
    AddressBook(tmp_path).save(HOST, Answer(("192.0.2.7",), 86_400), at=clock.wall() + 86_400)
    cache = with_book(clock, tmp_path)
    name.answer = GONE

    assert get(cache, name).addresses == ("192.0.2.7",)
    assert renew(cache, name).until == clock.wall() + MAX_TTL_S + STALE_S
    clock.wait((MAX_TTL_S + STALE_S) / 2)
    assert get(cache, name).addresses == ("192.0.2.7",)
    clock.wait((MAX_TTL_S + STALE_S) / 2)
    assert refusal(get, cache, name) == GONE.errno


def test_a_book_that_cannot_be_written_does_not_keep_a_name_from_resolving(
    clock: FakeClock, name: Name, tmp_path: Path
) -> None:
    (tmp_path / "book").write_text("a file where the directory should be")
    cache = with_book(clock, tmp_path / "book")

    assert get(cache, name).addresses == ("192.0.2.1",)
