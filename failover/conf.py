"""The failover engine's settings: parsed from text and validated once, with all mistakes reported
together.

The system checks call `FailoverConfig.parse(settings.FAILOVER)` and report the mistakes; the wiring
calls it too and refuses to start with any. The engine's other numbers, which have no setting, are
in `core.config`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from failover.core.config import RouterConfig, TableMode

ENGINE = RouterConfig()
"""The defaults of the settings that the engine knows as well."""
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
PORT = re.compile(r"[0-9]{1,5}")
# A host name as botocore takes it in an endpoint's URL.
HOST = re.compile(r"((?!-)[a-z0-9-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)")


@dataclass(frozen=True)
class Problem:
    """One bad setting: the environment variable, what is wrong with it, and how to put it right."""

    variable: str
    message: str
    hint: str


class ConfigurationError(ValueError):
    """The settings hold mistakes; `problems` lists all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.variable}: {p.message} ({p.hint})" for p in problems))
        self.problems = problems


@dataclass(frozen=True)
class FailoverConfig:
    """The validated settings. Times are seconds unless the name says otherwise.

    - `regions`: in order of priority, this stack's own first.
    - `endpoints`: a region's URL; a region without one has AWS's public endpoint.
    - `nameserver`: `(address, port)`, or None for the host's own resolver.
    - `run_dir`: the monitor's status and the web workers' reports; shared by the processes of one
      host only.
    - `dns_stale_s`: how long the last good addresses of an endpoint serve after their time to live,
      when its name stops resolving. 0 means not at all, and then no answer is remembered either.
    - `tables`: how the tables replicate.
    - `loopback_only`: connect to nothing outside this machine, and ask `nameserver` alone for
      names.
    - `closed`: why no region may be used at all, in one line; empty when they may be used.

    A settings module sets the last two; no environment variable does.
    """

    regions: tuple[str, ...]
    endpoints: Mapping[str, str]
    nameserver: tuple[str, int] | None
    run_dir: Path
    deadline_s: float = ENGINE.deadline_s
    connect_timeout_s: float = 1.0
    read_timeout_s: float = 1.0
    heartbeat_s: float = 10.0
    hold_s: float = ENGINE.hold_s
    lag_limit_ms: float = ENGINE.lag_limit_ms
    threads: int = 8
    dns_stale_s: float = 0.0
    tables: TableMode = ENGINE.tables
    loopback_only: bool = False
    closed: str = ""

    def endpoint(self, region: str) -> str:
        """The URL at which `region` is reached."""
        partition = ".cn" if region.startswith("cn-") else ""
        return self.endpoints.get(region) or f"https://dynamodb.{region}.amazonaws.com{partition}"

    def host(self, region: str) -> str:
        """The name that DNS must answer for `region`."""
        return urlsplit(self.endpoint(region)).hostname or ""

    @classmethod
    def parse(cls, raw: Mapping[str, str]) -> FailoverConfig:
        """Reads the text of `settings.FAILOVER`; an empty text means the default.

        Raises `ConfigurationError` with all mistakes, never with only the first.
        """
        raw = {name: text.strip() for name, text in raw.items()}
        problems: list[Problem] = []
        regions = _regions(raw.get("REGIONS", ""), problems)
        endpoints = _endpoints(raw.get("ENDPOINTS", ""), regions, problems)
        nameserver = _nameserver(raw.get("NAMESERVER", ""), problems)
        loopback_only = bool(raw.get("LOOPBACK_ONLY"))
        if loopback_only:
            problems += _elsewhere(endpoints, nameserver)
        if not raw.get("RUN_DIR"):
            problems.append(
                Problem("FAILOVER_RUN_DIR", "is empty", "name a directory that the monitor and the web workers share")
            )
        numbers = {
            field: _number(raw, name, low, high, problems)
            for name, field, low, high in (
                ("DEADLINE_S", "deadline_s", 0.1, 60.0),
                ("CONNECT_TIMEOUT_S", "connect_timeout_s", 0.05, 30.0),
                ("READ_TIMEOUT_S", "read_timeout_s", 0.05, 30.0),
                ("HEARTBEAT_S", "heartbeat_s", 0.1, 300.0),
                ("HOLD_S", "hold_s", 0.1, 3_600.0),
                ("LAG_LIMIT_MS", "lag_limit_ms", 10.0, 600_000.0),
                ("DNS_STALE_S", "dns_stale_s", 0.0, 86_400.0),
            )
            if raw.get(name)
        }
        threads = _number(raw, "THREADS", 1, 256, problems, cast=int) if raw.get("THREADS") else None
        tables = _tables(raw.get("TABLES", ""), problems)
        if problems:
            raise ConfigurationError(problems)
        given: dict[str, Any] = {field: value for field, value in numbers.items() if value is not None}
        if threads is not None:
            given["threads"] = int(threads)
        return cls(
            regions=regions,
            endpoints=endpoints,
            nameserver=nameserver,
            run_dir=Path(raw["RUN_DIR"]),
            tables=tables,
            loopback_only=loopback_only,
            closed=raw.get("CLOSED", ""),
            **given,
        )


