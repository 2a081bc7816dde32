"""Reads values from the environment strictly: a typing error is one clear line, not a guess."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import os
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from failover.core.text import harm, whole_number

OURS = ("DJANGO_", "SURVEY_", "FAILOVER_", "LAB_", "DEMO_")
SHORTEST_SECRET = 50
HOST = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
PORT = re.compile(r"[0-9]{1,5}")
TRUE, FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


class _AsTheyStand(Mapping[str, str]):
    """The environment for django-environ, with every dollar escaped. django-environ takes a value
    that begins with a dollar for another variable's name, but a secret key may begin with one.
    """

    def __getitem__(self, name: str) -> str:
        return os.environ[name].replace("$", r"\$")

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


ENV = environ.Env()
ENV.ENVIRON = _AsTheyStand()
ENV.escape_proxy = True


def text(name: str, *, default: str = "") -> str:
    """The text of a variable without the blanks around it. An empty variable counts as unset."""
    value: str = ENV.str(name, default="")
    return value.strip() or default


def unset_empty(prefix: str) -> None:
    """Removes the empty variables that begin with `prefix`: libraries that read them would take an
    empty one as set.
    """
    for name in [name for name in os.environ if name.startswith(prefix) and not text(name)]:
        del os.environ[name]


def words(name: str) -> list[str]:
    """A list that is separated by commas."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def secret(name: str) -> str:
    """A secret key. Raises `ImproperlyConfigured` without it in the message."""
    key = text(name)
    if len(key) < SHORTEST_SECRET:
        raise ImproperlyConfigured(f"{name}: must be at least {SHORTEST_SECRET} random characters, not {len(key)}")
    return key


def hosts(name: str) -> list[str]:
    """Host names and addresses, as Django's `ALLOWED_HOSTS` takes them: without a scheme, a port or
    a path.
    """
    for host in words(name):
        if not HOST.fullmatch(host):
            raise ImproperlyConfigured(f"{name}={host}: must be a host name without a scheme, a port and a path")
    return words(name)


def origins(name: str) -> list[str]:
    """Origins of sites, each as in https://survey.example.org."""
    for url in words(name):
        if not _is_web_address(url) or urlsplit(url).path.strip("/"):
            raise ImproperlyConfigured(f"{name}={url}: must be an origin, as in https://survey.example.org")
    return [url.rstrip("/") for url in words(name)]


def web_address(name: str) -> str:
    """An http or https URL, or nothing."""
    url = text(name)
    if url and not _is_web_address(url):
        raise ImproperlyConfigured(f"{name}={url}: must be a URL, as in https://survey.example.org/")
    return url


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def file(name: str, *, default: str) -> str:
    """The path of a file in a directory that exists."""
    path = text(name, default=default)
    try:
        there = Path(path).resolve().parent.is_dir() and not Path(path).is_dir()
    except (OSError, ValueError):
        there = False
    if not there:
        raise ImproperlyConfigured(f"{name}={path}: must be a file in a directory that exists")
    return path


def address(name: str, *, default: str) -> str:
    """Where a server listens: HOST:PORT, or unix:PATH."""
    bind = text(name, default=default)
    host, _, port = bind.rpartition(":")
    if not bind.startswith("unix:/") and not (host and PORT.fullmatch(port) and 0 < int(port) < 65_536):
        raise ImproperlyConfigured(f"{name}={bind}: must be HOST:PORT, as in 127.0.0.1:8000, or unix:/PATH")
    return bind


def refuse_harm() -> None:
    """Ends the start with one line, without the value, which may be a secret, when a variable of
    ours holds what no page, header or file can carry: bytes that are no UTF-8 above all.
    """
    for name, text in sorted(os.environ.items()):
        if name.startswith(OURS) and (character := harm(text, lines=True)) is not None:
            raise ImproperlyConfigured(f"{name}: holds a character that cannot be shown: {character}")


def flag(name: str, *, default: bool) -> bool:
    """True or false. Nothing else is taken for false: "ture" would switch TLS off."""
    word = text(name).lower()
    if not word:
        return default
    if word not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name}={word}: must be true or false")
    return word in TRUE


def whole(name: str, *, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    written = text(name, default=str(default))
    number = whole_number(written)
    if number is None or not low <= number <= high:
        raise ImproperlyConfigured(f"{name}={written}: must be a whole number from {low} to {high}")
    return number


def log_level(name: str, *, default: str) -> str:
    """The name of a log level."""
    level = text(name, default=default).upper()
    known = logging.getLevelNamesMapping()
    if level not in known:
        raise ImproperlyConfigured(f"{name}={level}: must be one of {', '.join(known)}")
    return level


def word(name: str, *, default: str, known: tuple[str, ...]) -> str:
    """One of a few words."""
    given = text(name, default=default).lower()
    if given not in known:
        raise ImproperlyConfigured(f"{name}={given}: must be one of {', '.join(known)}")
    return given


def time_zone(name: str, *, default: str) -> str:
    """The name of a time zone, such as Europe/Berlin."""
    zone = text(name, default=default)
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ImproperlyConfigured(f"{name}={zone}: is not the name of a time zone, such as Europe/Berlin") from None
    return zone


def networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Addresses and networks, separated by commas."""
    parsed = []
    for text in os.environ.get(name, "").replace(",", " ").split():
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name}: {text} must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8"
            ) from None
        if network.prefixlen == 0:
            raise ImproperlyConfigured(f"{name}: {text} would trust everybody")
        parsed.append(network)
    return parsed


def installation(secret_key: str, name: str) -> str:
    """8 hexadecimal characters for the cookies of this installation: browsers send cookies to every
    port of a host, so two installations there need different names.
    """
    return hmac.new(secret_key.encode(), f"cookies:{name}".encode(), hashlib.sha256).hexdigest()[:8]
