"""The tables of the application, as the lab needs to know them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from failover.lab.errors import LabError


class TableSpec(Protocol):
    """The attributes of a table that the lab needs. The gateway's TableSpec has them."""

    @property
    def name(self) -> str: ...
    @property
    def create(self) -> dict[str, Any]:
        """Keyword arguments for botocore's ``create_table``."""

    @property
    def ttl_attribute(self) -> str | None: ...
    @property
    def replicated(self) -> bool: ...


@dataclass(frozen=True)
class Table:
    """A TableSpec from JSON: ``{"name", "create", "ttl_attribute"?, "replicated"?}``."""

    name: str
    create: dict[str, Any]
    ttl_attribute: str | None = None
    replicated: bool = True


def tables_from_json(path: Path) -> tuple[Table, ...]:
    """Read a JSON list of tables. Raises LabError for a file that cannot be read."""
    try:
        return tuple(Table(**row) for row in json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise LabError(f"{path}: not a list of tables: {error}") from error


def key_names(table: TableSpec) -> tuple[str, ...]:
    """The table's key attributes, hash key first."""
    return key_attributes(table.create["KeySchema"])


def key_attributes(schema: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """The names in a KeySchema, hash key first: HASH sorts before RANGE."""
    return tuple(part["AttributeName"] for part in sorted(schema, key=lambda part: part["KeyType"]))


def replicated(tables: Sequence[TableSpec]) -> tuple[TableSpec, ...]:
    """The tables whose items are copied between the regions."""
    return tuple(table for table in tables if table.replicated)
