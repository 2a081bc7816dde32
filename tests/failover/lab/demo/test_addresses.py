"""Which address the demo shows to phones, and where its web tier listens."""

from pathlib import Path

import pytest

from failover.lab.demo import addresses
from failover.lab.demo.addresses import Interface, Network, host_names, ranked
from failover.lab.demo.config import DemoConfig
from failover.lab.errors import LabError
from tests.processes import free_port

WIFI = Interface("wlan0", "192.168.1.23")
CABLE = Interface("eth0", "10.2.0.5")
VPN = Interface("tun0", "10.8.0.2", tunnel=True)


@pytest.mark.parametrize(
    ("interfaces", "routed", "expected"),
    [
        pytest.param([WIFI], "192.168.1.23", ("192.168.1.23",), id="one network"),
        pytest.param([WIFI], None, ("192.168.1.23",), id="an offline classroom has no default route"),
        pytest.param([VPN, WIFI], "10.8.0.2", ("192.168.1.23", "10.8.0.2"), id="a VPN has the route"),
        pytest.param(
            [Interface("wg0", "10.9.0.2"), WIFI], "10.9.0.2", ("192.168.1.23", "10.9.0.2"), id="a tunnel by its name"
        ),
        pytest.param(
            [Interface("docker0", "172.17.0.1"), WIFI], None, ("192.168.1.23", "172.17.0.1"), id="a container's bridge"
        ),
        pytest.param(
            [Interface("eth1", "169.254.7.7"), WIFI],
            None,
            ("192.168.1.23", "169.254.7.7"),
            id="no DHCP",
        ),
        pytest.param([CABLE, WIFI], "192.168.1.23", ("192.168.1.23", "10.2.0.5"), id="of equals the routed one"),
        pytest.param([Interface("lo", "127.0.0.1")], "127.0.0.1", (), id="loopback alone is no network"),
        pytest.param([Interface("wlan0", "192.168.1.9", up=False)], None, (), id="an interface that is down"),
        pytest.param([], None, (), id="nothing"),
    ],
)
def test_the_likeliest_address_for_a_phone_is_the_first(interfaces, routed, expected) -> None:
    assert ranked(interfaces, routed=routed) == expected


CLASSROOM = Network((WIFI.address, VPN.address), ("lehrer-laptop.schule.example", "lehrer-laptop.local"))
OFFLINE = Network((), ())


def configured(tmp_path: Path, reachable: Network = CLASSROOM, **environ: str) -> DemoConfig:
    variables = {"PORT": str(free_port()), **environ}
    return DemoConfig.from_env(variables, lab_dir=tmp_path, password="p", reachable=reachable)


def test_lan_shows_every_address_and_name_and_answers_to_each(tmp_path: Path) -> None:
    config = configured(tmp_path, HOST="lan")

    assert config.shown == (*CLASSROOM.addresses, *CLASSROOM.names)
    assert config.url == f"http://{WIFI.address}:{config.port}/"
    assert {*config.shown, "127.0.0.1", "localhost"} <= set(config.hosts)
    assert config.bind == f"0.0.0.0:{config.port}"
    assert config.is_open


def test_an_address_of_this_machine_is_shown_and_the_others_are_not_opened(tmp_path: Path) -> None:
    config = configured(tmp_path, Network(("127.0.0.2", "127.0.0.3"), ()), HOST="127.0.0.2")

    assert config.bind == f"127.0.0.2:{config.port},127.0.0.1:{config.port}"
    assert config.urls == (f"http://127.0.0.2:{config.port}/",)


@pytest.mark.parametrize("host", ["10.0.0.99", "wlan", "192.168.1.23:8000", "example.org", "::1"])
def test_what_is_no_address_of_this_machine_is_refused_with_those_that_are(tmp_path: Path, host: str) -> None:
    with pytest.raises(LabError, match=r"^HOST=.*: must be .* it has 192\.168\.1\.23, 10\.8\.0\.2$"):
        configured(tmp_path, HOST=host)


def test_lan_without_any_network_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no address in a local network"):
        configured(tmp_path, OFFLINE, HOST="lan")


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost"])
@pytest.mark.parametrize("reachable", [CLASSROOM, OFFLINE], ids=["a network", "none"])
def test_without_lan_only_this_machine_may_come_in(tmp_path: Path, host: str, reachable: Network) -> None:
    config = configured(tmp_path, reachable, HOST=host)

    assert config.listens == config.shown == ("127.0.0.1",)
    assert not config.is_open


def test_an_empty_variable_means_its_default(tmp_path: Path) -> None:
    config = configured(tmp_path, **dict.fromkeys(("HOST", "WORKERS", "STACKS"), ""))

    assert (config.url, config.workers) == (f"http://127.0.0.1:{config.port}/", 2)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("Lehrer-Laptop.schule.example.", CLASSROOM.names),
        ("laptop", ("laptop", "laptop.local")),
        ("laptop.local", ("laptop.local",)),
        ("", ()),
        ("localhost", ()),
        ("localhost.localdomain", ()),
        ("a_b", ()),
        ("rechner-übung", ()),
    ],
)
def test_a_machines_names_are_its_own_and_the_local_one(host: str, expected: tuple[str, ...]) -> None:
    assert host_names(host) == expected


def test_this_machines_own_interfaces_can_be_read() -> None:
    assert "127.0.0.1" in [interface.address for interface in addresses._interfaces()]
