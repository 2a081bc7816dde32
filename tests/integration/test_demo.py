"""`manage.py demo`: one line when it is ready, one line when it cannot be, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from tests.processes import ROOT, free_port, manage, running, side_by_side
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

WEB = httpx.Client(trust_env=False, timeout=30)
VOTE = {"voter": "student-0001", "answers": {"q1": "o1"}}


@dataclass(frozen=True)
class Started:
    """A demo that is ready, and its ready line."""

    process: subprocess.Popen[str]
    lab_dir: Path
    port: int
    line: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pids(self) -> set[int]:
        """Every process that the demo lists as its own, engines included."""
        pids = json.loads((self.lab_dir / "demo.json").read_text())["pids"]
        engines = json.loads((self.lab_dir / "control.json").read_text())["engines"]
        return {*pids.values(), *(engine["pid"] for engine in engines.values())}

    def vote(self, **name: str) -> httpx.Response:
        return WEB.post(f"{self.url}/api/v1/surveys/DEMO20/ballots", json={**VOTE, **name})


def processes_of(lab_dir: Path) -> dict[int, str]:
    """The command line of every living process whose environment or command line names `lab_dir`, by pid."""
    needle, commands = str(lab_dir).encode(), {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
                if command and needle in command + (entry / "environ").read_bytes():
                    commands[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
            except (OSError, ProcessLookupError):
                continue
    return commands


def await_nothing_left(lab_dir: Path, pids: set[int], *, within: float) -> None:
    def gone() -> bool:
        return not processes_of(lab_dir) and not any(Path(f"/proc/{pid}/exe").exists() for pid in pids)

    wait_until(gone, within=within, what=f"no process is left ({processes_of(lab_dir)})")


def await_ready(process: subprocess.Popen[str], lab_dir: Path, port: int) -> Started:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("ready "):
            return Started(process, lab_dir, port, lines[-1])
    raise AssertionError(f"the demo ended: {lines}")


@pytest.fixture(scope="module")
def first(elsewhere: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A demo in a directory where another was killed, in a shell that is set up for other programs."""
    lab_dir, port = tmp_path_factory.mktemp("first"), free_port()
    dead = free_port()
    (lab_dir / "app.env").write_text(
        "FAILOVER_REGIONS=us-east-1,us-west-2\n"
        f"FAILOVER_ENDPOINTS=us-east-1=http://127.0.0.1:{dead},us-west-2=http://127.0.0.1:{dead}\n"
        f"FAILOVER_NAMESERVER=127.0.0.1:{dead}\nAWS_ACCESS_KEY_ID=old\nAWS_SECRET_ACCESS_KEY=old\n"
    )
    (lab_dir / "shadow").mkdir()
    lines = (line.partition("=") for line in (ROOT / ".env.example").read_text().splitlines() if line[:1].isalpha())
    environment = {name: text for name, _, text in lines}  # `set -a; . ./.env.example`
    environment |= {  # which gunicorn would read
        "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{elsewhere}",
        "WEB_CONCURRENCY": "many",
        "FORWARDED_ALLOW_IPS": "*",
        "SENDFILE": "maybe",
        "PYTHONPATH": str(lab_dir / "shadow"),
        "LISTEN_FDS": "1",
    }
    environment |= {
        "http_proxy": f"http://127.0.0.1:{dead}",
        "HTTP_PROXY": f"http://127.0.0.1:{dead}",
        "AWS_PROFILE": "no-such-profile",
    }
    environment |= {"PORT": str(port), "WORKERS": "1", "LAB_RTT_MS": "0", "LAB_DIR": str(lab_dir)}
    environment |= {"DEMO_PASSWORD": "correct horse", "DJANGO_SETTINGS_MODULE": "surveyapp.settings.lab"}
    with running("demo", **{**environment, "lab_dir": lab_dir}) as process:
        yield await_ready(process, lab_dir, port)


@pytest.fixture(scope="module")
def elsewhere() -> int:
    """A port on which a variable for gunicorn would open the first demo."""
    return free_port()


def test_the_ready_line_is_the_contracts_and_the_page_is_there(first: Started) -> None:
    assert first.line == (
        f"ready http://127.0.0.1:{first.port}/  survey DEMO20  admin http://127.0.0.1:{first.port}/admin/  "
        "user instructor  password correct horse"
    )
    assert WEB.get(f"{first.url}/s/DEMO20/").status_code == 200
    assert WEB.get(f"{first.url}/healthz/ready").json() == {"status": "ready", "region": "us-east-1"}


def test_a_variable_for_gunicorn_opens_no_other_port(first: Started, elsewhere: int) -> None:
    with socket.create_connection(("127.0.0.1", first.port), timeout=10):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", elsewhere), timeout=10)


def test_students_vote_in_a_survey_of_their_own(first: Started) -> None:
    done = manage("students", "--rate", "5", "--for", "1", "--check", lab_dir=first.lab_dir)

    assert done.returncode == 0, done.stderr
    assert "0 lost" in done.stdout
    listed = manage("survey", "list", lab_dir=first.lab_dir).stdout
    assert "CLASS20" in listed
    assert WEB.get(f"{first.url}/s/DEMO20/results.json").json()["voters"] == 0


def test_a_vote_is_taken_and_says_where(first: Started) -> None:
    reply = first.vote()

    assert reply.status_code in (200, 201), reply.text
    assert reply.headers["X-Served-Region"] == "us-east-1"
    assert re.fullmatch(r'us-east-1;desc="ok";dur=[\d.]+(, .*)?', reply.headers["Server-Timing"])


