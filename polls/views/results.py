"""Live results: a page, the same as JSON, and the QR code that leads to the survey. What an instructor keeps hidden is
counted here and shown to nobody else.
"""

import hashlib
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import segno
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from failover import gateway

from .. import moderation, selectors, words
from ..charts import charts
from ..definitions import Kind, Visibility
from ..known import Known
from ..surveys import Survey
from .common import no_region, survey_url, with_survey
from .problems import no_region_problem, problem
from .staff import is_instructor

TEXTS_A_PAGE = 50


@require_safe
@with_survey
def results(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The counts, asked for again every two seconds; an unchanged reply is a 304."""
    survey, instructor = known.value, is_instructor(request)
    try:
        found = selectors.results(survey)
    except gateway.NoRegionAnswered as error:
        return no_region(request, error)
    context = {**live_context(survey, found), "instructor": instructor, "hidden": is_hidden(survey)}
    context["concealed"] = context["hidden"] and not instructor
    if request.headers.get("HX-Request") == "true":
        response = unless_unchanged(request, render(request, "polls/results_live.html", context))
    else:
        try:
            context["text_pages"] = _text_pages(request, survey) if instructor else []
        except gateway.NoRegionAnswered:
            context["text_pages"], context["texts_unread"] = [], True
        context["short_url"] = survey_url(request, survey.code).partition("://")[2].rstrip("/")
        context["url"] = survey_url(request, survey.code)
        response = render(request, "polls/results.html", context)
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    response["Cache-Control"] = "no-cache"
    say_when(response, found)
    return response


@never_cache
@require_safe
@with_survey
def results_json(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The counts by contract; 403 with "reason": "hidden" while the instructor keeps them back."""
    survey = known.value
    try:
        found = selectors.results(survey)
    except gateway.NoRegionAnswered as error:
        return no_region_problem(error)
    response: HttpResponse
    if is_hidden(survey) and not is_instructor(request):
        response = problem(
            403,
            _("The results are hidden until the instructor reveals them."),
            reason="hidden",
            code=survey.code,
            round=survey.round,
            state=survey.state.value,
            voters=found.value.tally.voters,
        )
    else:
        response = JsonResponse(document(survey, found))
    patch_vary_headers(response, ["Cookie"])
    response["X-Served-Region"] = found.region
    return response


@require_safe
def qr(request: HttpRequest, code: str) -> HttpResponse:
    """A QR code of the survey's address; it needs no region, so a projector can always show it."""
    drawn = BytesIO()
    segno.make(survey_url(request, code), error="m", micro=False).save(
        drawn, kind="svg", scale=8, border=2, dark="#000", light="#fff", xmldecl=False, title=code, omitsize=True
    )
    response = HttpResponse(drawn.getvalue(), content_type="image/svg+xml")
    response["Cache-Control"] = "max-age=300"
    return response


def document(survey: Survey, found: Known[selectors.Results]) -> dict[str, Any]:
    """results.json: percent is of the voters who answered the question; `compared_at` is when the region last held its
    counts against all ballots.
    """
    compared = _moment(found.value.compared_at)
    return {
        "code": survey.code,
        "round": survey.round,
        "state": survey.state.value,
        "voters": found.value.tally.voters,
        "questions": [
            {
                "id": chart.question.id,
                "text": chart.question.text,
                "kind": chart.question.kind.value,
                "answered": chart.answered,
                "average": chart.average,
                "options": [
                    {"id": bar.id, "text": bar.text, "count": bar.count, "percent": bar.percent} for bar in chart.bars
                ],
            }
            for chart in charts(survey, found.value.tally)
        ],
        "region": found.region,
        "as_of": datetime.fromtimestamp(found.at, UTC).isoformat(timespec="milliseconds"),
        "compared_at": compared.isoformat(timespec="milliseconds") if compared else None,
        "age_ms": found.age_ms(),
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def live_context(survey: Survey, found: Known[selectors.Results]) -> dict[str, Any]:
    """What the page of the results shows of one reading."""
    age_ms = found.age_ms()
    return {
        "survey": survey,
        "charts": charts(survey, found.value.tally),
        "voters": found.value.tally.voters,
        "region": found.region,
        "as_of": datetime.fromtimestamp(found.at, UTC),
        "compared_at": _moment(found.value.compared_at),
        "age_ms": age_ms,
        "ago": words.ago(age_ms / 1000),
        "stale": not found.value.current,
    }


def is_hidden(survey: Survey) -> bool:
    """Whether only instructors may see the counts."""
    return survey.results is Visibility.HIDDEN


def say_when(response: HttpResponse, found: Known[Any]) -> None:
    """The reading's region and age stand beside the reply: an unchanged one is a 304, and its age is still new."""
    response["X-Served-Region"] = found.region
    response["X-Counted-Age-Ms"] = str(found.age_ms())


def unless_unchanged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The reply, or a 304 where the reader has it already."""
    response["ETag"] = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    return get_conditional_response(request, etag=response["ETag"], response=response) or response


def _text_pages(request: HttpRequest, survey: Survey) -> list[dict[str, Any]]:
    """A page of each question's free texts, hidden ones among them: only instructors see these."""
    shown = []
    for question in survey.questions:
        if question.kind is Kind.TEXT:
            after = request.GET.get(f"after_{question.id}", "")
            page = moderation.page(survey, question.id, after=after, limit=TEXTS_A_PAGE)
            shown.append({"question": question, "page": page, "after": after})
    return shown
