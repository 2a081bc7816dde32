"""The single-region application beside the demo: started by its first use, dark when its region is."""

import json
import os
import re
import signal
from collections.abc import Iterator

import httpx
import psutil
import pytest

from failover.lab.control.client import LabClient
from tests.integration.demo import Demo, demo_in
from tests.waiting import wait_until

pytestmark = pytest.mark.lab
BROWSER = httpx.Client(trust_env=False, timeout=30)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_in(tmp_path_factory.mktemp("stock"), LAB_RTT_MS="0") as demo:
        yield demo
    assert processes(demo) == [], "it ends with the demo"


def processes(demo: Demo) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if "failover.drills.stock" in " ".join(process.cmdline()) and str(demo.lab_dir) in str(process.environ()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def address(demo: Demo) -> str:
    """Where `/stock/` sends a browser, once it does."""

    def sent() -> str | None:
        reply = BROWSER.get(f"{demo.url}/stock/")
        assert reply.status_code in (200, 302)
        if reply.status_code == 200:
            assert '<a href="/stock/">' in reply.text
            return None
        return reply.headers["Location"]

    return wait_until(sent, within=60, what="the single-region application has started")


def test_it_is_started_by_its_first_use_and_not_before(demo: Demo) -> None:
    assert json.loads((demo.lab_dir / "demo.json").read_text())["stock"] is None
    assert processes(demo) == []
    page = BROWSER.get(address(demo))
    assert page.status_code == 200
    assert "Have you deployed anything to a cloud before?" in page.text
    assert len(processes(demo)) == 2, "gunicorn and its one worker"


def test_its_page_loads_our_style_sheets_and_nothing_else(demo: Demo) -> None:
    page = BROWSER.get(address(demo))
    assert f"style-src {demo.url}" in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    assert len(sheets) == 3
    assert {BROWSER.get(sheet).status_code for sheet in sheets} == {200}
    assert "<script" not in page.text


def test_it_goes_dark_with_its_region_while_ours_takes_votes(demo: Demo) -> None:
    url, vote = address(demo), {"q_q1": "o1"}
    assert "Your vote is recorded" in BROWSER.post(url, data=vote).text
    LabClient(demo.lab_dir).set_fault("us-east-1", "dns-empty", seconds=60)
    try:
        dark = BROWSER.post(url, data=vote)
        assert (dark.status_code, "Your vote could not be recorded" in dark.text) == (503, True)
        ours = httpx.post(
            f"{demo.url}/api/v1/surveys/DEMO20/ballots",
            json={"voter": "student-0001", "answers": {"q1": "o1"}},
            trust_env=False,
            timeout=30,
        )
        assert (ours.status_code, ours.json()["region"]) == (201, "us-west-2")
    finally:
        LabClient(demo.lab_dir).clear()
    assert "Your vote is recorded" in BROWSER.post(url, data=vote).text


@pytest.mark.parametrize(
    ("path", "host", "status"), [("x", None, 404), ("", "evil.example:80", 200), ("", '"><script>:1', 200)]
)
def test_what_it_is_sent_does_not_become_markup(demo: Demo, path: str, host: str | None, status: int) -> None:
    headers = {"Host": host, "Cookie": "stock_voter=<b>"} if host else {}
    page = BROWSER.get(f"{address(demo)}{path}", headers=headers)
    assert page.status_code in (status, 400)
    assert "<script" not in page.text
    assert "<b>" not in page.text


def test_its_end_does_not_end_the_demo_and_its_next_use_starts_it_again(demo: Demo) -> None:
    before = address(demo)
    for pid in processes(demo):
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: json.loads((demo.lab_dir / "demo.json").read_text())["stock"] is None,
        within=30,
        what="the demo has noticed",
    )
    assert BROWSER.get(f"{demo.url}/healthz/ready").status_code == 200
    assert BROWSER.get(address(demo)).status_code == 200
    assert before
