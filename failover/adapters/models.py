"""The base class of every table's model, JSON as it is stored, and the registry of tables for the
lab and `create_tables`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Self, TypeVar

from pynamodb.attributes import JSONAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.connection.table import TableConnection
from pynamodb.exceptions import PutError
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model

from failover.adapters.binding import Connections, bound_region, table_description
from failover.adapters.clock import SystemClock
from failover.adapters.errors import is_condition_failure
from failover.core.ports import Clock

ModelT = TypeVar("ModelT", bound="RegionalModel")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")  # perhaps half of a pair


@dataclass(frozen=True)
class TableSpec:
    """How to make a table: `create` holds the arguments of CreateTable; `replicated` tables have a
    replica in every region.
    """

    name: str
    create: dict[str, Any]
    ttl_attribute: str | None
    replicated: bool


@dataclass(frozen=True)
class PutResult(Generic[ModelT]):
    """The result of a put. `written` is False when the condition refused it; `old` is the item that
    was replaced, if there was one.
    """

    written: bool
    old: ModelT | None


class Stamp:
    """Microseconds since the epoch that never repeat and never go back within this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """The next stamp."""
        with self._lock:
            self._last = max(self._last + 1, int(self._clock.wall() * 1_000_000))
            return self._last

    def begin_above(self, number: int) -> None:
        """Every later stamp is above `number`, which may come from a process whose clock was ahead."""
        with self._lock:
            self._last = max(self._last, number)


stamp = Stamp(SystemClock())
_models: dict[str, type[RegionalModel]] = {}
_connections: Connections | None = None


def use_connections(connections: Connections | None) -> None:
    """Sets the connections that the models of this process use. The wiring calls it."""
    global _connections
    _connections = connections


class RegionalModel(Model):
    """A PynamoDB model that talks to whichever region is bound (gateway.read, gateway.write,
    gateway.at).

    A subclass gives its `Meta` a `table_name` and may set `replicated = False`. Defining it
    registers its table. Every item carries `updated_at`, which must never decrease for one key and
    decides between two copies of an item, and `updated_in`, the region that wrote it.
    """

    updated_at = NumberAttribute()
    updated_in = UnicodeAttribute()

    replicated: ClassVar[bool] = True

    unknown: Mapping[str, Any] = MappingProxyType({})
    """Attributes of the stored item that this version does not know, in DynamoDB's form. `put`
    keeps them.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "Meta" in cls.__dict__ and getattr(cls.Meta, "table_name", None):
            _models[cls.Meta.table_name] = cls

    @classmethod
    def _get_connection(cls) -> TableConnection:
        if _connections is None:
            raise RuntimeError("no regions are wired: use the gateway")
        return _connections.of(cls)

    def put(self, condition: Condition | None = None, *, updated_at: int | None = None) -> PutResult[Self]:
        """Writes the whole item in the bound region.

        `updated_at` is for items whose order is not that of the clock (it must never decrease for
        one key); by default it is this process's next microsecond. A refused condition is a result,
        not an error; any other failure is raised as PynamoDB's PutError.
        """
        self.updated_at = stamp() if updated_at is None else updated_at
        self.updated_in = bound_region()
        arguments, options = self._get_save_args(condition=condition)
        options["attributes"] = {**self.unknown, **options["attributes"]}
        options["return_values"] = "ALL_OLD"
        try:
            reply = self._get_connection().put_item(*arguments, **options)
        except PutError as error:
            if is_condition_failure(error):
                return PutResult(written=False, old=None)
            raise
        old = reply.get("Attributes")
        return PutResult(written=True, old=type(self).from_raw_data(old) if old else None)


def tables() -> tuple[TableSpec, ...]:
    """Every registered table, sorted by name."""
    return tuple(_spec(_models[name]) for name in sorted(_models))


def _spec(model: type[RegionalModel]) -> TableSpec:
    attributes = model.get_attributes().values()
    ttl = next((attribute for attribute in attributes if isinstance(attribute, TTLAttribute)), None)
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
    return TableSpec(
        name=model.Meta.table_name,
        create={
            **table_description(model),
            "BillingMode": "PAY_PER_REQUEST",
            **(stream if model.replicated else {}),  # nothing reads the stream of a table that stays in its region
        },
        ttl_attribute=ttl.attr_name if ttl is not None else None,
        replicated=model.replicated,
    )


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
