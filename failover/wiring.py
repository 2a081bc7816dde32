"""The composition root: builds this process's router, clients and resolver, once per process."""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from failover.adapters import dns
from failover.adapters.binding import Connections
from failover.adapters.clients import SPARE, make_clients, reach_s
from failover.adapters.clock import SystemClock
from failover.adapters.control_store import read_decisions
from failover.adapters.dns_cache import AddressBook, AddressCache
from failover.adapters.host_files import HostFiles
from failover.adapters.models import use_connections
from failover.adapters.runner import PooledRunner
from failover.adapters.sdk_settings import sdk_problems
from failover.conf import ConfigurationError, FailoverConfig
from failover.core.config import RouterConfig
from failover.core.ports import Clock
from failover.core.regions import Region
from failover.core.router import Router
from failover.worker.follower import Follower

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wired:
    """What a process needs to reach the regions."""

    config: FailoverConfig
    clock: Clock
    resolver: dns.Resolver
    clients: Mapping[str, DynamoDBClient]
    runner: PooledRunner
    router: Router
    files: HostFiles
    follower: Follower
    restore: Callable[[], None]

    def close(self) -> None:
        """Writes the last report, stops following, closes the sockets and restores the host's
        resolver.
        """
        self.follower.stop()
        use_connections(None)
        for client in self.clients.values():
            client.close()
        self.restore()


_lock = threading.Lock()
_current: Wired | None = None


def router_config(config: FailoverConfig) -> RouterConfig:
    """The engine's numbers: the settings, and the engine's own defaults for everything else."""
    defaults = RouterConfig()
    return RouterConfig(
        deadline_s=config.deadline_s,
        # A slow connection or reply ends on its own timeout first, because that says more than a
        # cut. But a region that hangs must leave each other region its share of the deadline.
        attempt_timeout_s=min(
            config.deadline_s / len(config.regions), max(config.connect_timeout_s, config.read_timeout_s) * SPARE
        ),
        share=max(1, min(defaults.share, config.threads * 3 // 4)),
        hold_s=config.hold_s,
        lag_limit_ms=config.lag_limit_ms,
        quiet_s=max(defaults.quiet_s, 3 * config.heartbeat_s),
        tables=config.tables,
    )


def regions_of(config: FailoverConfig) -> tuple[Region, ...]:
    """The configured regions in the order of priority."""
    return tuple(Region(name, priority) for priority, name in enumerate(config.regions))


def make_resolver(config: FailoverConfig) -> dns.Resolver:
    """The resolver of the region endpoints. A name may take as long as the connection that follows."""
    cache = None
    if config.dns_stale_s:
        book = AddressBook(config.run_dir / "addresses")
        cache = AddressCache(SystemClock(), stale_s=config.dns_stale_s, book=book)
    hosts = map(config.host, config.regions)
    return dns.Resolver(
        hosts, config.nameserver, timeout=reach_s(config), cache=cache, loopback_only=config.loopback_only
    )


def make_files(config: FailoverConfig) -> HostFiles:
    """The files in the run directory. Raises `ImproperlyConfigured`, in one line, when the
    directory cannot be used.
    """
    try:
        return HostFiles(config.run_dir)
    except OSError as error:
        raise ImproperlyConfigured(f"FAILOVER_RUN_DIR: {config.run_dir} cannot be used: {error.strerror}") from error


def parse_settings() -> FailoverConfig:
    """The validated settings. Raises `ImproperlyConfigured` with every mistake, or with the reason
    why no region may be used, in one line.
    """
    try:
        config = FailoverConfig.parse(settings.FAILOVER)
    except ConfigurationError as error:
        raise ImproperlyConfigured(str(error)) from error
    if config.closed:
        raise ImproperlyConfigured(config.closed)
    return config


def check_sdk(config: FailoverConfig) -> None:
    """Raises `ImproperlyConfigured`, in one line, when the AWS SDK cannot use one of its variables
    or files.
    """
    problems = sdk_problems(config)
    if problems:
        raise ImproperlyConfigured(str(ConfigurationError(problems)))


def build(config: FailoverConfig) -> Wired:
    """Builds and installs what this process needs. Clients are made here, because making one is
    slow and not thread-safe.
    """
    clock = SystemClock()
    files = make_files(config)
    try:
        clients = make_clients(config)
    except Exception:
        check_sdk(config)
        raise
    resolver = make_resolver(config)
    restore = dns.install(resolver)
    use_connections(Connections(clients))
    runner = PooledRunner(config.regions, threads=2 * config.threads, renew=lambda region: clients[region].close())
    router = Router(
        regions_of(config),
        config=router_config(config),
        clock=clock,
        runner=runner,
        jitter=random.SystemRandom().random,
    )
    follower = Follower(router, files, clock, worker=f"{os.getpid()}-{int(clock.wall() * 1000)}")
    follower.start()
    return Wired(config, clock, resolver, clients, runner, router, files, follower, restore)


def current() -> Wired:
    """This process's wiring, built from the settings on first use."""
    global _current
    if _current is None:
        with _lock:
            if _current is None:
                _current = build(parse_settings())
    return _current


def warm_up() -> None:
    """Builds this process's wiring and makes one small read in every region. The first call loads
    botocore's endpoint rules and opens connections; for a cold worker's first vote that took 0.4 s,
    and 4 s on a busy machine.
    """
    wired = current()
    wired.runner.run_everywhere(wired.config.regions, lambda _: len(read_decisions()), timeout=wired.config.deadline_s)


def hand_in() -> None:
    """Writes this process's last report before it ends, if it was ever wired."""
    if _current is not None:
        _current.follower.stop()


@contextmanager
def using(config: FailoverConfig) -> Iterator[Wired]:
    """Within the block this process is wired by `config`: for tests and tools that bring their own
    regions.
    """
    global _current
    before, wired = _current, build(config)
    _current = wired
    try:
        yield wired
    finally:
        _current = before
        wired.close()
        if before is not None:
            use_connections(Connections(before.clients))
