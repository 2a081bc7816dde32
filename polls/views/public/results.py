"""Live results: a page, the same as JSON, and the QR code that leads to the survey. Hidden results
are counted too, and shown to instructors only.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import segno
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from failover import gateway
from polls.common import wording
from polls.common.caching import Made
from polls.common.freshness import Known
from polls.results import moderation
from polls.results import selectors as result_selectors
from polls.results.charts import charts
from polls.results.selectors import Results
from polls.surveys import expiry, selectors
from polls.surveys.definitions import Kind
from polls.surveys.survey import Survey
from polls.views.api.problems import no_region_problem, problem
from polls.views.common import no_region, phones_can_open, survey_url, with_survey
from polls.views.readings import Fragment, ReadingKey, document, moment, say_when, say_where
from polls.views.staff import is_instructor

TEXTS_A_PAGE = 50
FOR_THE_CLASS = "class"  # `?for=class`: what voters see, also for an instructor, who shows it on a wall

_fragments: Made[ReadingKey, Fragment] = Made()


@require_safe
@with_survey
def results(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The page of the counts. htmx asks for its live part every two seconds; an unchanged one is a
    304.
    """
    survey, for_class = known.value, request.GET.get("for") == FOR_THE_CLASS
    instructor = not for_class and is_instructor(request)
    try:
        reading = result_selectors.results(survey)
    except gateway.NoRegionAnswered as error:
        return no_region(request, error)
    if request.headers.get("HX-Request") == "true":
        key = ReadingKey.of(survey, reading, instructor)
        response = _fragments.get(key, lambda: Fragment.of(_live(survey, reading, instructor))).reply(request)
    else:
        context = _context(survey, reading, instructor)
        try:
            context["text_pages"] = _text_pages(request, survey) if instructor else []
        except gateway.NoRegionAnswered:
            context["text_pages"], context["texts_unread"] = [], True
        url = context["url"] = survey_url(request, survey.code)
        context["short_url"] = url.partition("://")[2].rstrip("/")
        context["phones_cannot_open"] = instructor and not phones_can_open(url)
        context["query"] = f"?for={FOR_THE_CLASS}" if for_class else ""
        context["notice"] = expiry.notice(survey) if instructor else ""
        context["presents"] = for_class and is_instructor(request)
        response = render(request, "polls/results/results.html", context)
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    response["Cache-Control"] = "no-cache"
    say_when(response, reading)
    return response


@cache_control(no_store=True)  # also the replies 404 and 503
@require_safe
@with_survey
def results_json(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The counts as JSON; 403 with "reason": "hidden" while the instructor hides them from voters."""
    survey = known.value
    try:
        reading = result_selectors.results(survey)
    except gateway.NoRegionAnswered as error:
        return no_region_problem(error)
    response: HttpResponse
    if survey.is_hidden and not is_instructor(request):
        response = problem(
            403,
            _("The results are hidden until the instructor reveals them."),
            reason="hidden",
            code=survey.code,
            round=survey.round,
            state=survey.state.value,
            voters=reading.value.tally.voters,
        )
    else:
        response = JsonResponse(document(survey, reading))
    patch_vary_headers(response, ["Cookie"])
    say_where(response, reading)
    return response


@require_safe
def qr(request: HttpRequest, code: str) -> HttpResponse:
    """A QR code of the survey's address; it needs no region, so a projector can always show it."""
    image = BytesIO()
    segno.make(survey_url(request, code), error="m", micro=False).save(
        image, kind="svg", scale=8, border=2, dark="#000", light="#fff", xmldecl=False, title=code, omitsize=True
    )
    response = HttpResponse(image.getvalue(), content_type="image/svg+xml")
    response["Cache-Control"] = "max-age=300"
    return response


def _context(survey: Survey, reading: Known[Results], instructor: bool) -> dict[str, Any]:
    """What the page shows of one reading."""
    age_ms, hidden = reading.age_ms(), survey.is_hidden
    return {
        "survey": survey,
        "charts": charts(survey, reading.value.tally),
        "voters": reading.value.tally.voters,
        "region": reading.region,
        "as_of": datetime.fromtimestamp(reading.at, UTC),
        "compared_at": moment(reading.value.compared_at),
        "age_ms": age_ms,
        "ago": wording.ago(age_ms / 1000),
        "stale": not reading.value.current,
        "degraded": wording.degraded(reading),
        "instructor": instructor,
        "hidden": hidden,
        "concealed": hidden and not instructor,
    }


def _live(survey: Survey, reading: Known[Results], instructor: bool) -> str:
    """The part of the page that is asked for again; nothing in it depends on the request."""
    return render_to_string("polls/results/live.html", _context(survey, reading, instructor))


def _text_pages(request: HttpRequest, survey: Survey) -> list[dict[str, Any]]:
    """For each text question a page of its answers, the newest first; for instructors, since hidden
    texts are among them.
    """
    pages = []
    questions = [question for question in survey.definition.questions if question.kind is Kind.TEXT]
    # Another web worker may have hidden a text a moment ago, and these lists are not asked for
    # again: read the survey anew. While no region answers, what is known of it is still worth
    # showing.
    with suppress(gateway.NoRegionAnswered):
        current = selectors.read_now(survey.code) if questions else None
        if current is not None:
            survey = replace(survey, hidden_texts=current.survey.hidden_texts)
    for question in questions:
        after = request.GET.get(f"after_{question.id}", "")
        page = moderation.page(survey, question.id, after=after, limit=TEXTS_A_PAGE, with_hidden=True)
        pages.append({"question": question, "page": page, "after": after})
    return pages
