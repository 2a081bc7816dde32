"""What every reply has: a form that its caller can read, its content security policy, its language,
which is the visitor's own choice (a cookie), else what their browser asks for, and a session that
lasts while its owner works.
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
"""Content types whose keys and values are fixed by contract: they are the same in every language.
"""
log = logging.getLogger(__name__)


class PolicyMiddleware:
    """The policy of the settings, put together once: django-csp's own middleware does so twice for
    every reply, a fifth of what a small one costs, for exceptions and nonces that no page here has.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._policy: str = build_policy()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Adds the header."""
        response = self._get_response(request)
        response.headers["Content-Security-Policy"] = self._policy
        return response


class ProblemMiddleware:
    """Below `/api/` nothing is answered in HTML: what Django or a view would say on a page (an
    address that does not exist, a host that is not allowed, a mistake of ours) becomes a problem
    document. It stands first, since each middleware below may answer by itself. A page for which no
    region answered says so, whichever page it is, and so does one that needs the accounts while
    their database cannot be used.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Says it in the caller's form."""
        response = self._get_response(request)
        if not _is_api(request) or not response.get("Content-Type", "").startswith("text/html"):
            return response
        if response.status_code >= 400:
            return in_place_of(response)
        del response.headers["Content-Type"]  # a redirect or the answer to a preflight, which have no content
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """What a view did not expect: that no region answers or all of them refuse, or the
        accounts' database.
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
    """The visitor's language for this request, and `Vary: Cookie` beside `Vary: Accept-Language`: a
    cookie decides it too, so no cache may hand one visitor's language to another. (Django's own
    middleware does not say the former, and looks for languages in addresses, where we have none.)
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Says which language the reply is in, unless it is in none."""
        translation.activate(translation.get_language_from_request(request))
        response = self._get_response(request)
        if response.get("Content-Type", "").partition(";")[0] not in SPEECHLESS:
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
            response.headers.setdefault("Content-Language", translation.get_language() or "")
        return response


class SlidingSessionMiddleware:
    """A session lasts from what its owner did last: a page that was opened, a form that was sent.
    What a page asks by itself, for as long as it is open, is no work.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Has the session's cookie set anew; a visitor without one is asked for nothing."""
        response = self._get_response(request)
        signed_in = settings.SESSION_COOKIE_NAME in request.COOKIES and not request.session.is_empty()
        if signed_in and _is_work(request, response):
            request.session.modified = True
        return response


def _is_work(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a person did this. Scripts of ours say that they ask; where the browser tells what
    asks (over TLS, and on the own machine), its word counts; elsewhere a whole page is what a
    person opens.
    """
    if request.method not in ("GET", "HEAD"):
        return True
    if request.headers.get("HX-Request") or request.headers.get("X-Requested-With"):
        return False
    asked_by = request.headers.get("Sec-Fetch-Mode")
    return asked_by == "navigate" if asked_by else response.get("Content-Type", "").startswith("text/html")


@receiver(request_finished)
def speak_english(**_sent: object) -> None:
    """What a thread does between two requests (what it logs, above all) is said in this program's
    own language.
    """
    translation.deactivate()
