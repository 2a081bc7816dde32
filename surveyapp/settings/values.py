"""Values from the environment that must not be taken lightly: a typing error is one clear line, not a guess."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import zoneinfo

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def flag(name: str, *, default: bool) -> bool:
    """True or false. django-environ takes what it does not know for false, and "ture" would switch TLS off."""
    text = os.environ.get(name, "").strip().lower()
    if not text:
        return default
    if text not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name}={text}: must be true or false")
    return text in TRUE


def whole(name: str, *, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isdecimal() or len(text) > 12 or not low <= int(text) <= high:
        raise ImproperlyConfigured(f"{name}={text}: must be a whole number from {low} to {high}")
    return int(text)


def log_level(name: str, *, default: str) -> str:
    """The name of a log level."""
    text = os.environ.get(name, "").strip().upper() or default
    known = logging.getLevelNamesMapping()
    if text not in known:
        raise ImproperlyConfigured(f"{name}={text}: must be one of {', '.join(known)}")
    return text


def word(name: str, *, default: str, known: tuple[str, ...]) -> str:
    """One of a few words."""
    text = os.environ.get(name, "").strip().lower() or default
    if text not in known:
        raise ImproperlyConfigured(f"{name}={text}: must be one of {', '.join(known)}")
    return text


def time_zone(name: str, *, default: str) -> str:
    """The name of a time zone, such as Europe/Berlin."""
    text = os.environ.get(name, "").strip() or default
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ImproperlyConfigured(f"{name}={text}: is not the name of a time zone, such as Europe/Berlin") from None
    return text


def installation(secret_key: str, name: str) -> str:
    """8 hexadecimal characters for the cookies of this installation: browsers send cookies to every port of a host, so
    two installations there need different names.
    """
    return hmac.new(secret_key.encode(), f"cookies:{name}".encode(), hashlib.sha256).hexdigest()[:8]
