"""How the lab reads its tables."""

import json
from pathlib import Path

import pytest

from failover.lab.errors import LabError
from failover.lab.tables import key_names, tables_from_json
from tests.failover.lab.support import TABLES


def test_tables_are_read_from_json_with_their_hash_key_first(tmp_path: Path):
    path = tmp_path / "tables.json"
    schema = [{"AttributeName": "b", "KeyType": "RANGE"}, {"AttributeName": "a", "KeyType": "HASH"}]
    path.write_text(json.dumps([{"name": "t", "create": {"TableName": "t", "KeySchema": schema}}]))
    (table,) = tables_from_json(path)
    assert key_names(table) == ("a", "b")
    assert table.replicated
    assert table.ttl_attribute is None


@pytest.mark.parametrize("text", ["{", '[{"name": "t"}]', '[{"name": "t", "create": {}, "colour": "red"}]'])
def test_a_file_that_is_no_list_of_tables_is_refused_by_name(text: str, tmp_path: Path):
    path = tmp_path / "tables.json"
    path.write_text(text)
    with pytest.raises(LabError, match=r"tables.json: not a list of tables"):
        tables_from_json(path)


def test_the_tables_of_the_tests_have_the_shape_that_the_lab_needs():
    assert [key_names(spec) for spec in TABLES] == [("kind", "id")] * 3
