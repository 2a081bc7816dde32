"""The addresses under which phones in the room can reach this machine, the likeliest first."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

# How operating systems name what no phone is behind: tunnels, and the bridges of containers and virtual machines.
TUNNELS = ("tun", "tap", "utun", "wg", "ppp", "ipsec", "tailscale", "zt", "nordlynx", "proton", "gpd")
BRIDGES = ("docker", "br-", "bridge", "virbr", "veth", "vbox", "vmnet", "vmenet", "lxc", "lxd", "cni", "podman", "anpi")


@dataclass(frozen=True)
class Interface:
    """A network interface with an IPv4 address. `tunnel`: the system says that it has one other end only."""

    name: str
    address: str
    up: bool = True
    tunnel: bool = False


def ranked(interfaces: Iterable[Interface], *, routed: str | None = None) -> tuple[str, ...]:
    """The addresses that a phone may use, the likeliest first. `routed` is the address that the default route uses,
    None without one: it leads among its equals only, since with a VPN it is the VPN's.
    """
    usable = [each for each in interfaces if each.up and not ipaddress.ip_address(each.address).is_loopback]

    def unlikely(each: Interface) -> tuple[bool, bool, bool, bool]:
        address = ipaddress.ip_address(each.address)
        return (
            each.tunnel or each.name.startswith(TUNNELS),
            each.name.startswith(BRIDGES),
            address.is_link_local,
            each.address != routed,
        )

    return tuple(dict.fromkeys(each.address for each in sorted(usable, key=unlikely)))


@dataclass(frozen=True)
class Network:
    """How this machine can be reached: IPv4 addresses but loopback's, the likeliest first, and names."""

    addresses: tuple[str, ...]
    names: tuple[str, ...]


def network() -> Network:
    """What the operating system says of this machine now."""
    return Network(ranked(_interfaces(), routed=_routed()), host_names(socket.gethostname()))


def host_names(host: str) -> tuple[str, ...]:
    """A machine's name, and the one that multicast DNS gives it in a local network; none for an unusable name."""
    host = host.rstrip(".").lower()
    short = host.partition(".")[0]
    if short in ("", "localhost") or not _is_host_name(host):
        return ()
    return tuple(dict.fromkeys((host, f"{short}.local")))


def _interfaces() -> list[Interface]:
    states = psutil.net_if_stats()
    interfaces = []
    for name, addresses in psutil.net_if_addrs().items():
        state = states.get(name)
        flags = state.flags.split(",") if state else []
        for address in addresses:
            if address.family == socket.AF_INET:
                up = state is None or bool(state.isup)
                interfaces.append(Interface(name, address.address, up, "pointopoint" in flags))
    return interfaces


def _routed() -> str | None:
    """The address that a packet to anywhere would have. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation: only the route is looked up
            return str(probe.getsockname()[0])
        except OSError:
            return None


def _is_host_name(name: str) -> bool:
    return len(name) <= 253 and all(part.replace("-", "").isalnum() and part.isascii() for part in name.split("."))
