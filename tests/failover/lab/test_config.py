"""The variables that the lab reads, and the one clear line for a value that it cannot use."""

from pathlib import Path

import pytest

from failover.lab.config import EngineKind, LabConfig
from failover.lab.errors import LabError


def test_without_any_variable_the_second_region_is_seventy_milliseconds_away(tmp_path: Path):
    config = LabConfig.from_env({}, lab_dir=tmp_path)
    assert [config.rtt_of(region) for region in config.regions] == [0.0, 70.0]
    assert config.engine is EngineKind.MINISTACK


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        pytest.param({"LAB_TLS": "yes"}, "LAB_TLS=yes: must be 0 or 1", id="TLS that is neither on nor off"),
        pytest.param({"LAB_RTT_MS": "far"}, "LAB_RTT_MS=far: not a number", id="a round trip that is not a number"),
        pytest.param({"LAB_RTT_MS": "-1"}, "LAB_RTT_MS=-1: must be between 0 and 5000", id="a negative round trip"),
        pytest.param(
            {"LAB_RTT_MS": "nan"}, "LAB_RTT_MS=nan: must be between", id="a round trip that is no number at all"
        ),
        pytest.param({"ENGINE": "oracle"}, "ENGINE=oracle: must be one of ministack, dynamodb-local", id="an engine"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_with_its_value(variables: dict[str, str], line: str, tmp_path: Path):
    with pytest.raises(LabError, match=line):
        LabConfig.from_env(variables, lab_dir=tmp_path)


def test_an_engine_that_is_not_installed_is_named_with_the_way_out(tmp_path: Path):
    config = LabConfig(tmp_path, ministack=tmp_path / "nowhere")
    with pytest.raises(LabError, match=r"not installed .*nowhere.* make demo, or set LAB_MINISTACK"):
        config.find_ministack()


def test_dynamodb_local_without_its_jar_says_which_variable_to_set(tmp_path: Path):
    config = LabConfig.from_env({"ENGINE": "dynamodb-local", "DYNAMODB_LOCAL_DIR": str(tmp_path)}, lab_dir=tmp_path)
    with pytest.raises(LabError, match=r"DynamoDBLocal\.jar is missing: set DYNAMODB_LOCAL_DIR"):
        config.find_dynamodb_local()
