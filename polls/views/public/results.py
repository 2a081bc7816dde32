"""Live results: a page, the same as JSON, and the QR code that leads to the survey. What an
instructor keeps hidden is counted here and shown to nobody else.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import segno
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import get_language
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
from polls.surveys.survey import State, Survey
from polls.views.api.problems import no_region_problem, problem
from polls.views.common import no_region, phones_can_open, survey_url, with_survey
from polls.views.staff import is_instructor

TEXTS_A_PAGE = 50
FOR_THE_CLASS = "class"  # `?for=class`: what voters see, whoever looks, so that it can be shown on a wall


@dataclass(frozen=True)
class _Shown:
    """Everything that one reading's fragment and document depend on: watchers of the same get the
    same, made once.
    """

    survey: Survey
    state: State
    region: str
    read_at: float
    current: bool
    instructor: bool
    language: str | None

    @classmethod
    def of(cls, survey: Survey, found: Known[Results], instructor: bool = False) -> "_Shown":
        return cls(survey, survey.state, found.region, found.at, found.value.current, instructor, get_language())


@dataclass(frozen=True)
class Fragment:
    """A part of a page as it is sent, and the ETag by which a reader's own copy is known."""

    content: bytes
    etag: str

    @classmethod
    def of(cls, text: str) -> "Fragment":
        """The fragment of a rendered text."""
        content = text.encode()
        return cls(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def reply(self, request: HttpRequest) -> HttpResponse:
        """It, or a 304 where the reader has it already."""
        unchanged: HttpResponse | None = get_conditional_response(request, etag=self.etag)
        response = HttpResponse(self.content) if unchanged is None else unchanged
        response["ETag"] = self.etag
        return response


_fragments: Made[_Shown, Fragment] = Made()
_documents: Made[_Shown, dict[str, Any]] = Made()


@require_safe
@with_survey
def results(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The counts, asked for again every two seconds; an unchanged reply is a 304."""
    survey, for_class = known.value, request.GET.get("for") == FOR_THE_CLASS
    instructor = not for_class and is_instructor(request)
    try:
        found = result_selectors.results(survey)
    except gateway.NoRegionAnswered as error:
        return no_region(request, error)
    if request.headers.get("HX-Request") == "true":
        shown = _Shown.of(survey, found, instructor)
        response = _fragments.get(shown, lambda: Fragment.of(_live(survey, found, instructor))).reply(request)
    else:
        context = _context(survey, found, instructor)
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
    say_when(response, found)
    return response


@cache_control(no_store=True)  # also where there is no survey, or no region that could say
@require_safe
@with_survey
def results_json(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The counts by contract; 403 with "reason": "hidden" while the instructor keeps them back."""
    survey = known.value
    try:
        found = result_selectors.results(survey)
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
            voters=found.value.tally.voters,
        )
    else:
        response = JsonResponse(document(survey, found))
    patch_vary_headers(response, ["Cookie"])
    say_where(response, found)
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


def document(survey: Survey, found: Known[Results]) -> dict[str, Any]:
    """results.json: percent is of the voters who answered the question; `compared_at` is when the
    region last held its counts against all ballots.
    """
    ageless = _documents.get(_Shown.of(survey, found), lambda: _ageless(survey, found))
    return {**ageless, "age_ms": found.age_ms()}


def _ageless(survey: Survey, found: Known[Results]) -> dict[str, Any]:
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
                "average": chart.average.exact if chart.average else None,
                "options": [
                    {"id": bar.id, "text": bar.text, "count": bar.count, "percent": bar.percent} for bar in chart.bars
                ],
            }
            for chart in charts(survey, found.value.tally)
        ],
        "region": found.region,
        "consistency": consistency(found),
        "as_of": datetime.fromtimestamp(found.at, UTC).isoformat(timespec="milliseconds"),
        "compared_at": compared.isoformat(timespec="milliseconds") if compared else None,
    }


def consistency(found: Known[Any]) -> dict[str, str]:
    """How strong a reading was to be and was."""
    return {"asked": found.asked.value, "given": found.given.value}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def live_context(survey: Survey, found: Known[Results]) -> dict[str, Any]:
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
        "ago": wording.ago(age_ms / 1000),
        "stale": not found.value.current,
        "degraded": wording.degraded(found),
    }


def _context(survey: Survey, found: Known[Results], instructor: bool) -> dict[str, Any]:
    hidden = survey.is_hidden
    concealed = hidden and not instructor
    return {**live_context(survey, found), "instructor": instructor, "hidden": hidden, "concealed": concealed}


def _live(survey: Survey, found: Known[Results], instructor: bool) -> str:
    """The part of the page that is asked for again; it says nothing that is this request's alone."""
    return render_to_string("polls/results/live.html", _context(survey, found, instructor))


def say_when(response: HttpResponse, found: Known[Any]) -> None:
    """The reading's region and age stand beside the reply: an unchanged one is a 304, and its age
    is still new.
    """
    say_where(response, found)
    response["X-Counted-Age-Ms"] = str(found.age_ms())


def say_where(response: HttpResponseBase, found: Known[Any]) -> None:
    """The region of a reading, and how strong it was to be and was, where more than the ordinary
    was asked.
    """
    response["X-Served-Region"] = found.region
    if found.asked is not gateway.Consistency.EVENTUAL:
        response["X-Consistency"] = f"asked={found.asked.value}, given={found.given.value}"


def _text_pages(request: HttpRequest, survey: Survey) -> list[dict[str, Any]]:
    """A page of each question's free texts, the newest first, hidden ones among them: only
    instructors see these.
    """
    shown = []
    questions = [question for question in survey.definition.questions if question.kind is Kind.TEXT]
    # Another web worker may have hidden one a moment ago, and these lists do not change by
    # themselves. What was read before is worth showing also while no region answers.
    with suppress(gateway.NoRegionAnswered):
        found = selectors.read_now(survey.code) if questions else None
        if found is not None:
            survey = replace(survey, hidden_texts=found.survey.hidden_texts)
    for question in questions:
        after = request.GET.get(f"after_{question.id}", "")
        page = moderation.page(survey, question.id, after=after, limit=TEXTS_A_PAGE, with_hidden=True)
        shown.append({"question": question, "page": page, "after": after})
    return shown
