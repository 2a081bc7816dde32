"""What `make demo` may be told, read and checked once."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from failover.lab.errors import LabError


@dataclass(frozen=True)
class DemoConfig:
    """What `make demo` may be told. `address` is where the web tier listens, `shown` the address that people type."""

    lab_dir: Path
    port: int
    address: str
    shown: str
    workers: int
    password: str

    @property
    def url(self) -> str:
        """The start page."""
        return f"http://{self.shown}:{self.port}/"

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, lab_dir: Path, password: str) -> DemoConfig:
        """Reads PORT, HOST, WORKERS and STACKS. Raises LabError, in one line, for what cannot be used."""
        host = environ.get("HOST") or "127.0.0.1"
        if host not in ("127.0.0.1", "lan"):
            raise LabError(f"HOST={host}: must be 127.0.0.1, or lan to open the web tier to the local network")
        if (environ.get("STACKS") or "1") != "1":
            raise LabError(f"STACKS={environ['STACKS']}: this version runs one web stack")
        config = cls(
            lab_dir=lab_dir,
            port=_whole(environ, "PORT", 8000, 1, 65_535),
            address="0.0.0.0" if host == "lan" else host,
            shown=lan_address() if host == "lan" else host,
            workers=_whole(environ, "WORKERS", 2, 1, 64),
            password=password,
        )
        _refuse_port_in_use(config)
        return config


def lan_address() -> str:
    """This machine's address in the local network. Raises LabError when there is none. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation: only the route is looked up
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        raise LabError("HOST=lan: this machine has no address in a local network")
    return address


def _whole(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or len(text) > 9 or not low <= int(text) <= high:
        raise LabError(f"{name}={text}: must be a whole number from {low} to {high}")
    return int(text)


def _refuse_port_in_use(config: DemoConfig) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn binds: a port in TIME_WAIT is free
        try:
            probe.bind((config.address, config.port))
        except OSError as error:
            raise LabError(
                f"port {config.port} cannot be used: {error.strerror}; choose another with PORT=..."
            ) from None
