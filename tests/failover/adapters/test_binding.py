"""One model class, several regions. PynamoDB's private names that this relies on are named here, to fail loudly."""

from __future__ import annotations

import inspect
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pynamodb
import pytest
from botocore.client import BaseClient
from pynamodb.connection.base import Connection, MetaTable
from pynamodb.connection.table import TableConnection
from pynamodb.models import Model

from failover.adapters import models
from failover.adapters.binding import Connections, RegionNotBound, bind, bound_region, table_description
from failover.adapters.clients import make_client, make_clients
from failover.adapters.control_store import ControlRow
from failover.adapters.models import RegionalModel
from tests.failover.adapters import faulty, faulty_dns
from tests.failover.adapters.faulty import EAST, WEST


def test_pynamodb_is_the_version_that_these_private_names_were_read_in() -> None:
    assert pynamodb.__version__ == "6.1.0", "read binding.py and models.py against the new version, then change this"


def test_the_private_names_of_pynamodb_exist_and_look_as_they_did() -> None:
    assert inspect.ismethod(Model._get_connection)
    assert list(inspect.signature(Model._get_connection).parameters) == []
    assert list(inspect.signature(Model._get_schema).parameters) == []
    assert {"condition"} <= set(inspect.signature(Model._get_save_args).parameters)
    assert MetaTable(table_description(ControlRow)).hash_keyname == "kind"
    assert {"table_name", "region"} <= set(inspect.signature(TableConnection.__init__).parameters)
    assert isinstance(inspect.getattr_static(Connection, "client"), property)
    assert "self.client._make_api_call" in inspect.getsource(Connection._make_api_call)
    assert "_client" not in inspect.getsource(Connection._make_api_call)


def test_every_way_into_a_model_goes_through_the_overridden_connection() -> None:
    source = inspect.getsource(Model)

    for call in ("get_item", "batch_get_item", "put_item", "query", "update_item", "delete_item"):
        assert re.search(rf"_get_connection\(\)\.{call}\b", source), call
    assert "cls._connection" not in source.replace(inspect.getsource(Model._get_connection), "")


@pytest.fixture(scope="module")
def two_regions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connections]:
    """Two servers, each of which says its own region's name in every item."""

    def region(name: str) -> faulty.Behaviour:
        item = {
            "kind": {"S": "k"},
            "item": {"S": "i"},
            "document": {"S": json.dumps(name)},
            "updated_at": {"N": "1"},
            "updated_in": {"S": name},
        }

        def behave(connection: socket.socket, over: threading.Event) -> None:
            while not over.is_set():
                asked = json.loads(faulty.read_request(connection))
                many = "KeyConditionExpression" in asked
                connection.sendall(
                    faulty.reply(200, {"Items": [item], "Count": 1, "ScannedCount": 1} if many else {"Item": item})
                )

        return behave

    with faulty.server(region(EAST)) as east, faulty.server(region(WEST)) as west:
        config = faulty.make_config(tmp_path_factory.mktemp("run"), {EAST: east, WEST: west})
        connections = Connections(make_clients(config))
        yield connections
        connections.close()


@pytest.fixture
def wired_two(two_regions: Connections) -> None:
    models.use_connections(two_regions)


def served_by() -> set[str]:
    by_get = json.loads(ControlRow.get("k", "i").document)
    many = {json.loads(row.document) for row in ControlRow.query("k")}
    return {by_get} | many


@pytest.mark.usefixtures("wired_two")
def test_one_model_class_talks_to_the_region_that_is_bound() -> None:
    for region in (EAST, WEST, EAST):
        with bind(region):
            assert served_by() == {region}


@pytest.mark.usefixtures("wired_two")
def test_two_threads_talk_to_two_regions_at_the_same_time() -> None:
    both = threading.Barrier(2)
    served: dict[str, list[set[str]]] = {EAST: [], WEST: []}

    def work(region: str) -> None:
        with bind(region):
            for _ in range(20):
                both.wait(30)
                served[region].append(served_by())

    threads = [threading.Thread(target=work, args=(region,)) for region in served]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert served == {region: [{region}] * 20 for region in served}


