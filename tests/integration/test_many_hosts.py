"""Hosts on the same tables, each with a monitor and web workers, and with clocks that differ by five seconds: one
survey, one routing, one sum of all.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover import gateway
from failover.adapters import control_store
from failover.lab.control.client import LabClient
from failover.lab.network.gate import FrontLoop
from polls.ballots import selectors as ballot_selectors
from polls.ballots import vote_ids
from polls.surveys import reader, selectors
from polls.surveys.models import SurveyRow
from polls.surveys.services import survey_create
from polls.surveys.survey import Survey
from tests.conftest import Lab
from tests.integration.demo import EAST, PHONES, WEST
from tests.integration.hosts import (
    HEARTBEAT_S,
    WORKERS,
    Class,
    Host,
    Instructor,
    ahead_of_us_s,
    links,
    settled,
    stopped_host,
)
from tests.polls.views.builder_form import edit, fields
from tests.processes import manage
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

COUNTERS = re.compile(r"_(total|count|bucket)$")
APART_S = 5.0
ACCOUNT = ("instructor", "many hosts")
ACCOUNTS = f"""
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0)
User.objects.create_superuser({ACCOUNT[0]!r}, password={ACCOUNT[1]!r})
"""


@pytest.fixture(scope="module")
def accounts(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The accounts of every host: one instructor."""
    path = tmp_path_factory.mktemp("accounts") / "db.sqlite3"
    done = manage("shell", "-c", ACCOUNTS, lab_dir=lab.dir, DJANGO_SQLITE_PATH=str(path))
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def loop() -> Iterator[FrontLoop]:
    loop = FrontLoop()
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture(scope="module")
def hosts(
    lab: Lab, loop: FrontLoop, accounts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Host, Host, dict[str, Any]]]:
    """Two hosts, the second five seconds ahead of the first, and the monitor of the first, which a test may replace."""
    with contextlib.ExitStack() as stack:
        found, monitors, webs = [], [], []
        for name, ahead_s in (("a", 0.0), ("b", APART_S)):
            ways = stack.enter_context(links(lab, loop))
            made = stopped_host(lab, tmp_path_factory.mktemp(f"host-{name}"), ways, accounts=accounts, ahead_s=ahead_s)
            monitors.append(stack.enter_context(made.monitor()))
            webs.append(stack.enter_context(made.web()))
            found.append(made)
        found[0].manage("survey", "import", "polls/demo_survey.json")
        for one in found:
            one.await_ready()
        yield found[0], found[1], {"monitor": monitors[0], "stack": stack}
        for web in webs:
            web.terminate()  # all at once: each takes its time


@pytest.fixture(scope="module")
def all_hosts(
    hosts: Hosts, loop: FrontLoop, accounts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Host, ...]]:
    """With a third, small one, that is five seconds behind the first."""
    one, other, _ = hosts
    with links(one.lab, loop) as ways:
        behind = stopped_host(
            one.lab, tmp_path_factory.mktemp("host-c"), ways, accounts=accounts, workers=1, ahead_s=-APART_S
        )
        with behind.monitor(), behind.web():
            behind.await_ready()
            yield one, other, behind


@pytest.fixture(scope="module")
def students() -> Class:
    return Class()


@pytest.fixture
def instructor(hosts: Hosts) -> Iterator[Instructor]:
    with httpx.Client(trust_env=False, timeout=30) as browser:
        yield Instructor(browser, hosts[0], *ACCOUNT)


Hosts = tuple[Host, Host, dict[str, Any]]


def test_each_dashboard_adds_up_both_hosts(hosts: Hosts, students: Class) -> None:
    one, other, _ = hosts
    before = [host.requests() for host in (one, other)]
    tried = one.attempts() + other.attempts()

    students.vote(one, 40)
    students.vote(other, 30)

    def both_show_all() -> bool:
        more = one.attempts() + other.attempts() - tried
        shown = [host.requests() - was for host, was in zip((one, other), before, strict=True)]
        return more >= 70 and shown == [more, more]

    wait_until(both_show_all, within=15, what="both dashboards show what the workers of both have tried")


@pytest.mark.usefixtures("wired")
def test_heartbeats_are_those_of_two_monitors_and_not_of_eight_workers(hosts: Hosts) -> None:
    def beats() -> set[tuple[str, str, int]]:
        with gateway.at(EAST):
            return {(beat.host, beat.origin, beat.seq) for beat in control_store.read_beats()}

    known, seen = beats(), set[tuple[str, str, int]]()
    began = time.monotonic()

    def over() -> bool:
        seen.update(beats())
        return time.monotonic() - began >= 4

    wait_until(over, within=20, what="four seconds of beats", every=0.02)
    span = time.monotonic() - began
    written = Counter((host, origin) for host, origin, _ in seen - known)

    assert len(written) == 4, written  # two hosts, each in two regions
    for pair, count in written.items():
        assert 3 <= count <= span / HEARTBEAT_S + 2, (pair, count)


