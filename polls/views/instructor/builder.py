"""The survey builder. The whole draft travels in the page; nothing is kept on the server until it is saved, and every
button works without JavaScript.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from failover import gateway
from polls.ballots.forms import BallotForm
from polls.builder import drafts, saving
from polls.builder.drafts import Draft, DraftQuestion
from polls.common import local_times
from polls.surveys import codes, definitions, expiry, reader, repairs, stored
from polls.surveys.definitions import Definition
from polls.surveys.services import ServiceRefused, TimesTooLate, survey_create, survey_open
from polls.surveys.survey import State, Survey
from polls.views import language
from polls.views.common import failures, staff_survey
from polls.views.instructor import mistakes as builder_mistakes
from polls.views.instructor.conflicts import conflict_page, settle
from polls.views.kept import for_authors
from polls.views.staff import staff_posts

SALT = "polls.builder.joining"
KINDS = ("single", "multiple", "rating", "text")


def again(request: HttpRequest, code: str | None = None) -> HttpResponseBase:
    """The form as it was typed, which nothing was done with: its author looks it over and saves it."""
    if code is not None:
        return _kept_when_deleted(_again)(request, code)
    return page(request, drafts.posted(request.POST), again=True)


def _kept_when_deleted(view: Callable[[HttpRequest, Survey], HttpResponse]) -> Callable[..., HttpResponseBase]:
    """As `staff_survey`; what was typed for a survey that somebody deleted meanwhile can be saved as a new one."""

    @wraps(view)
    def inner(request: HttpRequest, code: str) -> HttpResponseBase:
        response = staff_survey(view)(request, code)
        if response.status_code != HTTPStatus.GONE or request.method != "POST":
            return response
        draft = drafts.posted(request.POST)
        return page(request, draft, was_deleted=code, status=HTTPStatus.GONE)

    return inner


def _again(request: HttpRequest, survey: Survey) -> HttpResponse:
    base, draft = _base(request, survey), drafts.posted(request.POST)
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
    return _posted(request, None)


@never_cache
@for_authors(again)
@require_http_methods(["GET", "HEAD", "POST"])
@_kept_when_deleted
def edit(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Change a survey: what was shown travels along, so that a change of somebody else is noticed."""
    if request.method != "POST":
        found = builder_mistakes.of(stored.mistakes(survey.definition))
        draft = drafts.of(survey.definition)
        return page(request, draft, survey=survey, base=survey.definition, mistakes=found, repair=bool(found))
    base = _base(request, survey)
    if base is None:
        draft = drafts.posted(request.POST)
        return page(request, draft, survey=survey, base=survey.definition, too_old=True, status=409)
    if request.POST.get("action") != "settle":
        return _posted(request, survey, base)
    settled = settle(request, survey, base)
    return settled if isinstance(settled, HttpResponse) else _save(request, survey, base, settled, None)


@never_cache
@staff_member_required
@require_safe
@staff_survey
def preview(request: HttpRequest, survey: Survey) -> HttpResponse:
    """The survey as a student sees it; nothing can be sent."""
    return render(request, "polls/public/ballot.html", {"survey": survey, "form": BallotForm(survey), "preview": True})


@staff_posts
@staff_survey
def duplicate(request: HttpRequest, survey: Survey) -> HttpResponse:
    """The same questions under a new code, closed until somebody opens it."""
    if survey.unread:
        messages.error(
            request, _("A copy would be less than the whole. %(why)s") % {"why": repairs.unread(survey.unread)}
        )
        return redirect("surveys:list")
    document = definitions.to_json(survey.definition)
    document["title"] = _("Copy of %(title)s") % {"title": survey.title}
    document["title"] = document["title"][: definitions.LONGEST_TEXT]
    for name in ("code", "opens_at", "closes_at"):
        document.pop(name, None)
    try:
        spare = codes.normalise(request.POST.get("spare_code", ""))
        copy = _created(reader.parse(document), spare, switch=State.CLOSED)
    except definitions.DefinitionInvalid:
        messages.error(request, _("It needs repair before it can be copied. Here it is, with what is wrong."))
        return redirect("surveys:edit", code=survey.code)
    except gateway.NoRegionAnswered as error:
        messages.error(request, _("No region took the copy. %(tried)s") % {"tried": " ".join(failures(error))})
        return redirect("surveys:list")
    messages.success(request, _("This is the copy; it is closed until you open it."))
    return redirect("surveys:edit", code=copy.code)


