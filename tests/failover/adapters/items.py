"""Operations on one item, and the error that each of them raises."""

from __future__ import annotations

from collections.abc import Callable

from failover.adapters.binding import bind
from failover.adapters.control_store import ControlRow
from tests.failover.adapters.faulty import EAST

ITEM = {
    "Item": {
        "kind": {"S": "k"},
        "item": {"S": "i"},
        "document": {"S": "{}"},
        "updated_at": {"N": "1"},
        "updated_in": {"S": EAST},
    }
}


def put() -> object:
    return ControlRow("k", "i", document="{}").put()


def get() -> object:
    return ControlRow.get("k", "i")


def query() -> object:
    return list(ControlRow.query("k"))


def raised_by(operation: Callable[[], object]) -> BaseException:
    try:
        with bind(EAST):
            operation()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")
