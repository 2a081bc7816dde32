"""Reads a visitor's address, scheme and host from the headers of proxies in front.

Only a peer that `SURVEY_TRUSTED_PROXIES` names is believed. The headers of all others are removed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED = "HTTP_X_FORWARDED_"
FOR, PROTO, HOST = f"{FORWARDED}FOR", f"{FORWARDED}PROTO", f"{FORWARDED}HOST"


class TrustedProxyMiddleware:
    """Makes `REMOTE_ADDR` the visitor's address. `X-Forwarded-Proto` and `X-Forwarded-Host` stay,
    for Django to read, where a trusted proxy set them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Rewrites what Django and axes read of the request."""
        meta, trusted = request.META, settings.TRUSTED_PROXIES
        given = {name: meta.pop(name) for name in [*meta] if name.startswith(FORWARDED)}
        meta.pop("HTTP_FORWARDED", None)
        peer = parsed(meta.get("REMOTE_ADDR", ""))
        if peer is not None and _is_in(peer, trusted):
            meta["REMOTE_ADDR"] = str(client(peer, given.get(FOR, ""), trusted))
            for name in (PROTO, HOST):
                # The proxy next to us wrote the last value. A visitor may have written those
                # before.
                if value := given.get(name, "").rpartition(",")[2].strip():
                    meta[name] = value.lower()
        return self._get_response(request)


def client(peer: Address, forwarded_for: str, trusted: Sequence[Network]) -> Address:
    """The visitor's address: the right-most one that belongs to no trusted proxy, or the last one
    that can be read.
    """
    known = peer
    for text in reversed(forwarded_for.split(",")):
        address = parsed(text)
        if address is None:
            return known
        known = address
        if not _is_in(address, trusted):
            return known
    return known


def parsed(text: str) -> Address | None:
    """An address as proxies write it, with or without a port and brackets; None for other text."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
