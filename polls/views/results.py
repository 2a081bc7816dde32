"""Live results: a page, the same as JSON, and the QR code that leads to the survey."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import segno
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from failover import gateway

from .. import selectors, words
from ..definitions import Kind, Question
from ..known import Known
from ..surveys import Survey
from ..tally import Tally, percent
from .common import no_region, survey_url, with_survey
from .problems import no_region_problem

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"


@dataclass(frozen=True)
class Bar:
    """One option as it is drawn."""

    id: str
    text: str
    count: int
    percent: float
    letter: str


@dataclass(frozen=True)
class Chart:
    """One question as it is drawn; `average` is a rating's, None while nobody has answered."""

    question: Question
    answered: int
    bars: tuple[Bar, ...]
    average: float | None


@require_safe
@with_survey
def results(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The counts, asked for again every two seconds; an unchanged reply is a 304."""
    try:
        found = selectors.results(known.value)
    except gateway.NoRegionAnswered as error:
        return no_region(request, error)
    survey, age_ms = known.value, found.age_ms()
    context = {
        "survey": survey,
        "charts": charts(survey, found.value.tally),
        "voters": found.value.tally.voters,
        "region": found.region,
        "as_of": datetime.fromtimestamp(found.at, UTC),
        "age_ms": age_ms,
        "ago": words.ago(age_ms / 1000),
        "stale": not found.value.current,
        "short_url": survey_url(request, survey.code).partition("://")[2].rstrip("/"),
    }
    if request.headers.get("HX-Request") == "true":
        response = _unless_unchanged(request, render(request, "polls/results_live.html", context))
    else:
        response = render(request, "polls/results.html", context)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-cache"
    response["X-Served-Region"] = found.region
    response["X-Counted-Age-Ms"] = str(
        age_ms
    )  # beside the reply, so that an unchanged one is a 304 and its age is still new
    return response


@never_cache
@require_safe
@with_survey
def results_json(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The counts by contract."""
    try:
        found = selectors.results(known.value)
    except gateway.NoRegionAnswered as error:
        return no_region_problem(error)
    response = JsonResponse(document(known.value, found))
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
    """results.json: percent is of the voters who answered the question."""
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
        "age_ms": found.age_ms(),
    }


def charts(survey: Survey, tally: Tally) -> list[Chart]:
    """The questions in the survey's order, with what was chosen."""
    return [_chart(question, tally) for question in survey.questions]


def _chart(question: Question, tally: Tally) -> Chart:
    answered, chosen = tally.answered.get(question.id, 0), tally.chosen.get(question.id, {})
    bars = tuple(
        Bar(option.id, option.text, chosen.get(option.id, 0), percent(chosen.get(option.id, 0), answered), letter)
        for option, letter in zip(question.choices, LETTERS, strict=False)
    )
    average = None
    if question.kind is Kind.RATING and answered:
        average = round(sum(int(bar.id) * bar.count for bar in bars) / answered, 2)
    return Chart(question, answered, bars, average)


def _unless_unchanged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response["ETag"] = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    return get_conditional_response(request, etag=response["ETag"], response=response) or response
