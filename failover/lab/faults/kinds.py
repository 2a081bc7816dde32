"""The kinds of faults: one small class for each way to break a region and mend it again.

To add a kind, write a class with the members of FaultKind, list it in KINDS, and add a check for
it to verify.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from failover.lab.network.dns import DnsMode, NameServer
from failover.lab.network.manners import OF_THE_CONNECTION, Manner
from failover.lab.region import Region
from failover.lab.replication.threads import Replication

DEFAULT_S = 300.0


class Layer(StrEnum):
    """Where a fault acts. A region may have one fault in each layer at the same time."""

    DNS = "dns"
    CONNECTION = "connection"
    REPLY = "reply"
    ENGINE = "engine"
    REPLICATION = "replication"


@dataclass(frozen=True)
class Order:
    """An order to break ``region`` by ``kind`` for so many seconds.

    ``ms`` is for kinds that use it.
    """

    region: str
    kind: str
    seconds: float = DEFAULT_S
    keep_connections: bool = False
    ms: int | None = None


@dataclass(frozen=True)
class World:
    """The parts of the lab that a fault may change. ``tls`` says whether the fronts speak TLS."""

    regions: dict[str, Region]
    nameserver: NameServer
    replication: Replication
    tls: bool = False


@dataclass(frozen=True)
class Milliseconds:
    """The range of --ms for a kind, both ends included, and its value when none is given."""

    least: int
    usual: int
    most: int


class FaultKind(ABC):
    """One way to break a region, in one layer. ``summary`` is its line in `fault --list`.

    ``cuts`` says whether it cuts open connections unless the order keeps them. ``restore`` must be
    harmless when nothing is broken.
    """

    name: str
    summary: str
    layer: Layer
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
    """The nameserver answers wrongly for both names of the region.

    Open connections are cut: a pool of them would hide the fault.
    """

    layer = Layer.DNS
    cuts = True

    def __init__(self, mode: DnsMode, summary: str) -> None:
        self.name = f"dns-{mode}"
        self.summary = summary
        self._mode = mode

    def apply(self, world: World, order: Order) -> int:
        """Change the answer, then cut: a client that reconnects at once must get the new answer."""
        world.nameserver.set_mode(order.region, self._mode)
        return 0 if order.keep_connections else world.regions[order.region].gate.cut()

    def restore(self, world: World, region: str) -> None:
        """Answer as before."""
        world.nameserver.set_mode(region, DnsMode.OK)


class FrontFault(FaultKind):
    """The front treats new connections in another manner.

    Open ones are cut unless the order keeps them.
    """

    cuts = True

    def __init__(self, manner: Manner, summary: str) -> None:
        self.name = manner.value
        self.summary = summary
        self.layer = Layer.CONNECTION if manner in OF_THE_CONNECTION else Layer.REPLY
        self.needs_tls = self.name.startswith("tls-")
        self._manner = manner

    def apply(self, world: World, order: Order) -> int:
        """Change the manner, then cut: a client that reconnects at once must meet the new one."""
        gate = world.regions[order.region].gate
        gate.treat(self._manner)
        return 0 if order.keep_connections else gate.cut()

    def restore(self, world: World, region: str) -> None:
        """Serve again, if the region is ready and no fault of another layer forbids it.

        Connections that were opened during the fault are cut.
        """
        world.regions[region].gate.treat_no_longer(self._manner)


class Latency(FaultKind):
    """Every round trip to the region takes longer, on open connections too."""

    name = "latency"
    layer = Layer.CONNECTION
    summary = "every round trip takes --ms longer (400)"
    ms = Milliseconds(1, 400, 60_000)

    def apply(self, world: World, order: Order) -> int:
        """Add to the round trip."""
        world.regions[order.region].gate.slow(order.ms or 0)
        return 0

    def restore(self, world: World, region: str) -> None:
        """Add nothing."""
        world.regions[region].gate.slow(0)


class Overload(FaultKind):
    """The region works on one request at a time, each for some time: its capacity is small.

    What is more waits in line. The region cannot know whose clients gave up meanwhile, and works on
    their requests too. Open connections are cut unless the order keeps them: those live on as they were.
    """

    name = "overload"
    layer = Layer.REPLY
    summary = "one request at a time, --ms each (20); more wait in line, also those whose clients gave up"
    ms = Milliseconds(1, 20, 60_000)
    cuts = True

    def apply(self, world: World, order: Order) -> int:
        """Make the capacity small, then cut: only a new connection is in the line."""
        gate = world.regions[order.region].gate
        gate.work(order.ms or 0)
        return 0 if order.keep_connections else gate.cut()

    def restore(self, world: World, region: str) -> None:
        """Work as fast as the engine does. Connections that were opened during the fault are cut."""
        world.regions[region].gate.work(0)


class Freeze(FaultKind):
    """The engine's process is suspended: connections are accepted and nothing is answered.

    What was sent to it is done when it goes on: these are the zombie writes of a region that hangs.
    """

    name = "freeze"
    layer = Layer.ENGINE
    summary = "the engine stands still (SIGSTOP); what was sent to it is done when it goes on"

    def apply(self, world: World, order: Order) -> int:
        """Suspend the engine."""
        world.regions[order.region].engine.freeze()
        return 0

    def restore(self, world: World, region: str) -> None:
        """Let it go on."""
        world.regions[region].engine.thaw()


class Stop(FaultKind):
    """The engine is stopped in order and keeps its data. The replicas are compared when it is back."""

    name = "stop"
    layer = Layer.ENGINE
    summary = "the engine is stopped in order and its port closed; its data is kept"

    def apply(self, world: World, order: Order) -> int:
        """Stop the engine."""
        return world.regions[order.region].stop()

    def restore(self, world: World, region: str) -> None:
        """Start the engine; returns when the front is open again."""
        world.regions[region].start()


class ReplicationPause(FaultKind):
    """Nothing is copied into or out of the region. Both sides go on serving."""

    name = "replication-pause"
    layer = Layer.REPLICATION
    summary = "nothing is copied into or out of the region, which goes on serving"

    def apply(self, world: World, order: Order) -> int:
        """Pause both directions."""
        world.replication.pause(order.region, True)
        return 0

    def restore(self, world: World, region: str) -> None:
        """Go on: the backlog is copied within a second or so."""
        world.replication.pause(region, False)


class ReplicationDelay(FaultKind):
    """Everything is copied into and out of the region later than usual."""

    name = "replication-delay"
    layer = Layer.REPLICATION
    summary = "each item is held --ms before it is copied (3000)"
    ms = Milliseconds(500, 3_000, 600_000)
    """The least is a delay that can be told apart from the usual lag."""

    def apply(self, world: World, order: Order) -> int:
        """Delay each item."""
        world.replication.delay(order.region, order.ms or 0)
        return 0

    def restore(self, world: World, region: str) -> None:
        """Delay no more; what is being delayed goes on at once."""
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
    Overload(),
    FrontFault(Manner.LOST_REPLY, "writes are applied, and the connection is reset in place of the reply"),
    Freeze(),
    Stop(),
    ReplicationPause(),
    ReplicationDelay(),
    FrontFault(Manner.TLS_HANG, "connections are accepted and the TLS handshake never answered (LAB_TLS=1)"),
    FrontFault(Manner.TLS_RESET, "connections are reset amid the TLS handshake (LAB_TLS=1)"),
    FrontFault(Manner.TLS_WRONG_CERTIFICATE, "the certificate is for another name (LAB_TLS=1)"),
)