def test_a_pin_on_one_host_moves_every_vote_on_both_that_begins_a_second_later(hosts: Hosts, students: Class) -> None:
    one, other, _ = hosts

    def everybody_votes_in(region: str) -> bool:
        return all(set(students.vote_until_every_worker_took_some(host)) == {region} for host in (one, other))

    def moved_within_a_second() -> bool:
        wait_until(lambda: everybody_votes_in(EAST), within=20, what="every worker follows the rules")
        one.manage("routing", "pin", WEST, "--reason", "a drill")
        pinned = time.monotonic()
        wait_until(lambda: time.monotonic() - pinned >= 1, within=20, what="a second is over", every=0.02)
        try:
            return everybody_votes_in(WEST)
        finally:
            one.manage("routing", "auto", "--reason", "over")

    wait_until(moved_within_a_second, within=120, what="a pin that every vote follows which begins a second later")


def test_a_worker_that_is_killed_is_replaced_and_no_counter_goes_back(hosts: Hosts, students: Class) -> None:
    one, other, _ = hosts
    before, last = one.workers(), one.figures()
    victim = max(before, key=lambda name: before[name])
    tried, shown = one.attempts(), other.requests()

    os.kill(int(victim.partition("-")[0]), signal.SIGKILL)

    def replaced() -> bool:
        nonlocal last
        students.vote(one, 4)
        now = one.figures()
        back = {key: (was, now.get(key)) for key, was in last.items() if COUNTERS.search(key[0]) and now[key] < was}
        assert not back
        last = now
        workers = one.workers()
        return (
            victim not in one.files.reports() and len(workers) == WORKERS and len(workers.keys() - before.keys()) == 1
        )

    wait_until(replaced, within=30, what="another worker runs")
    wait_until(lambda: one.figure("failover_workers") == WORKERS, within=20, what="as many as before")
    left = {path.name for path in (one.run_dir / "workers").iterdir()}
    assert not [name for name in left if name.startswith(victim)]
    wait_until(
        lambda: other.requests() - shown == one.attempts() - tried >= 8,
        within=15,
        what="the other host's dashboard has counted on with them",
    )


def test_a_monitor_that_is_killed_is_seen_to_be_silent_costs_no_vote_and_comes_back(
    hosts: Hosts, students: Class
) -> None:
    one, other, parts = hosts
    before = one.figures()
    shown = one.requests()
    parts["monitor"].kill()
    parts["monitor"].wait(10)

    wait_until(lambda: one.figure("failover_monitor_up") == 0, within=15, what="its silence is seen")
    names = {name for name, _ in one.figures()}
    assert not names & {"failover_circuit_state", "failover_region_active", "failover_replication_lag_seconds"}
    assert other.figure("failover_monitor_up") == 1
    students.vote_until_every_worker_took_some(one)

    parts["monitor"] = parts["stack"].enter_context(one.monitor())
    wait_until(lambda: one.figure("failover_monitor_up") == 1, within=30, what="another publishes")
    after = one.figures()
    back = {key: (was, after.get(key)) for key, was in before.items() if COUNTERS.search(key[0]) and after[key] < was}
    assert not back
    # What its workers did while nobody watched reaches the other host with the next beat.
    wait_until(lambda: other.requests() > shown, within=15, what="the other host hears of the votes")


def test_hosts_whose_clocks_differ_by_five_seconds_see_no_lag_and_no_fault_in_it(
    all_hosts: tuple[Host, ...], students: Class
) -> None:
    for one, ahead_s in zip(all_hosts, (0.0, APART_S, -APART_S), strict=True):
        # That its clock is really another one, the monitor says, and a worker.
        one.await_status(
            lambda status, s=ahead_s: abs(ahead_of_us_s(status) - s) < 2, what="its clock is the wrong one"
        )
        before = time.time()
        vote = one.post_ballot("DEMO20", f"clock-of-{one.port}", {"q1": "o1"})
        named = vote_ids.time_ms(vote.json()["vote_id"]) / 1000 - ahead_s  # by our clock
        assert before - 1 < named < time.time() + 1
        one.await_status(lambda status: settled(status, EAST, APART_S / 2), what="all is well")
        assert set(students.vote(one, 4)) == {EAST}
        assert one.figure("failover_monitor_up") == 1


