"""The lockout after wrong passwords. django-axes counts the tries; these functions tell it by which
name and address.

A name at an address has five tries, then a minute's pause. So a stranger elsewhere does not stop
the instructor, and a student at the hall's one address stops nobody for longer. A browser in which
that name has signed in before is counted by itself: whatever others type beside it, it has its own
five tries, wherever it is.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.core.signing import BadSignature, Signer
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import salted_hmac

from polls.views import kept
from surveyapp.proxies import parsed

SALT = "surveyapp.known-browser"
AGE_S = 365 * 24 * 3600
MOST_NAMES = 8  # of instructors who share a browser
IPV6_PREFIX = 64  # bits: who has one such address has all of its network


class KnownBrowserMiddleware:
    """Marks a browser in which somebody has just signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Sets the cookie: a random number, and which names signed in."""
        response = self._get_response(request)
        if name := getattr(request, "signed_in_name", None):
            number, marks = _known(request)
            others = [mark for mark in marks if mark != _mark(number, name)]
            marks = [_mark(number, name), *others][:MOST_NAMES]
            response.set_cookie(
                settings.KNOWN_BROWSER_COOKIE_NAME,
                Signer(salt=SALT).sign(".".join((number, *marks))),
                max_age=AGE_S,
                path=reverse("admin:index"),
                httponly=True,
                secure=request.is_secure(),
                samesite="Lax",
            )
        return response


@receiver(user_logged_in)
def remember(request: HttpRequest | None, user: Any, **_sent: Any) -> None:
    """Leave the name for the middleware, which has the reply."""
    if request is not None:
        request.signed_in_name = user.get_username()  # type: ignore[attr-defined]  # read by the middleware above


def username(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The name under which tries are counted. In a known browser it contains that browser's number,
    which nobody else can guess.
    """
    name = _typed_name(request, credentials)
    number, marks = _known(request)
    return f"{name} in {number}" if _mark(number, name) in marks else name


def parameters(request: HttpRequest, credentials: dict[str, Any] | None = None) -> list[list[str]]:
    """The parameters by which tries are counted: name and address; in a known browser, the name."""
    number, marks = _known(request)
    name = _typed_name(request, credentials)
    return [["username"]] if _mark(number, name) in marks else [["username", "ip_address"]]


def address(request: HttpRequest) -> str | None:
    """The address of a try; for IPv6 its network."""
    visitor = parsed(request.META.get("REMOTE_ADDR", ""))
    if isinstance(visitor, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((visitor, IPV6_PREFIX), strict=False).network_address)
    return None if visitor is None else str(visitor)


def locked_out(request: HttpRequest, _response: HttpResponseBase, _credentials: dict[str, Any] | None) -> HttpResponse:
    """Answers 429 with the time to wait. The page keeps a survey that was being written."""
    typed = kept.typed(request)
    response = kept.sign_in(request, locked_out=True) if typed else render(request, "admin/locked_out.html")
    response.status_code = HTTPStatus.TOO_MANY_REQUESTS
    response["Retry-After"] = str(round(settings.AXES_COOLOFF_TIME.total_seconds()))
    return response


def _typed_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    return str((credentials or request.POST).get("username") or "")


def _known(request: HttpRequest) -> tuple[str, list[str]]:
    """This browser's number (a new one if it has none), and the marks of the names that signed in."""
    try:
        signed = Signer(salt=SALT).unsign(request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE_NAME, ""))
    except BadSignature:
        return secrets.token_urlsafe(16), []
    number, *marks = signed.split(".")
    return number, marks


def _mark(number: str, name: str) -> str:
    """A name as the cookie holds it: it does not tell who signed in."""
    return salted_hmac(SALT, f"{number}:{name}", algorithm="sha256").hexdigest()[:16]
