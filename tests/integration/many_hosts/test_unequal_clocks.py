"""Hosts whose clocks differ by five seconds and more: no lag, no fault, and no decision or vote is lost by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from failover.lab.control.client import LabClient
from failover.lab.network.gate import FrontLoop
from polls.ballots import selectors as ballot_selectors
from polls.ballots import vote_ids
from polls.surveys import selectors
from tests.integration.demo import EAST, PHONES, WEST
from tests.integration.many_hosts.conftest import Hosts
from tests.integration.many_hosts.hosts import (
    APART_S,
    Class,
    Host,
    Instructor,
    ahead_of_us_s,
    links,
    new_survey,
    settled,
    stopped_host,
)
from tests.polls.views.builder_form import fields
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def all_hosts(
    hosts: Hosts, loop: FrontLoop, accounts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Host, ...]]:
    """The two hosts and a third, small host, whose clock is five seconds behind."""
    true, ahead, _ = hosts
    with links(true.lab, loop) as gates:
        behind = stopped_host(
            true.lab, tmp_path_factory.mktemp("host-c"), gates, accounts=accounts, workers=1, ahead_s=-APART_S
        )
        with behind.monitor(), behind.web():
            behind.await_ready()
            yield true, ahead, behind


def test_hosts_whose_clocks_differ_by_five_seconds_see_neither_lag_nor_fault(
    all_hosts: tuple[Host, ...], students: Class
) -> None:
    for host, ahead_s in zip(all_hosts, (0.0, APART_S, -APART_S), strict=True):
        # Both the monitor and a worker show that this clock really is wrong.
        host.await_status(
            lambda status, s=ahead_s: abs(ahead_of_us_s(status) - s) < 2, what="its clock is the wrong one"
        )
        before = time.time()
        vote = host.post_ballot("DEMO20", f"clock-of-{host.port}", {"q1": "o1"})
        named_at = vote_ids.time_ms(vote.json()["vote_id"]) / 1000 - ahead_s  # by our clock
        assert before - 1 < named_at < time.time() + 1
        host.await_status(lambda status: settled(status, EAST, APART_S / 2), what="all is well")
        assert set(students.vote(host, 4)) == {EAST}
        assert host.metric("failover_monitor_up") == 1


def test_whichever_clock_wrote_it_every_host_follows_the_later_decision(
    all_hosts: tuple[Host, ...], students: Class, instructor: Instructor
) -> None:
    true, ahead, behind = all_hosts
    epoch = max(host.status()["routing"]["epoch"] for host in all_hosts)
    before = {event["id"] for host in all_hosts for event in host.status()["events"]}
    # The first decision follows those of earlier tests, by the true clock.
    for writer, mode, region in (
        (behind, "pinned", WEST),
        (ahead, "pinned", EAST),
        (behind, "pinned", WEST),
        (true, "auto", EAST),
    ):
        epoch += 1
        wish = {"mode": mode, "region": region, "confirm": region, "reason": f"decision {epoch}"}
        instructor.post(writer, "/admin/failover/routing/", **wish)
        decided = (wish["reason"], region)
        for host in all_hosts:
            status = host.await_status(
                lambda status: (status["routing"]["reason"], status["routing"]["active"]) == decided,  # noqa: B023  (called at once)
                what=f"host {host.port} follows decision {epoch}",
            )
            assert status["routing"]["epoch"] == epoch
            students.await_votes_in(region, host)
    news = [event["kind"] for host in all_hosts for event in host.status()["events"] if event["id"] not in before]
    assert "routing-pinned" in news
    assert "routing-superseded" not in news


def test_an_empty_dns_record_moves_hosts_of_every_clock_and_its_return_brings_them_back(
    all_hosts: tuple[Host, ...], students: Class
) -> None:
    lab = LabClient(all_hosts[0].lab.dir)
    lab.set_fault(EAST, "dns-empty", seconds=90)
    try:
        for host in all_hosts:
            students.await_votes_in(WEST, host)  # every vote is acknowledged
            host.await_status(lambda status: status["routing"]["active"] == WEST, what="it says so")
    finally:
        lab.clear(EAST)
    for host in all_hosts:
        host.await_status(lambda status: settled(status, EAST, APART_S / 2), what="all is well again")
        students.await_votes_in(EAST, host)


@pytest.mark.usefixtures("wired")
def test_the_latest_answer_of_a_voter_stands_whichever_hosts_clock_named_it(
    all_hosts: tuple[Host, ...], instructor: Instructor
) -> None:
    _, ahead, behind = all_hosts
    survey = new_survey()
    voter = "five-seconds-apart"
    assert ahead.post_ballot(survey.code, voter, {"q1": "o1"}).status_code == 201
    changed = behind.post_ballot(survey.code, voter, {"q1": "o2"})
    assert (changed.status_code, changed.json()["status"]) == (200, "changed")
    assert ahead.post_ballot(survey.code, voter, {"q1": "o1"}).json()["status"] == "changed"
    page = f"/s/{survey.code}/"
    with httpx.Client(trust_env=False, timeout=30) as browser:  # its token carries the last vote from host to host
        for host, option in ((ahead, "o1"), (behind, "o2")):
            form = fields(browser.get(host.url(page))) | {"q_q1": option}
            assert browser.post(host.url(page), data=form).headers["Location"] == f"{page}receipt/"

    def stands() -> list[tuple[bool, object]]:
        ballots = ballot_selectors.ballots(survey).value
        return sorted((ballot.voter != voter, ballot.answers["q1"]) for ballot in ballots)

    # On a busy machine a vote may have gone to the other region, whose copy is on its way.
    wait_until(lambda: stands() == [(False, "o1"), (True, "o2")], within=20, what="each voter's latest answer stands")

    instructor.post(ahead, f"/admin/surveys/{survey.code}/close/")
    instructor.post(behind, f"/admin/surveys/{survey.code}/open/")
    for host in all_hosts:
        state = host.url(f"/api/v1/surveys/{survey.code}/")
        wait_until(
            lambda at=state: PHONES.get(at).json()["state"] == "open", within=20, what="it is open on every host"
        )
    assert selectors.found_now(survey.code).survey.is_open
