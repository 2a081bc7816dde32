"""The tables of a drill's strategies: made when a drill begins, removed when it ends.

They are no tables of the application. Each is replicated as its tables are, but for items without
`updated_at` and `updated_in`, which stay in the region that wrote them.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping

from failover.lab.errors import FaultRefused, ReplicaDown
from failover.lab.region import Region
from failover.lab.replication.threads import Replication
from failover.lab.tables import Table

PREFIX = "drill-"
STOCK = f"{PREFIX}stock"
"""The table of the single-region application beside the demo, which stays when a drill ends."""
MOST = 16
"""Tables at a time. Each costs every region's replication a reading of its stream."""
KEY = ("survey", "voter")

log = logging.getLogger(__name__)


class DrillTables:
    """Adds tables to the running lab and removes them again, from any thread."""

    def __init__(self, regions: Mapping[str, Region], replication: Replication) -> None:
        self._regions = regions
        self._replication = replication
        self._tables: dict[str, Table] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The tables that there are now."""
        return sorted(self._tables)

    def add(self, name: str) -> None:
        """Make a table in every region, empty, with the key KEY. One that exists is left as it is.

        Raises FaultRefused for another name than a drill's, and LabError when an engine refuses.
        """
        if not re.fullmatch(rf"{PREFIX}[a-z0-9-]{{1,60}}", name):
            raise FaultRefused(f"{name}: a drill's table is called {PREFIX} and lower case letters, digits and dashes")
        with self._lock:
            if name in self._tables:
                return
            if len(self._tables) == MOST:
                raise FaultRefused(f"there are {MOST} tables of drills already: remove them first")
            attributes = [{"AttributeName": part, "AttributeType": "S"} for part in KEY]
            schema = [
                {"AttributeName": part, "KeyType": kind} for part, kind in zip(KEY, ("HASH", "RANGE"), strict=True)
            ]
            table = Table(
                name,
                {
                    "TableName": name,
                    "AttributeDefinitions": attributes,
                    "KeySchema": schema,
                    "BillingMode": "PAY_PER_REQUEST",
                },
            )
            for region in self._regions.values():
                region.add_table(table)
            self._replication.add(table)
            self._tables[name] = table

    def clear(self) -> list[str]:
        """Remove all of them but STOCK with their items, and return their names."""
        with self._lock:
            names = [name for name in self._tables if name != STOCK]
            for name in names:
                del self._tables[name]
        for name in names:
            self._replication.remove(name)
            for region in self._regions.values():
                try:
                    region.remove_table(name)
                except ReplicaDown as error:  # an engine that does not answer keeps an empty shell of it
                    log.warning("the table %s was not removed: %s", name, error)
        return names
