"""Making tables, by the command: again and again, in every region, or as global tables."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from failover import gateway, wiring
from failover.adapters.provision import create_missing
from failover.conf import FailoverConfig
from tests.conftest import Lab
from tests.failover.adapters import faulty
from tests.failover.adapters.faulty import EAST, WEST
from tests.processes import free_port


def run(config: FailoverConfig, *arguments: str) -> list[str]:
    out = StringIO()
    with wiring.using(config):
        call_command("create_tables", *arguments, stdout=out)
    return out.getvalue().splitlines()


class ControlPlane:
    """As much of a region's control plane as making tables asks for. It keeps what it was asked,
    and refuses what DynamoDB refuses.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}
        self.expiring: set[str] = set()
        self.asked: list[str] = []

    def behave(self, connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(1)
                if not head:
                    return
            target = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"x-amz-target"))
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            body = b""
            while len(body) < int(length.split(b":")[1]):
                body += connection.recv(65_536)
            operation = target.rpartition(b".")[2].decode()
            connection.sendall(self.answer(operation, json.loads(body)))

    def answer(self, operation: str, asked: dict[str, Any]) -> bytes:
        name = asked["TableName"]
        if operation not in ("DescribeTable", "DescribeTimeToLive"):
            self.asked.append(f"{operation} {name}")
        if operation == "CreateTable":
            if name in self.tables:
                return faulty.refusal("ResourceInUseException")
            if asked["KeySchema"][0]["KeyType"] != "HASH":
                return faulty.refusal("ValidationException")
            indexes = asked.get("GlobalSecondaryIndexes", [])
            table = {"TableName": name, "TableStatus": "ACTIVE", "Replicas": [], "GlobalSecondaryIndexes": indexes}
            self.tables[name] = table
        if name not in self.tables:
            return faulty.refusal("ResourceNotFoundException")
        if operation == "UpdateTable" and "GlobalSecondaryIndexUpdates" in asked:
            self.tables[name]["GlobalSecondaryIndexes"] += [u["Create"] for u in asked["GlobalSecondaryIndexUpdates"]]
        elif operation == "UpdateTable":
            regions = [update["Create"]["RegionName"] for update in asked["ReplicaUpdates"]]
            if len(regions) != 1:
                return faulty.refusal("ValidationException")
            self.tables[name]["Replicas"].append({"RegionName": regions[0]})
        if operation == "UpdateTimeToLive":
            if name in self.expiring:
                return faulty.refusal("ValidationException")
            self.expiring.add(name)
        if operation == "DescribeTimeToLive":
            status = "ENABLED" if name in self.expiring else "DISABLED"
            return faulty.reply(200, {"TimeToLiveDescription": {"TimeToLiveStatus": status}})
        return faulty.reply(200, {"Table": self.tables[name]})


@pytest.fixture
def planes(tmp_path: Path) -> Iterator[tuple[dict[str, ControlPlane], FailoverConfig]]:
    east, west = ControlPlane(), ControlPlane()
    with faulty.server(east.behave) as east_port, faulty.server(west.behave) as west_port:
        config = FailoverConfig(
            (EAST, WEST),
            {EAST: f"http://127.0.0.1:{east_port}", WEST: f"http://127.0.0.1:{west_port}"},
            None,
            tmp_path,
            connect_timeout_s=10,
            read_timeout_s=10,
        )
        yield {EAST: east, WEST: west}, config


Planes = tuple[dict[str, ControlPlane], FailoverConfig]


def test_every_table_is_made_in_every_region_and_expires_where_it_should(planes: Planes) -> None:
    regions, config = planes

    lines = run(config)

    specs = gateway.tables()
    assert lines == [f"{region}  {spec.name}  made" for region in (EAST, WEST) for spec in specs]
    for plane in regions.values():
        assert set(plane.tables) == {spec.name for spec in specs}
        assert plane.expiring == {spec.name for spec in specs if spec.ttl_attribute}


def test_a_second_run_changes_nothing(planes: Planes) -> None:
    regions, config = planes
    run(config)
    for plane in regions.values():
        plane.asked.clear()

    assert all(line.endswith("  exists") for line in run(config))
    assert all(line.startswith("CreateTable") for plane in regions.values() for line in plane.asked)


def test_a_run_that_was_cut_short_is_completed_by_the_next(planes: Planes) -> None:
    regions, config = planes
    run(config)
    regions[EAST].expiring.clear()

    run(config)

    assert regions[EAST].expiring == {spec.name for spec in gateway.tables() if spec.ttl_attribute}


def test_a_table_of_an_earlier_version_gets_the_indexes_that_it_lacks(planes: Planes) -> None:
    regions, config = planes
    run(config)
    for plane in regions.values():
        plane.tables["survey-definitions"]["GlobalSecondaryIndexes"] = []
        plane.asked.clear()

    assert all(line.endswith("  exists") for line in run(config))

    for plane in regions.values():
        (index,) = plane.tables["survey-definitions"]["GlobalSecondaryIndexes"]
        assert index["IndexName"] == "by-change"
        assert plane.asked.count("UpdateTable survey-definitions") == 1


def test_global_tables_are_made_at_home_and_get_their_replicas_while_regional_ones_are_made_everywhere(
    planes: Planes,
) -> None:
    regions, config = planes

    lines = run(config, "--global")

    replicated = {spec.name for spec in gateway.tables() if spec.replicated}
    regional = {spec.name for spec in gateway.tables()} - replicated
    assert set(regions[EAST].tables) == replicated | regional
    assert set(regions[WEST].tables) == regional
    for name in replicated:
        assert regions[EAST].tables[name]["Replicas"] == [{"RegionName": WEST}]
        assert f"{WEST}  {name}  replica added" in lines
    assert not any("replica added" in line for line in run(config, "--global"))


def test_a_region_that_does_not_answer_is_one_line_that_names_it_and_the_table(tmp_path: Path) -> None:
    config = faulty.make_config(tmp_path, {EAST: free_port()})

    with pytest.raises(CommandError, match=r"^survey-control in us-east-1: the connection was refused$"):
        run(config)


@pytest.mark.lab
def test_in_the_lab_everything_exists_already(lab: Lab, tmp_path: Path) -> None:
    lines = run(lab.config(tmp_path, READ_TIMEOUT_S="10"))

    assert len(lines) == 2 * len(gateway.tables())
    assert all(line.endswith("  exists") for line in lines), lines


@pytest.mark.lab
def test_the_engines_tables_expire(lab: Lab, tmp_path: Path) -> None:
    with wiring.using(lab.config(tmp_path, READ_TIMEOUT_S="10")) as wired:
        for spec in gateway.tables():
            assert create_missing(wired.clients[EAST], spec) is False
            expiry = wired.clients[EAST].describe_time_to_live(TableName=spec.name)["TimeToLiveDescription"]
            assert (expiry["TimeToLiveStatus"] == "ENABLED") is bool(spec.ttl_attribute), spec.name
