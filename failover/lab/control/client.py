"""Reads the running lab's state and sets and clears its faults, for commands, drills and tests."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from failover.lab.errors import FaultRefused, LabError, LabNotRunning, LayerTaken
from failover.lab.files import CONTROL, TOKEN, why_closed

TIMEOUT_S = 60.0
"""To clear a stop takes until the engine is back and the replicas have been compared."""


class LabClient:
    """The running lab of a directory.

    Every method may raise LabNotRunning or another LabError, in one line.
    """

    def __init__(self, lab_dir: Path) -> None:
        self.lab_dir = lab_dir

    def state(self) -> dict[str, Any]:
        """The state document: regions, replication, faults, nameserver."""
        return self._ask("GET", "/state")

    def set_fault(
        self,
        region: str,
        kind: str,
        *,
        seconds: float | None = None,
        keep_connections: bool = False,
        ms: int | None = None,
    ) -> dict[str, Any]:
        """Break a region and return the fault.

        Raises FaultRefused with nothing changed; LayerTaken when another fault is in that layer.
        """
        order = {"region": region, "kind": kind, "seconds": seconds, "keep_connections": keep_connections, "ms": ms}
        body = {name: value for name, value in order.items() if value is not None}
        fault: dict[str, Any] = self._ask("POST", "/faults", body)["fault"]
        return fault

    def clear(self, region: str | None = None, kind: str | None = None) -> list[dict[str, Any]]:
        """End one kind of fault in a region, all faults of a region, or all, and return them."""
        query = urlencode({name: value for name, value in (("region", region), ("kind", kind)) if value is not None})
        cleared: list[dict[str, Any]] = self._ask("DELETE", f"/faults?{query}")["cleared"]
        return cleared

    def add_table(self, name: str) -> None:
        """Make a drill's table in every region. Raises FaultRefused for a name that is no drill's."""
        self._ask("POST", "/tables", {"name": name})

    def clear_tables(self) -> list[str]:
        """Remove the tables of every drill, and return their names."""
        names: list[str] = self._ask("DELETE", "/tables")["tables"]
        return names

    @property
    def url(self) -> str:
        """Where the lab's control server listens."""
        return self._address()[0]

    def _address(self) -> tuple[str, str]:
        """The control server's URL and its token."""
        closed = why_closed(self.lab_dir)
        if closed:
            raise LabNotRunning(closed)
        try:
            url: str = json.loads((self.lab_dir / CONTROL).read_text())["url"]
            return url, (self.lab_dir / TOKEN).read_text().strip()
        except (OSError, ValueError, KeyError):
            raise LabNotRunning(f"the lab in LAB_DIR={self.lab_dir} is stopping") from None

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        address, token = self._address()
        url = urlsplit(address)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_S)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            reply = connection.getresponse()
            document: dict[str, Any] = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LabNotRunning(f"the lab in {self.lab_dir} does not answer ({error}): is it still running?") from error
        finally:
            connection.close()
        if reply.status == http.HTTPStatus.LOCKED:
            raise LayerTaken(document["error"])
        if reply.status == http.HTTPStatus.CONFLICT:
            raise FaultRefused(document["error"])
        if reply.status != http.HTTPStatus.OK:
            raise LabError(document["error"])
        return document
