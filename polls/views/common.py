"""What every page needs: the survey or a page that says why there is none, and the region's name on
the reply.
"""

from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from failover import gateway
from polls.common import wording
from polls.common.freshness import Known
from polls.surveys import selectors
from polls.surveys.survey import Survey
from polls.views import kept

RETRY_S = 2  # a page that found no region asks to be loaded again after so many seconds


def with_survey(view: Callable[[HttpRequest, Known[Survey]], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Hands the view its survey; 404 for a code that nobody knows, 410 for a deleted survey, 503 in
    plain words while no region can say.
    """

    @wraps(view)
    def inner(request: HttpRequest, code: str) -> HttpResponseBase:
        try:
            known = selectors.survey_get(code)
            response = view(request, known)  # which may find that it was deleted a moment ago
        except selectors.SurveyDeleted:
            return gone(request, code)
        except selectors.TooManyGuesses:
            return too_many_guesses(request)
        except selectors.SurveyUnknown:
            raise Http404(_("No survey has the code %(code)s.") % {"code": code}) from None
        except gateway.NoRegionAnswered as error:
            return no_region(request, error)
        response.setdefault("X-Served-Region", known.region)
        return response

    return inner


def staff_survey(view: Callable[[HttpRequest, Survey], HttpResponse]) -> Callable[..., HttpResponseBase]:
    """As `with_survey`, for instructors' pages, which act on the survey alone."""

    @wraps(view)
    def inner(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
        return view(request, known.value)

    return with_survey(inner)


def gone(request: HttpRequest, code: str) -> HttpResponse:
    """410: there was a survey, and its instructor deleted it."""
    return render(request, "polls/public/gone.html", {"code": code}, status=410)


def too_many_guesses(request: HttpRequest, typed: str = "") -> HttpResponse:
    """429: a code that is not looked up now, because too many were tried that nobody has."""
    mistake = _("Too many codes were tried that do not exist. Wait a few seconds, then try again.")
    response = render(request, "polls/public/join.html", {"typed": typed[:40], "mistake": mistake}, status=429)
    response["Retry-After"] = str(RETRY_S)
    return response


def no_region(request: HttpRequest, error: gateway.NoRegionAnswered) -> HttpResponse:
    """503: what was tried, and that trying again is safe; or that this service is set up wrongly."""
    context = {
        "failures": failures(error),
        "misconfigured": isinstance(error, gateway.RefusedEverywhere),
        "retry_s": RETRY_S,
        "typed": kept.typed(request),
    }
    response = render(request, "polls/public/no_region.html", context, status=503)
    response["Retry-After"] = str(RETRY_S)
    return response


def failures(error: gateway.NoRegionAnswered) -> list[str]:
    """A sentence for each region that was tried, and one more where all of them refuse."""
    attempts = wording.last_of_each([attempt.as_json() for attempt in error.attempts])
    each = [wording.failed(attempt["region"], attempt["outcome"]) for attempt in attempts]
    mistake = _("This service is set up wrongly: please tell your instructor.")
    return [mistake, *each] if isinstance(error, gateway.RefusedEverywhere) else each


def public_url(request: HttpRequest, path: str) -> str:
    """An address as a phone must open it: the configured one, else the one that this request came
    to.
    """
    base = settings.SURVEY_PUBLIC_URL.rstrip("/")
    return f"{base}{path}" if base else request.build_absolute_uri(path)


def phones_can_open(url: str) -> bool:
    """Whether an address leads another machine here: the loopback address leads each machine to
    itself.
    """
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")


def survey_url(request: HttpRequest, code: str) -> str:
    """Where students vote."""
    return public_url(request, reverse("polls:survey", args=[code]))
