"""What a proxy says of a visitor is believed of those that the settings name, and of nobody else."""

import ipaddress
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from surveyapp.proxies import TrustedProxyMiddleware, parsed
from surveyapp.settings import values

TRUSTED = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]
FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "forged.example"}


@pytest.fixture(autouse=True)
def _trusted(settings: Any) -> None:
    settings.TRUSTED_PROXIES = [ipaddress.ip_network(text) for text in TRUSTED]
    settings.ALLOWED_HOSTS = ["testserver", "survey.example", "forged.example"]


def seen(peer: str, headers: dict[str, str]) -> tuple[str, str, str]:
    """The address, scheme and host that the application reads."""
    requests: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        requests.append(request)
        return HttpResponse()

    TrustedProxyMiddleware(view)(RequestFactory().get("/", headers={"Host": "testserver", **headers}, REMOTE_ADDR=peer))
    (request,) = requests
    return request.META["REMOTE_ADDR"], request.scheme, request.get_host()


@pytest.mark.parametrize("peer", ["203.0.113.5", "127.0.0.1", "11.0.0.1", "192.0.2.8", "2001:db9::1", ""])
@pytest.mark.parametrize("name", [*FORGED, "Forwarded"])
def test_a_peer_that_is_not_trusted_changes_nothing_by_a_header(peer: str, name: str):
    forged = {**FORGED, "Forwarded": "for=203.0.113.9;proto=https;host=forged.example"}
    assert seen(peer, {name: forged[name]}) == (peer, "http", "testserver")
    assert seen(peer, forged) == (peer, "http", "testserver")


@pytest.mark.parametrize("peer", ["10.1.2.3", "192.0.2.7", "2001:db8::5", "::ffff:10.1.2.3"])
def test_a_trusted_proxy_tells_address_scheme_and_host(peer: str):
    headers = {"X-Forwarded-For": "198.51.100.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "survey.example"}
    assert seen(peer, headers) == ("198.51.100.4", "https", "survey.example")


@pytest.mark.parametrize(
    ("forwarded_for", "address"),
    [
        ("", "10.0.0.1"),
        ("198.51.100.4", "198.51.100.4"),
        ("203.0.113.9, 198.51.100.4", "198.51.100.4"),
        ("203.0.113.9, 198.51.100.4, 10.9.9.9", "198.51.100.4"),
        ("203.0.113.9,198.51.100.4,10.9.9.9,192.0.2.7", "198.51.100.4"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("198.51.100.4:5123", "198.51.100.4"),
        ("[2001:db9::4]:5123", "2001:db9::4"),
        ("2001:db9::4", "2001:db9::4"),
        ("198.51.100.4, unknown", "10.0.0.1"),
        ("198.51.100.4, garbage, 10.2.2.2", "10.2.2.2"),
        ("198.51.100.4,", "10.0.0.1"),
        ("<script>", "10.0.0.1"),
        (",".join(["203.0.113.9"] * 400), "203.0.113.9"),
    ],
)
def test_the_visitor_is_the_right_most_address_that_is_no_trusted_proxy(forwarded_for: str, address: str):
    assert seen("10.0.0.1", {"X-Forwarded-For": forwarded_for})[0] == address


@pytest.mark.parametrize(
    ("name", "value", "scheme_and_host"),
    [
        ("X-Forwarded-Proto", "https, http", ("http", "testserver")),
        ("X-Forwarded-Proto", "http, HTTPS ", ("https", "testserver")),
        ("X-Forwarded-Proto", "ftp", ("http", "testserver")),
        ("X-Forwarded-Host", "forged.example, survey.example", ("http", "survey.example")),
        ("X-Forwarded-Host", "", ("http", "testserver")),
        ("X-Forwarded-Port", "9999", ("http", "testserver")),
        ("X-Forwarded-Ssl", "on", ("http", "testserver")),
    ],
)
def test_the_word_of_the_nearest_proxy_counts(name: str, value: str, scheme_and_host: tuple[str, str]):
    assert seen("10.0.0.1", {name: value})[1:] == scheme_and_host


def test_without_the_setting_nobody_is_believed(settings: Any):
    settings.TRUSTED_PROXIES = []
    assert seen("10.0.0.1", FORGED) == ("10.0.0.1", "http", "testserver")


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "[", "[]", "1.2.3.4.5", "::1::", "1" * 5000, "0x7f.1"])
def test_what_is_no_address_is_none(text: str):
    assert parsed(text) is None


def test_networks_are_read_with_commas_and_spaces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SURVEY_TRUSTED_PROXIES", " 10.0.0.0/8,192.0.2.7 2001:db8::/32 ,")
    assert [str(network) for network in values.networks("SURVEY_TRUSTED_PROXIES")] == [
        "10.0.0.0/8",
        "192.0.2.7/32",
        "2001:db8::/32",
    ]
    monkeypatch.delenv("SURVEY_TRUSTED_PROXIES")
    assert values.networks("SURVEY_TRUSTED_PROXIES") == []


@pytest.mark.parametrize("text", ["*", "10.0.0.1/8", "10.0.0.0/33", "proxy.example", "0.0.0.0/0", "::/0", "10.0.0"])
def test_a_mistake_in_the_setting_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("SURVEY_TRUSTED_PROXIES", f"192.0.2.7,{text}")
    with pytest.raises(ImproperlyConfigured, match="SURVEY_TRUSTED_PROXIES: "):
        values.networks("SURVEY_TRUSTED_PROXIES")