def test_whichever_clock_wrote_it_every_host_follows_the_later_decision(
    all_hosts: tuple[Host, ...], students: Class, instructor: Instructor
) -> None:
    true, ahead, behind = all_hosts
    epoch = max(one.status()["routing"]["epoch"] for one in all_hosts)
    before = {event["id"] for one in all_hosts for event in one.status()["events"]}
    # The first comes after what earlier tests decided, by the true clock.
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
        for one in all_hosts:
            told = one.await_status(
                lambda status: (status["routing"]["reason"], status["routing"]["active"]) == decided,  # noqa: B023  (called at once)
                what=f"host {one.port} follows decision {epoch}",
            )
            assert told["routing"]["epoch"] == epoch
            students.await_votes_in(region, one)
    news = [event["kind"] for one in all_hosts for event in one.status()["events"] if event["id"] not in before]
    assert "routing-pinned" in news
    assert "routing-superseded" not in news


def test_an_empty_dns_record_moves_hosts_of_every_clock_and_its_return_brings_them_back(
    all_hosts: tuple[Host, ...], students: Class
) -> None:
    lab = LabClient(all_hosts[0].lab.dir)
    lab.set_fault(EAST, "dns-empty", seconds=90)
    try:
        for one in all_hosts:
            students.await_votes_in(WEST, one)  # each of them acknowledged
            one.await_status(lambda status: status["routing"]["active"] == WEST, what="it says so")
    finally:
        lab.clear(EAST)
    for one in all_hosts:
        one.await_status(lambda status: settled(status, EAST, APART_S / 2), what="all is well again")
        students.await_votes_in(EAST, one)


@pytest.mark.usefixtures("wired")
def test_what_was_said_last_stands_whichever_hosts_clock_named_it(
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
    with httpx.Client(trust_env=False, timeout=30) as browser:  # whose token carries the last vote from host to host
        for one, option in ((ahead, "o1"), (behind, "o2")):
            form = fields(browser.get(one.url(page))) | {"q_q1": option}
            assert browser.post(one.url(page), data=form).headers["Location"] == f"{page}receipt/"

    def stands() -> list[tuple[bool, object]]:
        ballots = ballot_selectors.ballots(survey).value
        return sorted((ballot.voter != voter, ballot.answers["q1"]) for ballot in ballots)

    # On a busy machine a vote may have gone to the other region, whose copy is on its way.
    wait_until(lambda: stands() == [(False, "o1"), (True, "o2")], within=20, what="the last word of each voter stands")

    instructor.post(ahead, f"/admin/surveys/{survey.code}/close/")
    instructor.post(behind, f"/admin/surveys/{survey.code}/open/")
    for one in all_hosts:
        state = one.url(f"/api/v1/surveys/{survey.code}/")
        wait_until(
            lambda at=state: PHONES.get(at).json()["state"] == "open", within=20, what="it is open on every host"
        )
    assert selectors.found_now(survey.code).survey.is_open


@pytest.mark.usefixtures("wired")
def test_what_two_hosts_wrote_that_each_reached_one_region_only_is_acknowledged_kept_and_shown(
    hosts: Hosts, instructor: Instructor
) -> None:
    one, other, _ = hosts
    texts = {one: "From the east?", other: "From the west?"}
    survey = new_survey()
    page, versions, lab = edit(survey), f"/admin/surveys/{survey.code}/versions/", LabClient(one.lab.dir)
    lab.set_fault(WEST, "replication-pause", seconds=120)
    try:
        with one.cut_off_from(WEST), other.cut_off_from(EAST):
            forms = {host: fields(instructor.get(host, page)) for host in texts}

            def save(host: Host) -> None:
                instructor.post(host, page, **{**forms[host], "q0-text": texts[host], "action": "save"})

            with ThreadPoolExecutor() as pool:
                list(pool.map(save, texts))
            for host, text in texts.items():
                assert fields(instructor.get(host, page))["q0-text"] == text
                assert instructor.get(host, versions).status_code == 302, "it cannot know of another version"
    finally:
        lab.clear(WEST)
    for host in texts:

        def both_are_shown(host: Host = host) -> bool:
            notices = [versions in instructor.get(host, path).text for path in ("/admin/surveys/", page)]
            shown = instructor.get(host, versions).text
            return all(notices) and all(text in shown for text in texts.values())

        wait_until(both_are_shown, within=30, what="both versions have come together")


def new_survey() -> Survey:
    """Of one question, made by this process, and known in both regions."""
    raw = {"title": "Split", "questions": [{"text": "Which?", "kind": "single", "options": ["one", "two"]}]}
    survey = survey_create(definition=reader.parse(raw))

    def copied() -> bool:
        with gateway.at(WEST):
            return bool(list(SurveyRow.query(survey.code)))

    wait_until(copied, within=20, what="the survey is copied")
    return survey
