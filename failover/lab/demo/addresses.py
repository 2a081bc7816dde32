"""Finds the addresses at which phones in the room can reach this machine, the likeliest first."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

# Prefixes by which operating systems name interfaces that lead to no phone: tunnels, and the
# bridges of containers and virtual machines.
TUNNELS = ("tun", "tap", "utun", "wg", "ppp", "ipsec", "tailscale", "zt", "nordlynx", "proton", "gpd")
BRIDGES = ("docker", "br-", "bridge", "virbr", "veth", "vbox", "vmnet", "vmenet", "lxc", "lxd", "cni", "podman", "anpi")


@dataclass(frozen=True)
class Interface:
    """A network interface with an IPv4 address.

    `tunnel`: the system says that it is point to point.
    """

    name: str
    address: str
    up: bool = True
    tunnel: bool = False


def ranked(interfaces: Iterable[Interface], *, routed: str | None = None) -> tuple[str, ...]:
    """The addresses that a phone may use, the likeliest first.

    `routed` is the address that the default route uses, None without such a route. It comes first
    only among addresses that are equally likely otherwise: with a VPN, the default route is the
    VPN's.
    """
    usable = [interface for interface in interfaces if interface.up and not _address(interface).is_loopback]

    def unlikely(interface: Interface) -> tuple[bool, bool, bool, bool]:
        return (
            interface.tunnel or interface.name.startswith(TUNNELS),
            interface.name.startswith(BRIDGES),
            _address(interface).is_link_local,
            interface.address != routed,
        )

    return tuple(dict.fromkeys(interface.address for interface in sorted(usable, key=unlikely)))


def _address(interface: Interface) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(interface.address)


@dataclass(frozen=True)
class Network:
    """How other machines can reach this one: by IPv4 address, the likeliest first, and by name."""

    addresses: tuple[str, ...]
    names: tuple[str, ...]


def network() -> Network:
    """This machine's addresses and names, as the operating system has them now."""
    return Network(ranked(_interfaces(), routed=_routed()), host_names(socket.gethostname()))


def host_names(host: str) -> tuple[str, ...]:
    """A machine's name, and its name in multicast DNS. Empty for a name that cannot be used."""
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
    """The address from which a packet to the internet would be sent, or None. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # An address reserved for documentation: only the route is looked up.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return None


def _is_host_name(name: str) -> bool:
    return len(name) <= 253 and all(part.replace("-", "").isalnum() and part.isascii() for part in name.split("."))