def _regions(text: str, problems: list[Problem]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    hint = "list the regions by priority, for example us-east-1,us-west-2"
    if not names:
        problems.append(Problem("FAILOVER_REGIONS", "names no region", hint))
    strange = [name for name in names if not REGION.fullmatch(name)]
    problems += [Problem("FAILOVER_REGIONS", f"{name!r} is not the name of a region", hint) for name in strange]
    if len(set(names)) != len(names):
        problems.append(Problem("FAILOVER_REGIONS", "names a region twice", hint))
    return names


def _endpoints(text: str, regions: tuple[str, ...], problems: list[Problem]) -> dict[str, str]:
    endpoints: dict[str, str] = {}
    hint = "write REGION=URL,REGION=URL; leave it empty for AWS's own endpoints"
    for entry in filter(None, (part.strip() for part in text.split(","))):
        region, _, url = (part.strip() for part in entry.partition("="))
        if not _usable(url):
            problems.append(Problem("FAILOVER_ENDPOINTS", f"{entry!r} holds no http or https URL", hint))
        elif region not in regions:
            problems.append(Problem("FAILOVER_ENDPOINTS", f"{region!r} is not in FAILOVER_REGIONS", hint))
        elif region in endpoints:
            problems.append(Problem("FAILOVER_ENDPOINTS", f"names {region!r} twice", hint))
        else:
            endpoints[region] = url
    return endpoints


def _elsewhere(endpoints: Mapping[str, str], nameserver: tuple[str, int] | None) -> list[Problem]:
    """The settings that point outside this machine, where that is not allowed. Names are not
    checked here: each connection checks the address that its name resolves to.
    """
    hint = "these settings reach this machine only: unset it"
    problems = []
    if nameserver is not None and not ip_address(nameserver[0]).is_loopback:
        problems.append(Problem("FAILOVER_NAMESERVER", f"{nameserver[0]} is not on this machine", hint))
    for url in endpoints.values():
        host = urlsplit(url).hostname or ""
        with suppress(ValueError):  # it is a name
            if not ip_address(host).is_loopback:
                problems.append(Problem("FAILOVER_ENDPOINTS", f"{host} is not on this machine", hint))
    return problems


def _usable(url: str) -> bool:
    if not url.isascii() or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        usable_host = len(host) <= 253 and bool(HOST.fullmatch(host))
        return parts.scheme in {"http", "https"} and usable_host and parts.port != 0
    except ValueError:
        return False


def _nameserver(text: str, problems: list[Problem]) -> tuple[str, int] | None:
    if not text:
        return None
    address, _, port = text.strip().rpartition(":")
    try:
        # It must be an address: nothing could resolve the nameserver's own name.
        parsed = str(ip_address(address.removeprefix("[").removesuffix("]")))
        if PORT.fullmatch(port) and 0 < int(port) < 65_536:
            return parsed, int(port)
    except ValueError:
        pass
    problems.append(Problem("FAILOVER_NAMESERVER", f"{text!r} is not ADDRESS:PORT", "for example 127.0.0.1:5353"))
    return None


def _tables(text: str, problems: list[Problem]) -> TableMode:
    if not text:
        return FailoverConfig.tables
    try:
        return TableMode(text.strip())
    except ValueError:
        hint = "MREC replicates asynchronously (the default of global tables), MRSC synchronously"
        problems.append(Problem("FAILOVER_TABLES", f"{text!r} is neither MREC nor MRSC", hint))
        return FailoverConfig.tables


def _number(
    raw: Mapping[str, str],
    name: str,
    low: float,
    high: float,
    problems: list[Problem],
    cast: Callable[[str], float] = float,
) -> float | None:
    text = raw[name]
    try:
        value = cast(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        problems.append(
            Problem(f"FAILOVER_{name}", f"{text!r} is not a number from {low:g} to {high:g}", "see .env.example")
        )
        return None
    return value
