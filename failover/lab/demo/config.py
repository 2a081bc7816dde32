"""The variables of `make demo`, read and checked once."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from failover.core.text import harm, whole_number
from failover.lab.demo.addresses import Network, network
from failover.lab.errors import LabError

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"


@dataclass(frozen=True)
class DemoConfig:
    """The demo's settings.

    The web tier listens on the addresses `listens`. `shown` are the hosts that phones may open, the
    likeliest first. `hosts` are all the host names that the application answers to.
    """

    lab_dir: Path
    port: int
    listens: tuple[str, ...]
    shown: tuple[str, ...]
    hosts: tuple[str, ...]
    workers: int
    password: str

    @property
    def url(self) -> str:
        """The start page, under the likeliest host."""
        return self.urls[0]

    @property
    def urls(self) -> tuple[str, ...]:
        """The start page under each host that phones may open."""
        return tuple(f"http://{host}:{self.port}/" for host in self.shown)

    @property
    def bind(self) -> str:
        """The addresses on which gunicorn listens, as its BIND variable has them."""
        return ",".join(f"{host}:{self.port}" for host in self.listens)

    @property
    def is_open(self) -> bool:
        """Whether the local network can open the web tier."""
        return self.listens != (LOOPBACK,)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str], *, lab_dir: Path, password: str, reachable: Network | None = None
    ) -> DemoConfig:
        """Read PORT, HOST, WORKERS and STACKS.

        Raises LabError, in one line, for a value that cannot be used.

        `reachable` is how other machines reach this one; the operating system is asked when it is
        not given.
        """
        if (character := harm(password)) is not None:
            raise LabError(f"DEMO_PASSWORD: holds a character that cannot be typed: {character}")
        if (environ.get("STACKS") or "1") != "1":
            raise LabError(f"STACKS={environ['STACKS']}: this version runs one web stack")
        reachable = reachable or network()
        listens, shown = _listening(environ.get("HOST") or LOOPBACK, reachable.addresses)
        names = () if listens == (LOOPBACK,) else reachable.names
        config = cls(
            lab_dir=lab_dir,
            port=_integer(environ, "PORT", 8000, 1, 65_535),
            listens=listens,
            shown=(*shown, *names),
            hosts=tuple(dict.fromkeys([*shown, *names, LOOPBACK, "localhost", "[::1]"])),
            workers=_integer(environ, "WORKERS", 2, 1, 64),
            password=password,
        )
        _refuse_port_in_use(config)
        return config


def _listening(host: str, own: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses to listen on for a HOST, and those to show to phones. Raises LabError.

    `own` are this machine's addresses in local networks.
    """
    if host in (LOOPBACK, "localhost"):
        return (LOOPBACK,), (LOOPBACK,)
    if host in ("lan", EVERYWHERE):
        if not own:
            raise LabError(f"HOST={host}: this machine has no address in a local network; is its Wi-Fi on?")
        return (EVERYWHERE,), own
    if host in own:
        return (host, LOOPBACK), (host,)  # the demo itself and the students' command use loopback
    known = f": it has {', '.join(own)}" if own else ""
    raise LabError(
        f"HOST={host}: must be 127.0.0.1, lan to open the web tier to the local network, or an address of this "
        f"machine{known}"
    )


def _integer(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name) or str(default)
    number = whole_number(text)
    if number is None or not low <= number <= high:
        raise LabError(f"{name}={text}: must be a whole number from {low} to {high}")
    return number


def _refuse_port_in_use(config: DemoConfig) -> None:
    for host in config.listens:
        with socket.socket() as probe:
            # As gunicorn binds: with this option a port in TIME_WAIT counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, config.port))
            except OSError as error:
                raise LabError(
                    f"port {config.port} cannot be used: {error.strerror}; choose another with PORT=..."
                ) from None