def test_a_vote_that_is_sent_in_chunks_is_taken_by_the_api_and_by_the_form(first: Started) -> None:
    body = json.dumps({**VOTE, "voter": "student-in-chunks"}).encode()
    reply = WEB.post(
        f"{first.url}/api/v1/surveys/DEMO20/ballots",
        content=iter([body[:20], body[20:]]),
        headers={"Content-Type": "application/json"},
    )
    assert reply.status_code == 201, reply.text

    with httpx.Client(trust_env=False, timeout=30) as phone:
        page = phone.get(f"{first.url}/s/DEMO20/").text
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        form = urlencode({**fields, "q_q1": "o1"}).encode()
        taken = phone.post(
            f"{first.url}/s/DEMO20/",
            content=iter([form[:20], form[20:]]),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    assert taken.status_code == 302, taken.text
    assert "receipt" in taken.headers["Location"]


def test_only_the_owner_can_read_its_secrets(first: Started) -> None:
    for name in ("secrets.env", "control.token"):
        assert (first.lab_dir / name).stat().st_mode & 0o077 == 0, name


def test_everything_but_the_web_tier_listens_on_loopback_only(first: Started) -> None:
    inodes = set()
    for pid in processes_of(first.lab_dir):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(handle))
            except FileNotFoundError:
                continue
    open_to_others = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            listening = fields[3] == "0A" if table.startswith("tcp") else fields[2].endswith(":0000")
            if listening and f"socket:[{fields[9]}]" in inodes and not fields[1].startswith("0100007F:"):
                open_to_others.append((table, fields[1]))

    assert open_to_others == []


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The only line that a demo printed which could not start."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("CommandError: ")


def test_a_second_demo_in_the_same_directory_is_refused_and_leaves_the_first_alone(first: Started) -> None:
    accounts = (first.lab_dir / "db.sqlite3").read_bytes()
    log = (first.lab_dir / "logs" / "lab.out").read_text()

    refusal = one_line(manage("demo", lab_dir=first.lab_dir, PORT=str(free_port())))

    assert "already running" in refusal
    assert (first.lab_dir / "demo.json").exists()
    assert (first.lab_dir / "app.env").exists()
    assert (first.lab_dir / "logs" / "lab.out").read_text() == log
    assert (first.lab_dir / "db.sqlite3").read_bytes() == accounts
    assert first.process.poll() is None
    assert WEB.get(f"{first.url}/healthz/ready").status_code == 200


def test_another_demo_runs_beside_it_keeps_its_ballots_and_leaves_nothing_behind(
    first: Started, tmp_path: Path
) -> None:
    port = free_port()
    with running("demo", lab_dir=tmp_path, PORT=str(port), WORKERS="1", LAB_RTT_MS="0") as process:
        second = await_ready(process, tmp_path, port)
        assert WEB.get(f"{first.url}/healthz/ready").status_code == 200
        voted = second.vote()
        assert voted.status_code == 201
        pids = second.pids()
        assert len(pids) >= 5

        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    await_nothing_left(tmp_path, pids, within=20)
    assert not any((tmp_path / name).exists() for name in ("app.env", "control.json", "control.token", "demo.json"))

    with running("demo", lab_dir=tmp_path, PORT=str(port), WORKERS="1", LAB_RTT_MS="0") as process:
        again = await_ready(process, tmp_path, port)
        repeated = again.vote(vote_id=voted.json()["vote_id"])
        assert (repeated.status_code, repeated.json()["status"]) == (200, "already-recorded")
        assert again.line == second.line  # the same password: nobody has to look for a new one in the next lesson
        assert (tmp_path / "demo-password").stat().st_mode & 0o077 == 0
        pids = again.pids()

        process.send_signal(signal.SIGKILL)
        process.wait(10)
        await_nothing_left(tmp_path, pids, within=30)
    assert WEB.get(f"{first.url}/healthz/ready").status_code == 200


CANNOT_WORK: list[tuple[dict[str, str], str]] = [
    ({"HOST": "foo"}, "HOST=foo: must be"),
    ({"WORKERS": "0"}, "WORKERS=0: must be a whole number from 1"),
    ({"STACKS": "3"}, "STACKS=3: "),
    ({"WORKERS": "9" * 5000}, "WORKERS=999"),
    ({"PORT": "http"}, "PORT=http: must be a whole number"),
    ({"LAB_RTT_MS": "far"}, "LAB_RTT_MS=far: not a number"),
    ({"ENGINE": "foo"}, "ENGINE=foo: must be one of"),
    ({"LAB_MINISTACK": "/nonexistent"}, "is not installed"),
    ({"LAB_MINISTACK": "/bin/false"}, "engine"),  # it ends at once
    ({"LAB_DIR": "/dev/null/lab"}, "LAB_DIR"),
]


def test_what_cannot_work_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    def run(case: tuple[int, tuple[dict[str, str], str]]) -> subprocess.CompletedProcess[str]:
        number, (environment, _) = case
        usual = {"lab_dir": tmp_path / str(number), "PORT": str(free_port())}
        return manage("demo", **{**usual, **environment})

    finished = side_by_side(run, enumerate(CANNOT_WORK))

    for (environment, expected), done in zip(CANNOT_WORK, finished, strict=True):
        assert expected in one_line(done), environment
    assert processes_of(tmp_path) == {}
    assert not list(tmp_path.glob("*/app.env"))


def test_a_port_in_use_is_one_line_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = manage("demo", lab_dir=tmp_path, PORT=str(port))

    assert f"port {port} cannot be used" in one_line(done)
    assert not (tmp_path / "logs").exists()


def test_a_demo_that_is_stopped_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with running("demo", lab_dir=tmp_path, PORT=str(free_port()), LAB_RTT_MS="0") as process:
        wait_until(lambda: (tmp_path / "logs" / "lab.out").exists(), within=30, what="the lab is being started")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    await_nothing_left(tmp_path, set(), within=20)
