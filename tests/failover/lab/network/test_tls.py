"""A lab with TLS: its authority, its certificates, the faults of the handshake, and a whole demo."""

import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.lab.config import account_host, endpoint_host
from failover.lab.faults.kinds import KINDS, FaultKind
from failover.lab.faults.outside import FrontConnection, region_of
from failover.lab.network.certificates import make_certificates
from tests.failover.lab.support import EAST, WEST, OwnLab, own_lab, seen_while_it_lasts_only
from tests.integration.demo import demo_in, named

pytestmark = pytest.mark.lab
OVER_TLS = [kind for kind in KINDS if kind.needs_tls or kind.name in ("reset", "lost-reply", "http-503")]


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnLab]:
    """The lab of these tests, in place of the one that speaks plain HTTP."""
    with own_lab(tmp_path_factory.mktemp("tls"), LAB_TLS="1") as lab:
        yield lab


@pytest.mark.parametrize("kind", OVER_TLS, ids=lambda kind: kind.name)
def test_every_kind_is_seen_from_outside_while_it_lasts_and_not_before_or_after(cloud: OwnLab, kind: FaultKind):
    seen_while_it_lasts_only(cloud, kind)


def test_app_env_names_https_endpoints_and_the_authority_to_trust(cloud: OwnLab):
    lines = dict(line.split("=", 1) for line in (cloud.dir / "app.env").read_text().splitlines())
    assert lines["AWS_CA_BUNDLE"] == cloud.client.state()["tls"]["ca"] == str(cloud.dir / "tls" / "ca.pem")
    assert [entry.split("=")[1].partition(":")[0] for entry in lines["FAILOVER_ENDPOINTS"].split(",")] == ["https"] * 2


def test_no_private_key_is_left_on_the_disk(cloud: OwnLab):
    files = [path for path in (cloud.dir / "tls").rglob("*") if path.is_file()]
    assert files == [cloud.dir / "tls" / "ca.pem"]
    assert "PRIVATE KEY" not in files[0].read_text()
    assert stat.S_IMODE((cloud.dir / "tls").stat().st_mode) == 0o700


@pytest.mark.parametrize("host", [endpoint_host, account_host], ids=["the regional name", "the account's name"])
def test_a_regions_certificate_is_for_both_of_its_names_and_no_other_regions(cloud: OwnLab, host):
    context = ssl.create_default_context(cafile=cloud.client.state()["tls"]["ca"])
    address = ("127.0.0.1", cloud.region(EAST)["front"]["port"])
    with socket.create_connection(address) as raw, context.wrap_socket(raw, server_hostname=host(EAST)):
        pass
    with (
        socket.create_connection(address) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(raw, server_hostname=host(WEST))


def test_a_front_speaks_nothing_but_tls(cloud: OwnLab):
    state = cloud.client.state()
    assert region_of(state, EAST)["front"]["open"]
    with FrontConnection({**state, "tls": None}, EAST) as plain:
        assert plain.ask().end in ("closed", "reset")


def test_every_start_makes_another_authority(tmp_path: Path):
    authorities = []
    for _ in range(2):
        assert make_certificates(tmp_path, (EAST, WEST)).keys() == {EAST, WEST}
        authorities.append((tmp_path / "tls" / "ca.pem").read_text())
    assert authorities[0] != authorities[1]


@pytest.mark.timeout(240)
def test_a_whole_demo_votes_over_tls_and_says_so_when_the_handshake_breaks(tmp_path: Path):
    with demo_in(tmp_path, LAB_TLS="1", WORKERS="1", FAILOVER_HOLD_S="1") as demo:
        reply = demo.vote("tls-voter-1", named(), {"q1": "o1"})
        assert (reply.status_code, reply.json()["region"]) == (201, EAST)
        demo.fault(EAST, "tls-reset", "--for", "60")
        reply = demo.vote("tls-voter-2", named(), {"q1": "o1"})
        assert (reply.status_code, reply.json()["region"]) == (201, WEST)
        assert reply.json()["attempts"][0]["outcome"] in ("tls", "skipped")
        status = demo.await_status(
            lambda status: status["regions"][0]["checks"]["connect"]["ok"] is False,
            within=20,
            what="the canary has met the fault",
        )
        assert status["regions"][0]["checks"]["connect"]["detail"] == "the TLS handshake failed"
        assert (tmp_path / "tls" / "ca.pem").exists()
    assert not (tmp_path / "tls" / "ca.pem").exists()
