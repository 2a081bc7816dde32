"""A decision that was sent, and of which no region says whether it took it: nobody is told that
nothing was changed.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from failover import gateway, wiring
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST, Behaviour

Wired = Callable[[Behaviour, Behaviour], None]
NO_ROWS = faulty.reply(200, {"Items": [], "Count": 0, "ScannedCount": 0})
DENIED = faulty.refusal("AccessDeniedException")


def on_a_write(then: bytes | None) -> Behaviour:
    """A region that holds no row. A write it answers with `then`, or takes it and is cut off before
    it replies.
    """

    def behave(connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            is_write = b'"Item"' in faulty.read_request(connection)
            if is_write and then is None:
                return
            connection.sendall(then if is_write and then is not None else NO_ROWS)

    return behave


loses_the_reply, refuses = on_a_write(None), on_a_write(DENIED)


@pytest.fixture
def regions(tmp_path: Path) -> Iterator[Wired]:
    """Wires this process to two regions with the given behaviours."""

    with ExitStack() as until_the_end:

        def wire(east: Behaviour, west: Behaviour) -> None:
            ports = {
                name: until_the_end.enter_context(faulty.server(behave))
                for name, behave in ((EAST, east), (WEST, west))
            }
            until_the_end.enter_context(wiring.using(faulty.make_config(tmp_path, ports, timeout=faulty.PATIENT_S)))

        yield wire


@pytest.mark.parametrize(
    ("east", "west"),
    [
        pytest.param(loses_the_reply, loses_the_reply, id="both replies are lost"),
        pytest.param(refuses, loses_the_reply, id="one region refuses, the other's reply is lost"),
        pytest.param(on_a_write(faulty.refusal("InternalServerError", status=500)), refuses, id="a server's error"),
    ],
)
def test_a_decision_whose_outcome_nobody_tells_is_unknown(east: Behaviour, west: Behaviour, regions: Wired) -> None:
    regions(east, west)
    with pytest.raises(gateway.RoutingUnknown, match="no region said whether it took the decision: us-east-1 "):
        gateway.route("auto", None, actor="inés", reason="a drill")


def test_a_decision_that_every_region_refuses_is_known_not_to_be_made(regions: Wired) -> None:
    regions(refuses, refuses)
    with pytest.raises(gateway.FailoverError, match=r"^every region refused the call \(AccessDeniedException\)"):
        gateway.route("auto", None, actor="inés", reason="a drill")


def test_where_not_even_the_decisions_can_be_read_nothing_was_sent(regions: Wired) -> None:
    regions(faulty.closes, faulty.closes)
    with pytest.raises(gateway.NoRegionAnswered) as failed:
        gateway.route("auto", None, actor="inés", reason="a drill")
    assert not isinstance(failed.value, gateway.RoutingUnknown)


def test_the_command_says_that_it_is_not_known_and_where_to_look(regions: Wired) -> None:
    regions(loses_the_reply, loses_the_reply)
    with pytest.raises(CommandError) as failed:
        call_command("routing", "auto", "--reason", "a drill")
    assert failed.value.returncode == 1
    assert str(failed.value).startswith("it is not known whether this was changed, look with `manage.py regions`: no ")
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "It is not known whether this was changed: no region said whether it took the decision: us-east-1 "),
        ("de", "Es ist nicht bekannt, ob dies geändert wurde: keine Region hat gesagt, ob sie die Entscheidung "),
    ],
)
def test_the_page_says_that_it_is_not_known_and_where_to_look(
    language: str, sentence: str, regions: Wired, staff: Client
) -> None:
    regions(loses_the_reply, loses_the_reply)
    wish = {"mode": "auto", "reason": "a drill"}
    reply = staff.post("/admin/failover/routing/", wish, headers={"Accept-Language": language})
    html = reply.content.decode()
    assert reply.status_code == 503
    assert sentence in html
    assert "Nothing was changed" not in html
    assert 'value="a drill"' in html
