"""Run by `test_own_machine` in its own namespaces: runs a command and records the addresses that it sends packets to.

The namespace routes every address to its loopback interface. So a packet is sent, not refused for want of a route, and
leaves the machine nowhere. Usage: ``python -m tests.integration.packets OUT COMMAND...``; OUT gets a JSON list of the
addresses that are not loopback. The exit code is the command's.
"""

import json
import socket
import subprocess
import sys
import tempfile
import threading
from ipaddress import ip_address
from pathlib import Path

ALL = socket.htons(0x0003)
IPV4, IPV6 = 0x0800, 0x86DD
OUTGOING = 4
"""Marks, in an AF_PACKET address, a frame that was sent; the loopback interface receives it again."""


def destination(frame: bytes) -> str | None:
    """The destination address of an Ethernet frame; None if it is neither IPv4 nor IPv6."""
    match int.from_bytes(frame[12:14], "big"):
        case 0x0800:
            return socket.inet_ntop(socket.AF_INET, frame[30:34])
        case 0x86DD:
            return socket.inet_ntop(socket.AF_INET6, frame[38:54])
        case _:
            return None


def main() -> int:
    """Runs the command and returns its exit code."""
    out, *command = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        resolv = Path(directory) / "resolv.conf"
        resolv.write_text("nameserver 192.0.2.53\noptions timeout:1 attempts:1\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
    for arguments in (
        "link set lo up",
        "route add local default dev lo",
        "-6 route add local default dev lo",
    ):
        subprocess.run(["ip", *arguments.split()], check=True)
    seen: set[str] = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, ALL) as sniffer:
        sniffer.bind(("lo", 0))
        sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024 * 1024)
        sniffer.settimeout(0.2)
        ended = threading.Event()

        def listen() -> None:
            while True:
                try:
                    address = destination(sniffer.recv(128))
                except TimeoutError:
                    if ended.is_set():
                        return
                    continue
                # A reply to one of our packets has a loopback address as its destination.
                if address is not None and not ip_address(address).is_loopback:
                    seen.add(address)

        thread = threading.Thread(target=listen)
        thread.start()
        code = subprocess.run(command, check=False).returncode
        ended.set()
        thread.join()
    Path(out).write_text(json.dumps(sorted(seen)))
    return code


if __name__ == "__main__":
    sys.exit(main())
