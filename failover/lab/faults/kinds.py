"""The kinds of faults: each is one small class that breaks one region in one way, and mends it again.

A new kind is a class with the members of FaultKind, one line in KINDS, and a check from outside in verify.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from failover.lab.network.dns import DnsMode, NameServer
from failover.lab.network.manners import Manner
from failover.lab.region import Region
from failover.lab.replication.threads import Replication

DEFAULT_S = 300.0


@dataclass(frozen=True)
class Order:
    """What was asked for: break ``region`` by ``kind`` for so many seconds. ``ms`` only for kinds that use it."""

    region: str
    kind: str
    seconds: float = DEFAULT_S
    keep_connections: bool = False
    ms: int | None = None


@dataclass(frozen=True)
class World:
    """What a fault may touch; ``tls`` when the fronts speak it."""

    regions: dict[str, Region]
    nameserver: NameServer
    replication: Replication
    tls: bool = False


@dataclass(frozen=True)
class Milliseconds:
    """What a kind takes for --ms, both ends included, and what it takes when it is told nothing."""

    least: int
    usual: int
    most: int


class FaultKind(ABC):
    """One way to break a region, in one line of ``summary``.

    ``cuts``: whether it cuts open connections unless it is told to keep them. ``restore`` must be harmless when nothing
    is broken.
    """

    name: str
    summary: str
    ms: ClassVar[Milliseconds | None] = None
    cuts: ClassVar[bool] = False
    needs_tls: bool = False

    @abstractmethod
    def apply(self, world: World, order: Order) -> int:
        """Break it; returns how many open connections were cut."""

    @abstractmethod
    def restore(self, world: World, region: str) -> None:
        """Mend it."""


class DnsFault(FaultKind):
    """The nameserver answers wrongly for both names of the region. Open connections are cut, as a pool would hide the
    fault."""

    cuts = True

    def __init__(self, mode: DnsMode, summary: str) -> None:
        self.name = f"dns-{mode}"
        self.summary = summary
        self._mode = mode

    def apply(self, world: World, order: Order) -> int:
        """Change the answer first, so that nobody reconnects by the old one."""
        world.nameserver.set_mode(order.region, self._mode)
        return 0 if order.keep_connections else world.regions[order.region].gate.cut()

    def restore(self, world: World, region: str) -> None:
        """Answer as before."""
        world.nameserver.set_mode(region, DnsMode.OK)


class FrontFault(FaultKind):
    """The front treats new connections in a manner of its own; open ones are cut unless they are to be kept."""

    cuts = True

    def __init__(self, manner: Manner, summary: str) -> None:
        self.name = manner.value
        self.summary = summary
        self.needs_tls = self.name.startswith("tls-")
        self._manner = manner

    def apply(self, world: World, order: Order) -> int:
        """Change the manner first, so that nobody reconnects by the old one."""
        gate = world.regions[order.region].gate
        gate.treat(self._manner)
        return 0 if order.keep_connections else gate.cut()

    def restore(self, world: World, region: str) -> None:
        """Serve again, if the region is ready; whoever was treated otherwise is cut."""
        world.regions[region].gate.treat(Manner.SERVE)


class Latency(FaultKind):
    """The region is farther away, also for connections that are open."""

    name = "latency"
    summary = "every round trip takes --ms longer (400)"
    ms = Milliseconds(1, 400, 60_000)

    def apply(self, world: World, order: Order) -> int:
        """Lengthen the way."""
        world.regions[order.region].gate.slow(order.ms or 0)
        return 0

    def restore(self, world: World, region: str) -> None:
        """The distance as it is."""
        world.regions[region].gate.slow(0)


class Freeze(FaultKind):
    """The engine stands still: connections are accepted, nothing is answered, and what was sent is done after the thaw:
    the zombie writes of a region that hangs."""

    name = "freeze"
    summary = "the engine stands still (SIGSTOP); what was sent to it is done when it goes on"

    def apply(self, world: World, order: Order) -> int:
        """Stop it where it stands."""
        world.regions[order.region].engine.freeze()
        return 0

    def restore(self, world: World, region: str) -> None:
        """Let it go on."""
        world.regions[region].engine.thaw()


class Stop(FaultKind):
    """The engine is stopped in order and keeps its data; the replicas are compared when it is back."""

    name = "stop"
    summary = "the engine is stopped in order and its port closed; its data is kept"

    def apply(self, world: World, order: Order) -> int:
        """Stop it."""
        return world.regions[order.region].stop()

    def restore(self, world: World, region: str) -> None:
        """Start it; returns when the front is open again."""
        world.regions[region].start()


class ReplicationPause(FaultKind):
    """Nothing is copied into or out of the region; both sides go on serving."""

    name = "replication-pause"
    summary = "nothing is copied into or out of the region, which goes on serving"

    def apply(self, world: World, order: Order) -> int:
        """Hold it."""
        world.replication.pause(order.region, True)
        return 0

    def restore(self, world: World, region: str) -> None:
        """Let go: the backlog is copied within a second or so."""
        world.replication.pause(region, False)


class ReplicationDelay(FaultKind):
    """Everything is copied into and out of the region later than it was."""

    name = "replication-delay"
    summary = "each item is held --ms before it is copied (3000)"
    ms = Milliseconds(500, 3_000, 600_000)
    """At least what can be told from the usual lag."""

    def apply(self, world: World, order: Order) -> int:
        """Hold each item."""
        world.replication.delay(order.region, order.ms or 0)
        return 0

    def restore(self, world: World, region: str) -> None:
        """Let go, also of what is held."""
        world.replication.delay(region, 0)


KINDS: tuple[FaultKind, ...] = (
    DnsFault(DnsMode.EMPTY, "both DNS names answer without an address: 20 October 2025"),
    DnsFault(DnsMode.NXDOMAIN, "both DNS names do not exist"),
    DnsFault(DnsMode.SERVFAIL, "the nameserver fails for both names"),
    DnsFault(DnsMode.SILENT, "the nameserver does not answer for both names"),
    FrontFault(Manner.REFUSE, "the port is closed"),
    FrontFault(Manner.BLACKHOLE, "attempts to connect are dropped: nobody answers, nobody refuses"),
    FrontFault(Manner.HANG, "connections are accepted and never answered; nothing reaches the engine"),
    FrontFault(Manner.DRIP, "replies come a byte every 0.5 s"),
    FrontFault(Manner.RESET, "connections are reset amid the request; nothing reaches the engine"),
    Latency(),
    FrontFault(Manner.HTTP_503, "every request is answered with HTTP 503"),
    FrontFault(Manner.THROTTLE, "every request is throttled (ProvisionedThroughputExceededException)"),
    FrontFault(Manner.DENY, "every request is refused (AccessDeniedException)"),
    FrontFault(Manner.LOST_REPLY, "writes are applied, and the connection is reset in place of the reply"),
    Freeze(),
    Stop(),
    ReplicationPause(),
    ReplicationDelay(),
    FrontFault(Manner.TLS_HANG, "connections are accepted and the TLS handshake never answered (LAB_TLS=1)"),
    FrontFault(Manner.TLS_RESET, "connections are reset amid the TLS handshake (LAB_TLS=1)"),
    FrontFault(Manner.TLS_WRONG_CERTIFICATE, "the certificate is for another name (LAB_TLS=1)"),
)
