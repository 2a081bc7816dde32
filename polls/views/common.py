"""Shared by every page: the survey of a code, or an error page instead; the region's name on the
reply; addresses that phones can open; the language buttons of a form.
"""

from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.i18n import set_language

from failover import gateway
from polls.common import wording
from polls.common.freshness import Known
from polls.surveys import selectors
from polls.surveys.survey import Survey
from polls.views import kept

RETRY_S = 2  # seconds after which a page that got no answer asks to be loaded again


def with_survey(view: Callable[[HttpRequest, Known[Survey]], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Give the view the survey of its code, and name the answering region on the reply.

    Without a survey the view is not called: 404 for a code that no survey has, 410 for a deleted
    survey, 429 after too many wrong codes, 503 in plain words while no region answers.
    """

    @wraps(view)
    def inner(request: HttpRequest, code: str) -> HttpResponseBase:
        try:
            known = selectors.survey_get(code)
            response = view(request, known)  # the view may read it again, and find it deleted by now
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
    """As `with_survey`, for the instructor's pages: they need the survey alone, not its age and
    region.
    """

    @wraps(view)
    def inner(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
        return view(request, known.value)

    return with_survey(inner)


def gone(request: HttpRequest, code: str) -> HttpResponse:
    """The 410 page: there was a survey, and its instructor deleted it."""
    return render(request, "polls/public/gone.html", {"code": code}, status=410)


def too_many_guesses(request: HttpRequest, typed: str = "") -> HttpResponse:
    """The 429 page: the code is not looked up now, because too many wrong codes were tried."""
    mistake = _("Too many codes were tried that do not exist. Wait a few seconds, then try again.")
    response = render(request, "polls/public/join.html", {"typed": typed[:40], "mistake": mistake}, status=429)
    response["Retry-After"] = str(RETRY_S)
    return response


def no_region(request: HttpRequest, error: gateway.NoRegionAnswered) -> HttpResponse:
    """The 503 page: which regions were tried, and that trying again is safe.

    Where every region refuses the call, it says that this service is set up wrongly.
    """
    context = {
        "failures": failures(error),
        "misconfigured": isinstance(error, gateway.RefusedEverywhere),
        "typed": kept.typed(request),
    }
    response = render(request, "polls/public/no_region.html", context, status=503)
    response["Retry-After"] = str(RETRY_S)
    return response


def failures(error: gateway.NoRegionAnswered) -> list[str]:
    """A sentence for each region that was tried.

    Where every region refuses the call, a sentence about the configuration comes first.
    """
    attempts = wording.last_of_each([attempt.as_json() for attempt in error.attempts])
    sentences = [wording.failed(attempt["region"], attempt["outcome"]) for attempt in attempts]
    mistake = _("This service is set up wrongly: please tell your instructor.")
    return [mistake, *sentences] if isinstance(error, gateway.RefusedEverywhere) else sentences


def public_url(request: HttpRequest, path: str) -> str:
    """The full address of a path: below SURVEY_PUBLIC_URL where that is set, else below the host of
    this request.
    """
    base = settings.SURVEY_PUBLIC_URL.rstrip("/")
    return f"{base}{path}" if base else request.build_absolute_uri(path)


def phones_can_open(url: str) -> bool:
    """Whether another machine can open this address. A loopback address leads each machine to
    itself.
    """
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")


def survey_url(request: HttpRequest, code: str) -> str:
    """The full address of the page where students vote."""
    return public_url(request, reverse("polls:survey", args=[code]))


def language_pressed(request: HttpRequest) -> bool:
    """Whether the form was sent by a button of the language switch, which sends the form so that
    nothing typed is lost.

    If so, this activates the language, so that the reply is in it.
    """
    wanted = request.POST.get("language", "") if request.method == "POST" else ""
    if wanted not in dict(settings.LANGUAGES):
        return False
    translation.activate(wanted)
    return True


def with_language(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The reply with the language cookie, so that the other pages are in that language too."""
    response.cookies.update(set_language(request).cookies)
    return response
