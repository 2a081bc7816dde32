"""Shared by the models of every table: JSON as it is stored, and a page of rows."""

import json
import logging
import re
from math import isfinite
from typing import Any, NamedTuple, TypeVar

from pynamodb.attributes import JSONAttribute
from pynamodb.exceptions import PynamoDBException

from failover.gateway import RegionalModel

ModelT = TypeVar("ModelT", bound=RegionalModel)

DatabaseError = PynamoDBException
"""The base of every error that a region or the SDK raises."""

PAGE_ITEMS = 500  # read at once: 60 ms of a local engine on a busy laptop, well within one attempt
log = logging.getLogger(__name__)

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")  # perhaps half of a pair


class StoredJSON(JSONAttribute):
    """JSON in as few bytes as possible, since an item holds 400 KB at most: a letter of most of the
    world's scripts takes two or three bytes, and six as an ASCII escape.

    Reading never fails: a text that is no JSON reads as None, and half of a surrogate pair, which
    no page could send, as U+FFFD.
    """

    def serialize(self, value: Any) -> str | None:
        """The JSON text."""
        if value is None:
            return None
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return json.dumps(value, separators=(",", ":")) if _SURROGATE.search(text) else text

    def deserialize(self, value: str) -> Any:
        """The value of a JSON text."""
        try:
            read = json.loads(value, strict=False, parse_constant=lambda _name: None, parse_float=_finite)
        except (ValueError, RecursionError):
            return None
        return _sendable(read) if _SURROGATE.search(value) else read


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if isfinite(number) else None


def _sendable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_sendable(item) for item in value]
        case dict():
            return {_sendable(name): _sendable(item) for name, item in value.items()}
    return value


class Page(NamedTuple):
    """A part of a long reading, as the database gave it. The next part begins at `next`; None at
    the end.
    """

    items: list[dict[str, Any]]
    next: dict[str, Any] | None

    def rows(self, model: type[ModelT]) -> list[ModelT]:
        """The items as models. This is work for this process, so it is not done within the time of
        an attempt.
        """
        return [model.from_raw_data(item) for item in self.items]
