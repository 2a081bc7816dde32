"""Versions that were written on two sides of a network partition: side by side, with a choice for
each part.
"""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from failover import gateway
from polls.builder import partitions, saving
from polls.surveys import definitions, reader, repairs, selectors
from polls.surveys.services import ServiceRefused
from polls.surveys.survey import Survey
from polls.views.common import failures, no_region, staff_survey
from polls.views.instructor.conflicts import heading, lines


@never_cache
@staff_member_required
@require_http_methods(["GET", "HEAD", "POST"])
@staff_survey
def versions(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Show every version; POST says for each part which version stands."""
    try:
        current = selectors.found_now(survey.code)
    except gateway.NoRegionAnswered as error:
        return no_region(request, error)
    split = partitions.find(current.row, current.survey)
    if split is None:
        messages.success(request, _("Nobody's version of %(code)s waits for a decision.") % {"code": survey.code})
        return redirect("surveys:list")
    if request.method != "POST":
        return _page(request, current.survey, split)
    return _settled(request, current.survey, split)


def _settled(request: HttpRequest, survey: Survey, split: partitions.Split) -> HttpResponse:
    choices: dict[str, int] = {}
    for place, name in enumerate(partitions.differing(split.parts)):
        typed = request.POST.get(f"choice-{place}", "")
        if typed in [str(number) for number in range(len(split.sides))]:
            choices[name] = int(typed)
    shown = request.POST.getlist("shown")
    if shown != list(split.names):
        return _page(request, survey, split, mistake=_moved(), status=409)
    if len(choices) < len(partitions.differing(split.parts)):
        mistake = _("Choose one version for every part.")
        return _page(request, survey, split, choices=choices, mistake=mistake, status=422)
    try:
        settled = reader.parse({**partitions.chosen(split.parts, choices), "code": survey.code})
        saved = partitions.survey_settle(
            code=survey.code,
            shown=shown,
            definition=settled,
            new_round="new_round" in request.POST,
            replace_unread="replace_unread" in request.POST,
        )
    except definitions.DefinitionInvalid as error:
        return _page(request, survey, split, choices=choices, mistake=str(error), status=422)
    except saving.NotUnderstood:
        mistake = repairs.unread(split.unread)
        return _page(request, survey, split, choices=choices, mistake=mistake, not_understood=True, status=409)
    except saving.BreaksCounts as error:
        return _page(request, survey, split, choices=choices, broken=error.sentences, status=409)
    except (partitions.SplitMoved, ServiceRefused) as refusal:
        unreadable = isinstance(refusal, ServiceRefused) and refusal.reason == "unreadable"
        mistake = str(refusal) if unreadable else _moved()
        return _page(request, survey, split, choices=choices, mistake=mistake, status=409)
    except gateway.NoRegionAnswered as error:
        tried = " ".join([_("No region took the change."), *failures(error)])
        return _page(request, survey, split, choices=choices, mistake=tried, status=503)
    messages.success(request, _("%(code)s is saved, as you chose.") % {"code": saved.code})
    return redirect("surveys:list")


def _moved() -> str:
    return _("Somebody changed this survey in the meantime. Look at the versions again.")


def _page(
    request: HttpRequest,
    survey: Survey,
    split: partitions.Split,
    *,
    choices: dict[str, int] | None = None,
    status: int = 200,
    **state: Any,
) -> HttpResponse:
    sides = split.parts
    texts = {question.id: question.text for side in reversed(split.sides) for question in side.definition.questions}
    context = {
        **admin.site.each_context(request),
        "survey": survey,
        "shown": split.names,
        "conflicts": [
            {
                "name": heading(name, texts),
                "sides": [
                    {
                        "lines": lines(parts.get(name), name, texts),
                        "regions": ", ".join(side.regions),
                        "at": datetime.fromtimestamp(side.at_ms / 1000, UTC),
                        "stands": number == 0,
                        "chosen": (choices or {}).get(name) == number,
                    }
                    for number, (parts, side) in enumerate(zip(sides, split.sides, strict=True))
                ],
            }
            for name in partitions.differing(sides)
        ],
        **state,
    }
    return render(request, "polls/builder/partition.html", context, status=status)
