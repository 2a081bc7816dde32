"""The projector's view: the join screen, then one question at a time with live bars. Everybody may
look, as at the results; whoever is signed in as staff also reveals, hides, closes and opens here,
and reads the free texts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from failover import gateway
from polls.common import wording
from polls.common.freshness import Known
from polls.results import moderation
from polls.results.charts import chart
from polls.results.selectors import Results, results
from polls.surveys.definitions import Kind
from polls.surveys.services import ServiceRefused, survey_close, survey_hide, survey_open, survey_reveal
from polls.surveys.survey import Survey
from polls.views.common import failures, no_region, phones_can_open, survey_url, with_survey
from polls.views.readings import Fragment, say_when
from polls.views.staff import is_instructor

TEXTS_A_SCREEN = 8
LARGEST_ZOOM = 4
NORMAL_ZOOM = 2
LONGEST_AFTER = 40  # characters of the place at which a page of texts begins

ACTIONS: dict[str, Callable[..., Survey]] = {
    "reveal": survey_reveal,
    "hide": survey_hide,
    "open": survey_open,
    "close": survey_close,
}


@dataclass(frozen=True)
class Stage:
    """What the projector shows.

    `question` counts from 1; 0 is the join screen. `compare` shows the round before beside this
    one. `after` is the place at which a page of texts begins; `zoom` is 1 to LARGEST_ZOOM.
    """

    question: int = 0
    compare: bool = False
    after: str = ""
    zoom: int = NORMAL_ZOOM

    @classmethod
    def of(cls, request: HttpRequest, survey: Survey) -> "Stage":
        """What the address asks for, limited to what the survey has."""
        return cls(
            min(_number(request, "q", 0), len(survey.definition.questions)),
            request.GET.get("compare") == "1" and survey.round > survey.born,
            request.GET.get("after", "")[:LONGEST_AFTER],
            min(max(1, _number(request, "zoom", NORMAL_ZOOM)), LARGEST_ZOOM),
        )

    def query(self, **changes: Any) -> str:
        """The query of this stage, or of this stage with `changes`; defaults are left out."""
        stage, default = replace(self, **changes), Stage()
        values = {"q": stage.question, "compare": int(stage.compare), "after": stage.after, "zoom": stage.zoom}
        defaults = {"q": default.question, "compare": 0, "after": default.after, "zoom": default.zoom}
        return "?" + urlencode({name: value for name, value in values.items() if value != defaults[name]})


@require_http_methods(["GET", "HEAD", "POST"])
@with_survey
def present(request: HttpRequest, known: Known[Survey]) -> HttpResponseBase:
    """One screen; htmx asks for its live part every second, and an unchanged one is a 304."""
    survey, instructor = known.value, is_instructor(request)
    stage = Stage.of(request, survey)
    if request.method == "POST":
        if not instructor:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        return _act(request, survey, stage)
    try:
        reading = results(survey)
        context = _context(request, survey, stage, reading, instructor=instructor)
    except gateway.NoRegionAnswered as error:
        return no_region(request, error)
    if request.headers.get("HX-Target") == "stage":
        response = Fragment.of(render_to_string("polls/present/live.html", context, request)).reply(request)
        response["Cache-Control"] = "no-cache"
    else:
        response = render(request, "polls/present/present.html", {**context, **_controls(request, survey, stage)})
        add_never_cache_headers(response)
    patch_vary_headers(response, ["HX-Target", "Cookie"])
    say_when(response, reading)
    return response


def _context(
    request: HttpRequest, survey: Survey, stage: Stage, reading: Known[Results], *, instructor: bool
) -> dict[str, Any]:
    """What the live part shows: what changes while nobody touches anything."""
    url = survey_url(request, survey.code)
    context: dict[str, Any] = {
        "survey": survey,
        "stage": stage,
        "instructor": instructor,
        "concealed": survey.is_hidden,
        "voters": reading.value.tally.voters,
        "stale": not reading.value.current,
        "degraded": wording.degraded(reading),
        "short_url": url.partition("://")[2].rstrip("/"),
        "phones_cannot_open": instructor and not phones_can_open(url),
    }
    if stage.question:
        question = survey.definition.questions[stage.question - 1]
        before = results(survey.in_round(survey.round - 1)) if stage.compare else None
        context["chart"] = chart(question, reading.value.tally, before.value.tally if before else None)
        context["before_round"] = survey.round - 1
        if question.kind is Kind.TEXT and instructor and not context["concealed"]:
            page = moderation.page(survey, question.id, after=stage.after, limit=TEXTS_A_SCREEN, with_hidden=False)
            context["texts"] = page.texts
            context["first"] = stage.query(after="") if stage.after else ""
            context["more"] = stage.query(after=page.next) if page.next else ""
    return context


def _controls(request: HttpRequest, survey: Survey, stage: Stage) -> dict[str, Any]:
    """The addresses of the links. Links and forms do everything that the keys do."""
    last = len(survey.definition.questions)
    return {
        "here": stage.query(),
        "previous": stage.query(question=stage.question - 1, after="") if stage.question else "",
        "next": stage.query(question=stage.question + 1, after="") if stage.question < last else "",
        "join": stage.query(question=0, after="") if stage.question else "",
        "comparison": stage.query(compare=not stage.compare) if stage.question and survey.round > survey.born else "",
        "larger": stage.query(zoom=stage.zoom + 1) if stage.zoom < LARGEST_ZOOM else "",
        "smaller": stage.query(zoom=stage.zoom - 1) if stage.zoom > 1 else "",
        "login": f"{reverse('admin:login')}?{urlencode({'next': request.get_full_path()})}",
        "notices": messages.get_messages(request),
    }


def _number(request: HttpRequest, name: str, default: int) -> int:
    number = gateway.text.whole_number(request.GET.get(name, ""), digits=4)
    return default if number is None else number


def _act(request: HttpRequest, survey: Survey, stage: Stage) -> HttpResponse:
    """Do what a button says, then show the same screen again."""
    action, mark = request.POST.get("action", ""), request.POST.get("mark", "")
    try:
        if action in ACTIONS:
            ACTIONS[action](code=survey.code)
        elif action in ("hide-text", "show-text") and moderation.is_mark(mark):
            moderation.set_hidden(code=survey.code, mark=mark, hidden=action == "hide-text")
        else:
            return HttpResponseBadRequest(_("There is no such button."))
    except ServiceRefused as refusal:
        messages.error(request, str(refusal))
    except gateway.NoRegionAnswered as error:
        tried = " ".join(failures(error))
        messages.error(request, _("No region took the change. %(tried)s Try again.") % {"tried": tried})
    if request.POST.get("back") == "results":
        return redirect(f"{reverse('polls:results', args=[survey.code])}#texts")
    return redirect(reverse("polls:present", args=[survey.code]) + stage.query())
