"""Saving what the builder's form holds: the saved survey's list, or the form again with the reason."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from failover import gateway
from polls.builder import drafts, saving
from polls.builder.drafts import Draft
from polls.common import local_times
from polls.surveys import definitions, reader
from polls.surveys.definitions import Definition
from polls.surveys.services import ServiceRefused, TimesTooLate
from polls.surveys.survey import Survey
from polls.views.common import failures
from polls.views.instructor import mistakes as builder_mistakes
from polls.views.instructor.builder_page import dump_base, page
from polls.views.instructor.conflicts import conflict_page
from polls.views.instructor.new_surveys import created_from_form, new_survey_message


def save_draft(request: HttpRequest, draft: Draft, *, survey: Survey | None, base: Definition | None) -> HttpResponse:
    """Save a draft, or show it again with its mistakes (422)."""
    try:
        mine = reader.parse(drafts.document(draft, base))
    except definitions.DefinitionInvalid as error:
        mistakes = builder_mistakes.of(drafts.explained(draft, error.mistakes))
        return page(request, draft, survey=survey, base=base, mistakes=mistakes, status=422)
    return save(request, mine, draft, survey=survey, base=base)


def save(
    request: HttpRequest,
    mine: Definition,
    draft: Draft,
    *,
    survey: Survey | None,
    base: Definition | None,
) -> HttpResponse:
    """Save a definition and lead to the list; `draft` is what the form shows where it cannot be
    saved.

    Without a `survey` and the `base` that the form began with, the definition is a new survey.
    """

    def again(*, status: int, **state: object) -> HttpResponse:
        return page(request, draft, survey=survey, base=base, status=status, **state)

    try:
        if survey is None or base is None:
            saved = created_from_form(request, mine)
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
        return again(not_settled=True, status=409)
    except saving.NotUnderstood:
        return again(not_understood=True, status=409)
    except saving.BreaksCounts as error:
        return again(broken=builder_mistakes.of_breaks(error.breaks, draft), status=409)
    except definitions.DefinitionInvalid as error:
        # What this author typed, or what does not go together with what others saved.
        status = 422 if isinstance(error, TimesTooLate) else 409
        return again(mistakes=builder_mistakes.of(error.mistakes), status=status)
    except ServiceRefused as refusal:
        return again(mistakes=[builder_mistakes.of_refusal(refusal)], status=409)
    except gateway.NoRegionAnswered as error:
        return again(failed=failures(error) or [""], status=503)
    messages.success(request, _saved_message(saved, survey))
    for sentence in _repeated_hours(mine, base):
        messages.info(request, sentence)
    return redirect("surveys:list")


def _saved_message(saved: Survey, before: Survey | None) -> str:
    if before is None:
        return new_survey_message(saved)
    if saved.round > before.round:
        sentence = _("%(code)s is saved; round %(round)d begins with it.")
        return sentence % {"code": saved.code, "round": saved.round}
    return _("%(code)s is saved.") % {"code": saved.code}


def _repeated_hours(mine: Definition, base: Definition | None) -> list[str]:
    """A sentence for each new time in an hour that comes twice, because the clocks go back then."""
    sentence = _("The clocks go back then, and that hour comes twice: %(time)s is meant.")
    times = [getattr(mine, name) for name in drafts.TIMES if getattr(mine, name) != getattr(base, name, None)]
    return [
        sentence % {"time": local_times.with_offset(at)}
        for at in times
        if at is not None and local_times.comes_twice(at)
    ]
