"""The survey builder: create a survey, edit one. The whole draft travels in the page; nothing is
kept on the server until it is saved, and every button works without JavaScript.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from failover import gateway
from polls.builder import drafts
from polls.builder.drafts import DraftQuestion
from polls.surveys import stored
from polls.surveys.definitions import Definition
from polls.surveys.survey import Survey
from polls.views.common import language_pressed, staff_survey, with_language
from polls.views.instructor import mistakes as builder_mistakes
from polls.views.instructor.builder_page import page, posted_base
from polls.views.instructor.builder_saving import save, save_draft
from polls.views.instructor.conflicts import settle
from polls.views.kept import for_authors


def again(request: HttpRequest, code: str | None = None) -> HttpResponseBase:
    """Show the form again as it was typed, with nothing done: its author looks it over and saves
    it.
    """
    if code is not None:
        return _kept_when_deleted(_again)(request, code)
    return page(request, drafts.posted(request.POST), again=True)


def _kept_when_deleted(view: Callable[[HttpRequest, Survey], HttpResponse]) -> Callable[..., HttpResponseBase]:
    """As `staff_survey`; what was typed for a survey that somebody deleted meanwhile can be saved
    as a new one.
    """

    @wraps(view)
    def inner(request: HttpRequest, code: str) -> HttpResponseBase:
        response = staff_survey(view)(request, code)
        if response.status_code != HTTPStatus.GONE or request.method != "POST":
            return response
        draft = drafts.posted(request.POST)
        return page(request, draft, was_deleted=code, status=HTTPStatus.GONE)

    return inner


def _again(request: HttpRequest, survey: Survey) -> HttpResponse:
    base, draft = posted_base(request, survey), drafts.posted(request.POST)
    if base is not None and request.POST.get("action") == "settle":
        settled = settle(request, survey, base)
        if isinstance(settled, HttpResponse):
            return settled
        draft = drafts.of(settled)
    return page(request, draft, survey=survey, base=base or survey.definition, again=True)


@never_cache
@for_authors(again)
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Write a new survey."""
    if request.method != "POST":
        return page(request, drafts.blank())
    return _pressed(request, None)


@never_cache
@for_authors(again)
@require_http_methods(["GET", "HEAD", "POST"])
@_kept_when_deleted
def edit(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Change a survey. The definition that the form began with travels along, so that a change that
    somebody else saved meanwhile is noticed.
    """
    if request.method != "POST":
        mistakes = builder_mistakes.of(stored.mistakes(survey.definition))
        draft = drafts.of(survey.definition)
        return page(request, draft, survey=survey, base=survey.definition, mistakes=mistakes, repair=bool(mistakes))
    base = posted_base(request, survey)
    if base is None:
        draft = drafts.posted(request.POST)
        return page(request, draft, survey=survey, base=survey.definition, too_old=True, status=409)
    if request.POST.get("action") != "settle":
        return _pressed(request, survey, base)
    settled = settle(request, survey, base)
    if isinstance(settled, HttpResponse):
        return settled
    return save(request, settled, drafts.of(settled), survey=survey, base=base)


def _pressed(request: HttpRequest, survey: Survey | None, base: Definition | None = None) -> HttpResponse:
    """One press of a button: "save", "open" (which saves too), or a change of the draft alone."""
    draft = drafts.posted(request.POST)
    if language_pressed(request):
        return with_language(request, page(request, draft, survey=survey, base=base, unsaved=True))
    action, _dash, number = request.POST.get("action", "save").partition("-")
    place = gateway.text.whole_number(number, digits=3)
    if place is None:
        place = -1
    match action:
        case "save" | "open":
            return save_draft(request, draft, survey=survey, base=base)
        case "up" | "down":
            by = -1 if action == "up" else 1
            draft, focus = drafts.moved(draft, place, by), max(0, place + by)
        case "remove":
            draft, focus = drafts.removed(draft, place), max(0, place - 1)
        case "grid":
            given = [request.POST.get(f"grid-{name}", "") for name in ("statements", "scale", "labels")]
            focus = len(draft.questions)
            draft = drafts.added(draft, *drafts.grid(*given))
        case _:
            focus = len(draft.questions)
            draft = drafts.added(draft, DraftQuestion(drafts.new_id("q")))
    return page(request, draft, survey=survey, base=base, here=focus, unsaved=True)
