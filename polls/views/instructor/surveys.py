"""The instructor's list of surveys, and what its buttons do: open, close, archive, reset, delete,
import.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from failover import gateway
from polls.ballots.forms import ImportForm
from polls.common import strict_json
from polls.results import selectors as result_selectors
from polls.surveys import codes, definitions, expiry, listing, reader, repairs, selectors
from polls.surveys import services as survey_services
from polls.surveys.listing import Shelf
from polls.surveys.services import ServiceRefused, survey_create
from polls.surveys.survey import State, Survey
from polls.views.common import failures, no_region, staff_survey, survey_url
from polls.views.instructor.new_surveys import first_switch, new_survey_message
from polls.views.staff import staff_posts


@never_cache
@staff_member_required
@require_http_methods(["GET", "HEAD", "POST"])
def survey_list(request: HttpRequest) -> HttpResponse:
    """A page of the surveys, each with its state and buttons; POST imports a JSON file."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    mistakes: list[str] = []
    if request.method == "POST":
        mistakes = _import(request, form)
        if not mistakes:
            return redirect("surveys:list")
    shelf = Shelf.ARCHIVED if request.GET.get("shelf") == Shelf.ARCHIVED else Shelf.SHOWN
    after = request.GET.get("after", "")
    try:
        known = listing.page(shelf, after)
    except gateway.NoRegionAnswered as error:
        return no_region(request, error)
    surveys = [listed.survey for listed in known.value.surveys]
    voters = _voters(surveys)
    rows: list[dict[str, Any]] = [
        {
            "survey": survey,
            "questions": listed.question_count,
            "voters": voters[survey.code, survey.round] if voters is not None else None,
            "url": survey_url(request, survey.code),
            "notice": expiry.notice(survey),
            "repair": repairs.times(survey.definition) or repairs.unread(survey.unread),
            "spare_code": codes.make(),  # for a copy: a button that is pressed twice makes one copy
        }
        for listed, survey in zip(known.value.surveys, surveys, strict=True)
    ]
    context = {
        **admin.site.each_context(request),
        "rows": rows,
        "archive": shelf is Shelf.ARCHIVED,
        "first": _address(shelf) if after else "",
        "more": _address(shelf, known.value.next) if known.value.next else "",
        "form": form,
        "mistakes": mistakes,
        "region": known.region,
    }
    response = render(request, "polls/instructor/list.html", context, status=422 if mistakes else 200)
    response["X-Served-Region"] = known.region
    return response


@staff_posts
def survey_open(request: HttpRequest, code: str) -> HttpResponse:
    """Take votes again."""
    return _changed(request, code, survey_services.survey_open, _("%(code)s is open."))


@staff_posts
def survey_close(request: HttpRequest, code: str) -> HttpResponse:
    """Take no more votes."""
    sentence = _("%(code)s is closed. A vote counts if a region recorded it before the close reached that region.")
    return _changed(request, code, survey_services.survey_close, sentence)


@staff_posts
def survey_archive(request: HttpRequest, code: str) -> HttpResponse:
    """Close it and put it away; its results stay."""
    return _changed(request, code, survey_services.survey_archive, _("%(code)s is closed and in the archive."))


@never_cache
@staff_member_required
@require_http_methods(["GET", "HEAD", "POST"])
@staff_survey
def survey_reset(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Begin a new round, after the code was typed: results start from zero, everybody may vote
    again.
    """
    sentence = _("%(code)s was reset; it is in round %(round)d.")
    ends = gateway.text.whole_number(request.POST.get("ends", ""))
    then = request.POST.get("then", "")
    switch = State(then) if then in list(State) else None
    service = partial(survey_services.survey_reset, ends=ends, switch=switch)
    return _confirmed(request, survey, service, sentence, "polls/instructor/reset.html")


@never_cache
@staff_member_required
@require_http_methods(["GET", "HEAD", "POST"])
@staff_survey
def survey_delete(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Delete it for good, after the code was typed."""
    return _confirmed(
        request, survey, survey_services.survey_delete, _("%(code)s is deleted."), "polls/instructor/delete.html"
    )


def _confirmed(
    request: HttpRequest, survey: Survey, service: Callable[..., Survey], sentence: str, template: str
) -> HttpResponse:
    """Ask for the survey's code, and call the service once it is typed."""
    mistake = ""
    if request.method == "POST":
        if codes.normalise(request.POST.get("confirm", "")) == survey.code:
            return _changed(request, survey.code, service, sentence)
        mistake = _("Type %(code)s to confirm; nothing was changed.") % {"code": survey.code}
    context = {
        **admin.site.each_context(request),
        "survey": survey,
        "mistake": mistake,
        "typed": request.POST.get("confirm", "")[:40],
        "then": request.POST.get("then", ""),
    }
    return render(request, template, context, status=422 if mistake else 200)


def _address(shelf: Shelf, after: str = "") -> str:
    """The address of a page of the list; defaults are left out."""
    values = {"shelf": shelf.value if shelf is not Shelf.SHOWN else "", "after": after}
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{reverse('surveys:list')}?{query}" if query else reverse("surveys:list")


def _voters(surveys: Sequence[Survey]) -> dict[tuple[str, int], int] | None:
    """The number of voters by code and round; None while no region answers: the list is shown
    without.
    """
    try:
        return result_selectors.voters(surveys)
    except gateway.NoRegionAnswered:
        return None


def _changed(request: HttpRequest, code: str, service: Callable[..., Survey], sentence: str) -> HttpResponse:
    try:
        survey = service(code=code)
    except selectors.SurveyUnknown:
        raise Http404(_("No survey has the code %(code)s.") % {"code": code}) from None
    except ServiceRefused as refusal:
        messages.error(request, str(refusal))
    except gateway.NoRegionAnswered as error:
        tried = " ".join(failures(error))
        messages.error(
            request, _("No region took the change. %(tried)s Look at the list and try again.") % {"tried": tried}
        )
    else:
        messages.success(request, sentence % {"code": code, "round": survey.round})
    return redirect("surveys:list")


def _import(request: HttpRequest, form: ImportForm) -> list[str]:
    """Make the survey of the uploaded file. Returns a sentence for each mistake; empty when it is
    made.
    """
    if not form.is_valid():
        return [str(error) for error in form.errors["file"]]
    uploaded = form.cleaned_data["file"]
    if uploaded.size > definitions.LARGEST_BYTES:
        return [_("The file is larger than 200 KB.")]
    try:
        definition = reader.parse(strict_json.loads(uploaded.read()))
        switch = first_switch(definition, opens="open" in request.POST)
        survey = survey_create(definition=definition, switch=switch)
    except strict_json.Malformed as error:
        return [str(error)]
    except definitions.DefinitionInvalid as error:
        return error.messages
    except ServiceRefused as error:
        return [str(error)]
    except gateway.NoRegionAnswered as error:
        return [_("No region took the survey; nothing is certain."), *failures(error)]
    messages.success(request, new_survey_message(survey))
    return []
