"""Settings are parsed once: every mistake is named, and what is accepted can be used."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from botocore.utils import is_valid_endpoint_url
from hypothesis import given
from hypothesis import strategies as st

from failover import wiring
from failover.conf import ConfigurationError, FailoverConfig
from failover.core.config import RouterConfig, TableMode
from tests.failover.adapters import faulty_dns

GOOD = {"REGIONS": "us-east-1,us-west-2", "RUN_DIR": "/tmp/run"}  # noqa: S108  (nothing is written there)


def mistakes(**changes: str) -> list[str]:
    """The variables that are complained about, one entry a problem."""
    with pytest.raises(ConfigurationError) as caught:
        FailoverConfig.parse({**GOOD, **changes})
    assert all(problem.message and problem.hint for problem in caught.value.problems)
    assert all(problem.variable in str(caught.value) for problem in caught.value.problems)
    assert "\n" not in str(caught.value)
    return [problem.variable for problem in caught.value.problems]


def test_only_the_regions_and_the_run_directory_are_required() -> None:
    config = FailoverConfig.parse(GOOD)

    assert config == FailoverConfig(("us-east-1", "us-west-2"), {}, None, Path("/tmp/run"))  # noqa: S108  nothing is written there
    assert config.endpoint("us-east-1") == "https://dynamodb.us-east-1.amazonaws.com"
    assert config.host("us-west-2") == "dynamodb.us-west-2.amazonaws.com"


def test_an_empty_text_means_the_default() -> None:
    empty = dict.fromkeys(
        ("ENDPOINTS", "NAMESERVER", "DEADLINE_S", "HOLD_S", "THREADS", "LAG_LIMIT_MS", "DNS_STALE_S", "TABLES"), ""
    )

    assert FailoverConfig.parse({**GOOD, **empty}) == FailoverConfig.parse(GOOD)


def test_every_value_that_is_given_arrives() -> None:
    config = FailoverConfig.parse(
        {
            "REGIONS": " us-east-1 , us-west-2,",
            "ENDPOINTS": "us-east-1=http://dynamodb.us-east-1.amazonaws.com:8001, us-west-2 = https://localhost",
            "NAMESERVER": "127.0.0.1:5353",
            "RUN_DIR": "/tmp/x",  # noqa: S108  nothing is written there
            "DEADLINE_S": "2.5",
            "CONNECT_TIMEOUT_S": "0.5",
            "READ_TIMEOUT_S": "0.7",
            "HEARTBEAT_S": "0.5",
            "HOLD_S": "7",
            "LAG_LIMIT_MS": "1500",
            "THREADS": "4",
            "DNS_STALE_S": "3600",
            "TABLES": "MRSC",
        }
    )

    assert config.regions == ("us-east-1", "us-west-2")
    assert config.endpoint("us-east-1") == "http://dynamodb.us-east-1.amazonaws.com:8001"
    assert config.endpoint("us-west-2") == "https://localhost"
    assert config.nameserver == ("127.0.0.1", 5353)
    assert (config.deadline_s, config.connect_timeout_s, config.read_timeout_s) == (2.5, 0.5, 0.7)
    assert (config.heartbeat_s, config.hold_s, config.lag_limit_ms, config.threads) == (0.5, 7.0, 1500.0, 4)
    assert (config.dns_stale_s, config.tables) == (3600.0, TableMode.MRSC)


@pytest.mark.parametrize("mode", TableMode)
@pytest.mark.parametrize("named", ["MREC", "MRSC"])
def test_the_tables_replication_goes_by_its_name_at_aws(named: str, mode: TableMode) -> None:
    assert (FailoverConfig.parse({**GOOD, "TABLES": named}).tables is mode) is (mode.name == named)


def test_a_nameserver_may_have_an_ipv6_address() -> None:
    assert FailoverConfig.parse({**GOOD, "NAMESERVER": "[::1]:53"}).nameserver == ("::1", 53)


def test_china_has_a_domain_of_its_own() -> None:
    config = FailoverConfig.parse({**GOOD, "REGIONS": "cn-north-1,us-gov-west-1"})

    assert config.host("cn-north-1") == "dynamodb.cn-north-1.amazonaws.com.cn"
    assert config.host("us-gov-west-1") == "dynamodb.us-gov-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("REGIONS", ""),
        ("REGIONS", " , "),
        ("REGIONS", "bad"),
        ("REGIONS", "us-east-1;us-west-2"),
        ("REGIONS", "us-east-1,us-east-1"),
        ("REGIONS", "US-EAST-1"),
        ("REGIONS", "us-east-١"),
        ("RUN_DIR", ""),
        ("ENDPOINTS", "us-east-1"),
        ("ENDPOINTS", "us-east-1="),
        ("ENDPOINTS", "us-east-1=localhost:8000"),
        ("ENDPOINTS", "us-east-1=ftp://localhost"),
        ("ENDPOINTS", "us-east-1=http://"),
        ("ENDPOINTS", "us-east-1=http://:80"),
        ("ENDPOINTS", "us-east-1=http://a b"),
        ("ENDPOINTS", "us-east-1=http://host:0"),
        ("ENDPOINTS", "us-east-1=http://host:99999"),
        ("ENDPOINTS", "us-east-1=http://host:port"),
        ("ENDPOINTS", "us-east-1=http://[::1"),
        ("ENDPOINTS", f"us-east-1=http://{'a' * 64}.com"),
        ("ENDPOINTS", "us-east-1=http://under_score"),
        ("ENDPOINTS", "eu-north-1=http://localhost"),
        ("ENDPOINTS", "us-east-1=http://a,us-east-1=http://b"),
        ("NAMESERVER", "127.0.0.1"),
        ("NAMESERVER", ":53"),
        ("NAMESERVER", "127.0.0.1:0"),
        ("NAMESERVER", "127.0.0.1:65536"),
        ("NAMESERVER", "127.0.0.1:dns"),
        ("NAMESERVER", "localhost:53"),
        ("NAMESERVER", f"127.0.0.1:{'9' * 5000}"),
        ("DEADLINE_S", "soon"),
        ("DEADLINE_S", "0"),
        ("DEADLINE_S", "-1"),
        ("DEADLINE_S", "nan"),
        ("DEADLINE_S", "inf"),
        ("DEADLINE_S", "61"),
        ("CONNECT_TIMEOUT_S", "0"),
        ("READ_TIMEOUT_S", "1e9"),
        ("HEARTBEAT_S", "0"),
        ("HOLD_S", "-5"),
        ("LAG_LIMIT_MS", "x"),
        ("THREADS", "0"),
        ("THREADS", "2.5"),
        ("THREADS", "many"),
        ("THREADS", "9" * 5000),
        ("DNS_STALE_S", "-1"),
        ("DNS_STALE_S", "86401"),
        ("DNS_STALE_S", "nan"),
        ("TABLES", "mrsc"),
        ("TABLES", "strong"),
        ("TABLES", "MREC,MRSC"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_problem_with_its_variable(name: str, text: str) -> None:
    assert mistakes(**{name: text}) == [f"FAILOVER_{name}"]


def test_all_mistakes_are_named_at_once() -> None:
    variables = mistakes(
        REGIONS="bad,worse", ENDPOINTS="x", NAMESERVER="y", RUN_DIR="", DEADLINE_S="z", HOLD_S="-1", THREADS="0"
    )

    assert variables == [
        "FAILOVER_REGIONS",
        "FAILOVER_REGIONS",
        "FAILOVER_ENDPOINTS",
        "FAILOVER_NAMESERVER",
        "FAILOVER_RUN_DIR",
        "FAILOVER_DEADLINE_S",
        "FAILOVER_HOLD_S",
        "FAILOVER_THREADS",
    ]


NAMES = (
    "REGIONS",
    "ENDPOINTS",
    "NAMESERVER",
    "RUN_DIR",
    "DEADLINE_S",
    "CONNECT_TIMEOUT_S",
    "READ_TIMEOUT_S",
    "HEARTBEAT_S",
    "HOLD_S",
    "LAG_LIMIT_MS",
    "THREADS",
    "DNS_STALE_S",
    "TABLES",
)
REGION_LISTS = st.sampled_from(["us-east-1", "us-east-1,us-west-2", "eu-north-1,us-east-1,us-west-2"])
NUMBERS = st.one_of(st.floats(), st.integers(-10, 1000)).map(str)


@given(st.dictionaries(st.sampled_from(NAMES), st.text() | REGION_LISTS | NUMBERS))
def test_no_text_makes_parsing_fail_in_another_way_than_by_naming_the_mistakes(raw: dict[str, str]) -> None:
    try:
        config = FailoverConfig.parse(raw)
    except ConfigurationError:
        return
    assert config.regions


@given(st.text(alphabet="abcz019.-_:/@[]%?# é\t", max_size=40), st.sampled_from(["http://", "https://", ""]))
def test_an_endpoint_that_is_accepted_is_one_that_botocore_takes(rest: str, scheme: str) -> None:
    try:
        config = FailoverConfig.parse({**GOOD, "ENDPOINTS": f"us-east-1={scheme}{rest}"})
    except ConfigurationError:
        return
    assert not config.endpoints or is_valid_endpoint_url(config.endpoint("us-east-1"))


@given(
    st.fixed_dictionaries(
        {
            "DEADLINE_S": st.floats(0.1, 60).map(str),
            "CONNECT_TIMEOUT_S": st.floats(0.05, 30).map(str),
            "READ_TIMEOUT_S": st.floats(0.05, 30).map(str),
            "HEARTBEAT_S": st.floats(0.1, 300).map(str),
            "HOLD_S": st.floats(0.1, 3600).map(str),
            "LAG_LIMIT_MS": st.floats(10, 600_000).map(str),
            "REGIONS": REGION_LISTS,
        }
    )
)
def test_whatever_is_accepted_makes_a_router_in_which_every_region_gets_its_turn(raw: dict[str, str]) -> None:
    config = FailoverConfig.parse({**GOOD, **raw})

    numbers = wiring.router_config(config)

    assert isinstance(numbers, RouterConfig)
    assert numbers.attempt_timeout_s * len(config.regions) <= numbers.deadline_s + 1e-9
    assert numbers.quiet_s >= 3 * config.heartbeat_s


@pytest.mark.parametrize("mode", list(TableMode))
def test_how_the_tables_replicate_reaches_the_router(mode: TableMode) -> None:
    assert wiring.router_config(FailoverConfig.parse({**GOOD, "TABLES": mode.value})).tables is mode


@pytest.mark.parametrize(("stale_s", "served"), [("0", False), ("60", True)])
def test_an_old_answer_serves_only_where_the_settings_say_so(stale_s: str, served: bool, tmp_path: Path) -> None:
    answers = iter(
        [faulty_dns.loopback, faulty_dns.loopback, faulty_dns.empty, faulty_dns.empty]
    )  # two questions each time
    with faulty_dns.nameserver(lambda question: next(answers)(question)) as (address, port):
        resolver = wiring.make_resolver(
            FailoverConfig.parse(
                {**GOOD, "RUN_DIR": str(tmp_path), "NAMESERVER": f"{address}:{port}", "DNS_STALE_S": stale_s}
            )
        )
        host = "dynamodb.us-east-1.amazonaws.com"
        assert resolver.look_up(host).failure is None
        if served:
            assert resolver.look_up(host).addresses == ("127.0.0.1",)
        else:
            with pytest.raises(socket.gaierror):
                resolver.look_up(host)