@pytest.mark.usefixtures("wired_two")
def test_a_model_without_a_bound_region_says_so() -> None:
    with pytest.raises(RegionNotBound, match=r"gateway\.read"):
        ControlRow.get("k", "i")
    with pytest.raises(RegionNotBound):
        ControlRow("k", "i", document="{}").put()
    with pytest.raises(RegionNotBound):
        bound_region()


@pytest.mark.usefixtures("wired_two")
def test_a_region_that_is_not_configured_has_no_connection() -> None:
    with bind("eu-north-1"), pytest.raises(KeyError):
        ControlRow.get("k", "i")


def test_without_wiring_a_model_says_what_is_missing() -> None:
    models.use_connections(None)

    with bind(EAST), pytest.raises(RuntimeError, match="gateway"):
        ControlRow.get("k", "i")


def test_nested_bindings_restore_the_outer_one_also_after_an_error() -> None:
    with bind(EAST):
        with bind(WEST):
            assert bound_region() == WEST
        assert bound_region() == EAST
        with pytest.raises(ZeroDivisionError), bind(WEST):
            raise ZeroDivisionError
        assert bound_region() == EAST
    with pytest.raises(RegionNotBound):
        bound_region()


@pytest.mark.usefixtures("wired_two")
def test_a_subclass_with_a_table_of_its_own_does_not_reuse_its_parents_connection(two_regions: Connections) -> None:
    class Other(RegionalModel):
        class Meta:
            table_name = "another-table"

        kind = ControlRow.kind.__class__(hash_key=True)

    try:
        with bind(EAST):
            assert Other._get_connection().table_name == "another-table"
            assert ControlRow._get_connection().table_name == "survey-control"
            assert Other._get_connection() is Other._get_connection()
    finally:
        del models._models["another-table"]


def test_a_table_is_described_without_asking_dynamodb() -> None:
    assert table_description(ControlRow) == {
        "TableName": "survey-control",
        "KeySchema": [
            {"AttributeName": "kind", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "item", "AttributeType": "S"},
            {"AttributeName": "kind", "AttributeType": "S"},
        ],
    }


def test_the_partition_key_of_every_table_comes_first_as_create_table_insists() -> None:
    specs = models.tables()

    assert {"survey-control", "survey-definitions", "survey-votes"} <= {spec.name for spec in specs}
    for spec in specs:
        assert [key["KeyType"] for key in spec.create["KeySchema"]][:1] == ["HASH"], spec.name


@pytest.mark.usefixtures("no_credentials")
def test_without_credentials_pynamodb_makes_no_client_of_its_own(tmp_path: Path) -> None:
    client = make_client(faulty.make_config(tmp_path, {EAST: 9}), EAST)
    models.use_connections(Connections({EAST: client}))

    with bind(EAST):
        assert ControlRow._get_connection().connection.client is client


def test_a_client_makes_one_attempt_at_the_regions_own_name(tmp_path: Path) -> None:
    client = make_client(faulty.make_config(tmp_path, {EAST: 9}), EAST)

    assert isinstance(client, BaseClient)
    client_config = client.meta.config
    assert client_config.retries["total_max_attempts"] == 1
    assert client_config.account_id_endpoint_mode == "disabled"


def test_a_classrooms_proxy_is_not_asked_for_a_region_of_the_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with (
        faulty.server(faulty.says(faulty.reply(200, {"Items": [], "Count": 0, "ScannedCount": 0}))) as port,
        faulty_dns.nameserver(faulty_dns.loopback) as address,
        faulty.models_wired(faulty.make_config(tmp_path, {EAST: port}, address)),
        bind(EAST),
    ):
        assert list(ControlRow.query("k")) == []
