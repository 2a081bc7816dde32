"""What an instructor does with a whole survey: preview it, duplicate it, take its questions away as
a file.
"""

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from failover import gateway
from polls.ballots.forms import BallotForm
from polls.surveys import definitions, reader, repairs
from polls.surveys.survey import State, Survey
from polls.views.common import failures, staff_survey
from polls.views.instructor.new_surveys import created
from polls.views.staff import staff_posts


@never_cache
@staff_member_required
@require_safe
@staff_survey
def preview(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Show the survey as a student sees it; nothing can be sent."""
    return render(request, "polls/public/ballot.html", {"survey": survey, "form": BallotForm(survey), "preview": True})


@staff_posts
@staff_survey
def duplicate(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Make a survey of the same questions under a new code, closed until somebody opens it."""
    if survey.unread:
        why = repairs.unread(survey.unread)
        messages.error(request, _("A copy would be less than the whole. %(why)s") % {"why": why})
        return redirect("surveys:list")
    document = definitions.to_json(survey.definition)
    document["title"] = _("Copy of %(title)s") % {"title": survey.definition.title}
    document["title"] = document["title"][: definitions.LONGEST_TEXT]
    for name in ("code", "opens_at", "closes_at"):
        document.pop(name, None)
    try:
        copy = created(request, reader.parse(document), switch=State.CLOSED)
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
    """The survey JSON as a file, ready to be imported; as it is stored, where not all of it is
    understood.
    """
    response = JsonResponse(survey.as_json(), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{survey.code}.json"'
    return response
