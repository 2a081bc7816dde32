"""Hosts that each reach another region only. The last module of this folder: its failed attempts count for minutes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from failover.lab.control.client import LabClient
from tests.integration.demo import EAST, WEST
from tests.integration.many_hosts.conftest import Hosts
from tests.integration.many_hosts.hosts import Host, Instructor, new_survey
from tests.polls.views.builder_form import edit, fields
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


@pytest.mark.usefixtures("wired")
def test_what_hosts_wrote_that_each_reached_one_region_only_is_acknowledged_kept_and_shown(
    hosts: Hosts, instructor: Instructor
) -> None:
    first, second, _ = hosts
    texts = {first: "From the east?", second: "From the west?"}
    survey = new_survey()
    page, versions, lab = edit(survey), f"/admin/surveys/{survey.code}/versions/", LabClient(first.lab.dir)
    lab.set_fault(WEST, "replication-pause", seconds=120)
    try:
        with first.cut_off_from(WEST), second.cut_off_from(EAST):
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
