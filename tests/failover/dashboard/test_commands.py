"""The same status and the same toggle on the command line."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from failover import gateway
from failover.adapters.control_store import read_decisions
from failover.core.fakes import FakeClock
from tests.failover.dashboard.conftest import Publish
from tests.failover.dashboard.documents import EAST, WEST, east_down, healthy


def output(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_regions_shows_sentence_layers_lag_and_alarms(monitor: Publish) -> None:
    monitor(east_down)
    printed = output("regions")
    lines = printed.splitlines()
    assert lines[0].startswith("Serving from us-west-2 since ")
    east = next(line for line in lines if line.startswith(f"{EAST} "))
    assert east.split()[:4] == [EAST, "unreachable", "open", "FAILED"]
    assert f"{WEST} *" in printed
    assert "us-east-1 dns: the name has no address" in printed
    assert "replication us-west-2 -> us-east-1: 12.4 s stalled" in printed
    assert "ALARM circuit us-east-1" in printed


def test_regions_as_json_is_the_document_itself(monitor: Publish) -> None:
    written = monitor(healthy)
    assert json.loads(output("regions", "--json")) == written


def test_regions_says_when_the_monitor_is_silent(monitor: Publish) -> None:
    monitor(healthy, age_s=60)
    assert output("regions").startswith("STALE: the monitor was last heard 60")


def test_regions_without_a_monitor_fails_with_one_line(run_dir: object) -> None:
    with pytest.raises(CommandError, match=r"^No monitor has reported on this host yet[^\n]*$") as failed:
        output("regions")
    assert failed.value.returncode == 1


class Impatient(FakeClock):
    """A clock whose owner presses Ctrl-C at the third wait."""

    waits = 0

    def wait(self, seconds: float) -> None:
        self.waits += 1
        if self.waits == 3:
            raise KeyboardInterrupt
        super().wait(seconds)


def test_watching_redraws_until_ctrl_c_and_ends_without_a_traceback(
    monitor: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor(healthy)
    monkeypatch.setattr(gateway, "clock", Impatient())
    printed = output("regions", "--watch", "--json")
    assert len(printed.splitlines()) == 3


def test_watching_waits_for_a_monitor_that_is_yet_to_come(run_dir: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "clock", Impatient())
    assert output("regions", "--watch").count("No monitor has reported") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("pin", "us-moon-1", "--reason", "why not"), 2, "us-moon-1 is not one of the regions: us-east-1, us-west-2"),
        (("pin", WEST), 2, "a reason is needed: --reason TEXT"),
        (("pin", WEST, "--reason", "  "), 2, "a reason is needed: --reason TEXT"),
        (("auto",), 2, "a reason is needed: --reason TEXT"),
        (("auto", "--reason", "\u200b"), 2, "a reason is needed: --reason TEXT"),
        (("auto", "--reason", "\udcfcbung"), 2, "the reason holds a character that cannot be shown: U+DCFC"),
        (("pin", WEST, "--reason", "\u202egnihton"), 2, "the reason holds a character that cannot be shown: U+202E"),
        (("pin", WEST, "--reason", "a\nb"), 2, "the reason holds a character that cannot be shown: U+000A"),
        (("auto", "--reason", "x" * 201), 2, "the reason is longer than 200 characters"),
        (("pin", EAST, "--reason", "why not"), 3, "refused: us-east-1 is unreachable"),
        (("auto", "--reason", "nobody answers"), 1, "nothing was changed: no region answered"),
    ],
)
def test_routing_says_what_is_wrong_in_one_line_and_by_its_exit_code(
    arguments, code, message, monitor: Publish
) -> None:
    monitor(east_down)
    with pytest.raises(CommandError) as failed:
        output("routing", *arguments)
    assert failed.value.returncode == code
    assert str(failed.value).startswith(message)
    assert "\n" not in str(failed.value)


@pytest.mark.lab
def test_a_pin_from_the_command_line_is_told_and_a_force_is_recorded(app: object) -> None:
    assert output("routing", "pin", WEST, "--reason", "practice").startswith("Pinned to us-west-2")
    assert output("routing", "auto", "--reason", "practice is over").startswith("Routing is automatic")


@pytest.mark.lab
def test_routing_says_whose_decision_of_the_same_moment_holds(rival: None) -> None:
    with pytest.raises(CommandError) as failed:
        output("routing", "pin", WEST, "--reason", "practice")
    assert failed.value.returncode == 1
    assert str(failed.value) == "not changed: otto decided at the same moment, and that holds: us-east-1 (my turn)"


@pytest.mark.lab
def test_a_name_of_the_operating_system_that_no_page_can_show_is_replaced(
    app: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "j\udcf6rg\u202e")
    output("routing", "pin", WEST, "--reason", "practice")
    known = [decision for decisions in gateway.everywhere(_decisions, timeout=5).values() for decision in decisions]
    assert max(known, key=lambda decision: decision.rank).actor == "cli:j\ufffdrg\ufffd"
    output("routing", "auto", "--reason", "practice is over")


def _decisions(_bound: gateway.Bound) -> list[gateway.Decision]:
    return read_decisions()