@never_cache
@staff_member_required
@require_safe
@staff_survey
def export(request: HttpRequest, survey: Survey) -> HttpResponse:
    """The survey JSON as a file, ready to be imported; as it is stored, where not all of it is understood."""
    response = JsonResponse(survey.as_json(), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{survey.code}.json"'
    return response


def page(
    request: HttpRequest,
    draft: Draft,
    *,
    survey: Survey | None = None,
    base: Definition | None = None,
    status: int = 200,
    **state: Any,
) -> HttpResponse:
    """The form with a draft, valid or not."""
    context = {
        **admin.site.each_context(request),
        "draft": draft,
        "survey": survey,
        "base": dump_base(base) if base else "",
        "kinds": KINDS,
        "scales": [str(number) for number in definitions.SCALES],
        "most_questions": definitions.MOST_QUESTIONS,
        # So that what is sent twice is one survey.
        "spare_code": "" if survey else codes.normalise(request.POST.get("spare_code", "")) or codes.make(),
        "unread": repairs.unread(survey.unread) if survey else "",
        "notice": expiry.notice(survey) if survey else "",
        "zone": timezone.get_current_timezone_name(),
        **state,
    }
    return render(request, "polls/builder/builder.html", context, status=status)


def dump_base(definition: Definition) -> str:
    """What a form was rendered from, signed."""
    return signing.dumps(definitions.to_json(definition), salt=SALT, compress=True)


def read_base(text: str) -> Definition | None:
    """What we signed; None for anything else."""
    try:
        document = signing.loads(text, salt=SALT)
    except signing.BadSignature:
        return None
    return stored.read(document, document.get("code")).definition


def _base(request: HttpRequest, survey: Survey) -> Definition | None:
    """What the form of this survey was rendered from; None where that cannot be told any more."""
    base = read_base(request.POST.get("base", ""))
    return base if base is not None and base.code == survey.code else None


def _posted(request: HttpRequest, survey: Survey | None, base: Definition | None = None) -> HttpResponse:
    """One press of a button: "save", "open" (which saves too), or something done to the draft alone."""
    draft = drafts.posted(request.POST)
    if language.pressed(request):
        return language.remembered(request, page(request, draft, survey=survey, base=base, unsaved=True))
    action, _sign, number = request.POST.get("action", "save").partition("-")
    place = int(number) if number.isascii() and number.isdecimal() and len(number) < 4 else -1
    match action:
        case "save" | "open":
            return _parsed(request, survey, base, draft)
        case "up" | "down":
            by = -1 if action == "up" else 1
            draft, at = drafts.moved(draft, place, by), max(0, place + by)
        case "remove":
            draft, at = drafts.removed(draft, place), max(0, place - 1)
        case "grid":
            given = [request.POST.get(f"grid-{name}", "") for name in ("statements", "scale", "labels")]
            at = len(draft.questions)
            draft = drafts.added(draft, *drafts.grid(*given))
        case _:
            at = len(draft.questions)
            draft = drafts.added(draft, DraftQuestion(drafts.new_id("q")))
    return page(request, draft, survey=survey, base=base, here=at, unsaved=True)


def _parsed(request: HttpRequest, survey: Survey | None, base: Definition | None, draft: Draft) -> HttpResponse:
    try:
        mine = reader.parse(drafts.document(draft, base))
    except definitions.DefinitionInvalid as error:
        mistakes = builder_mistakes.of(drafts.explained(draft, error.mistakes))
        return page(request, draft, survey=survey, base=base, mistakes=mistakes, status=422)
    return _save(request, survey, base, mine, draft)


def _save(
    request: HttpRequest, survey: Survey | None, base: Definition | None, mine: Definition, draft: Draft | None
) -> HttpResponse:
    shown = draft or drafts.of(mine)
    try:
        if survey is None or base is None:
            saved = _created_as_asked(request, mine)
        else:
            saved = saving.survey_edit(
                code=survey.code,
                base=base,
                mine=mine,
                new_round="new_round" in request.POST,
                replace_unread="replace_unread" in request.POST,
            )
    except saving.EditConflict as conflict:
        return conflict_page(request, survey, conflict, mine, base=dump_base(conflict.theirs))
    except saving.NotSettled:
        return page(request, shown, survey=survey, base=base, not_settled=True, status=409)
    except saving.NotUnderstood:
        return page(request, shown, survey=survey, base=base, not_understood=True, status=409)
    except saving.BreaksCounts as broken:
        found = builder_mistakes.of_breaks(broken.breaks, shown)
        return page(request, shown, survey=survey, base=base, broken=found, status=409)
    except definitions.DefinitionInvalid as error:
        # What this author typed, or what does not go together with what others saved.
        status = 422 if isinstance(error, TimesTooLate) else 409
        found = builder_mistakes.of(error.mistakes)
        return page(request, shown, survey=survey, base=base, mistakes=found, status=status)
    except ServiceRefused as refusal:
        mistakes = [builder_mistakes.of_refusal(refusal)]
        return page(request, shown, survey=survey, base=base, mistakes=mistakes, status=409)
    except gateway.NoRegionAnswered as error:
        return page(request, shown, survey=survey, base=base, failed=failures(error) or [""], status=503)
    if survey is not None and saved.round > survey.round:
        messages.success(
            request,
            _("%(code)s is saved; round %(round)d begins with it.") % {"code": saved.code, "round": saved.round},
        )
    elif survey is not None:
        messages.success(request, _("%(code)s is saved.") % {"code": saved.code})
    else:
        messages.success(request, new_survey_message(saved))
    for name in drafts.TIMES:
        at = getattr(mine, name)
        if at is not None and at != getattr(base, name, None) and local_times.comes_twice(at):
            sentence = _("The clocks go back then, and that hour comes twice: %(time)s is meant.")
            messages.info(request, sentence % {"time": local_times.with_offset(at)})
    return redirect("surveys:list")


def switch_of(definition: Definition, *, opens: bool) -> State:
    """Whether a new survey takes votes: when its author says so, or at the time that its author set."""
    return State.OPEN if opens or definition.opens_at is not None else State.CLOSED


def new_survey_message(survey: Survey) -> str:
    """That it is there, and whether it takes votes."""
    if survey.is_open:
        sentence = _("%(code)s is saved and open: it takes votes.")
    elif survey.waits:
        sentence = _("%(code)s is saved; it opens at the time that you set.")
    else:
        sentence = _("%(code)s is saved; it is closed until you open it.")
    return sentence % {"code": survey.code}


def _created_as_asked(request: HttpRequest, mine: Definition) -> Survey:
    opens = request.POST.get("action") == "open"
    spare = codes.normalise(request.POST.get("spare_code", ""))
    saved = _created(mine, spare, switch=switch_of(mine, opens=opens))
    if opens and saved.switch is State.CLOSED:  # the page was sent before, by the other button
        return survey_open(code=saved.code)
    return saved


def _created(mine: Definition, spare: str | None, *, switch: State = State.OPEN) -> Survey:
    """A new survey, under the code that its page was given where its author chose none: a second press of the button
    finds the very same survey there. When another one has that code (the page was sent before, and changed since), it
    gets one of its own.
    """
    if mine.code is None and spare is not None:
        try:
            return survey_create(definition=replace(mine, code=spare), switch=switch)
        except ServiceRefused:
            return survey_create(definition=mine, switch=switch)
    return survey_create(definition=mine, switch=switch)
