"""Middleware for every reply: the form that its caller can read, the content security policy, the
language and the session.

The language is the visitor's own choice (a cookie), otherwise the one that the browser asks for. A
session lasts while its owner works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from csp.utils import build_policy
from django.conf import settings
from django.core.signals import request_finished
from django.db import DatabaseError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import patch_vary_headers

from failover.gateway import NoRegionAnswered
from polls.views import kept
from polls.views.api.problems import in_place_of, no_region_problem
from polls.views.common import no_region

SPEECHLESS = frozenset({"application/json", "application/openmetrics-text", "image/svg+xml", "text/plain"})
"""Content types that are the same in every language, since a contract fixes keys and values."""
log = logging.getLogger(__name__)


class PolicyMiddleware:
    """Adds the content security policy of the settings, which it builds once. django-csp's own
    middleware builds it twice for every reply (a fifth of the time of a small reply), for
    exceptions and nonces that no page here has.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._policy: str = build_policy()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Adds the header, unless the view has set a policy of its own."""
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", self._policy)
        return response


class ProblemMiddleware:
    """Answers errors below `/api/` with problem documents, and outages with pages that name them.

    Below `/api/` an HTML error page of Django or of a view (an address that does not exist, a host
    that is not allowed, an error of the server) becomes a problem document. This middleware stands
    first because each one below may answer by itself. Any page says so when no region answered, or
    when it needs the accounts and their database cannot be used.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Replaces HTML below `/api/`."""
        response = self._get_response(request)
        if not _is_api(request) or not response.get("Content-Type", "").startswith("text/html"):
            return response
        if response.status_code >= 400:
            return in_place_of(response)
        del response.headers["Content-Type"]  # a redirect or the answer to a preflight, which have no content
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answers the exceptions that views do not handle: no region answers, all of them refuse,
        or the accounts' database cannot be used.
        """
        if isinstance(error, DatabaseError) and not _is_api(request):
            details = {"event": "accounts-unavailable", "error": str(error)}
            log.error("the accounts' database cannot be used: %(error)s", details)
            return render(request, "accounts_unavailable.html", {"typed": kept.typed(request)}, status=503)
        if not isinstance(error, NoRegionAnswered):
            return None
        return no_region_problem(error) if _is_api(request) else no_region(request, error)


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


class LanguageMiddleware:
    """Activates the visitor's language, and adds `Vary: Cookie` beside `Vary: Accept-Language`.

    A cookie decides the language too, so no cache may give one visitor's language to another.
    Django's own middleware does not add `Vary: Cookie`, and looks for languages in addresses, which
    have none here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Names the reply's language, unless its content type has none."""
        translation.activate(translation.get_language_from_request(request))
        response = self._get_response(request)
        if response.get("Content-Type", "").partition(";")[0] not in SPEECHLESS:
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
            response.headers.setdefault("Content-Language", translation.get_language() or "")
        return response


class SlidingSessionMiddleware:
    """Renews a session when its owner opens a page or sends a form. Requests that an open page
    makes by itself do not count as work.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Has the session's cookie set again. A visitor without a session gets no cookie."""
        response = self._get_response(request)
        signed_in = settings.SESSION_COOKIE_NAME in request.COOKIES and not request.session.is_empty()
        if signed_in and _is_work(request, response):
            request.session.modified = True
        return response


def _is_work(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a person made this request. Our own scripts mark their requests. Over TLS and on the
    same machine the browser says what makes the request (`Sec-Fetch-Mode`). Elsewhere a whole page
    counts as opened by a person.
    """
    if request.method not in ("GET", "HEAD"):
        return True
    if request.headers.get("HX-Request") or request.headers.get("X-Requested-With"):
        return False
    asked_by = request.headers.get("Sec-Fetch-Mode")
    return asked_by == "navigate" if asked_by else response.get("Content-Type", "").startswith("text/html")


@receiver(request_finished)
def speak_english(**_sent: object) -> None:
    """Returns to the program's own language, in which a thread logs between two requests."""
    translation.deactivate()
