"""Making a survey: its code, whether it takes votes at once, and the message that says so."""

from dataclasses import replace

from django.http import HttpRequest
from django.utils.translation import gettext as _

from polls.surveys import codes
from polls.surveys.definitions import Definition
from polls.surveys.services import ServiceRefused, survey_create, survey_open
from polls.surveys.survey import State, Survey


def created(request: HttpRequest, definition: Definition, *, switch: State) -> Survey:
    """Make a new survey. Raises ServiceRefused ("exists"), NoRegionAnswered.

    Where its author chose no code, it gets the spare code that the page was given: a second press
    of the button finds the very same survey there. Where another survey has that code by now,
    because the page was sent before and changed since, the new survey gets a code of its own.
    """
    spare_code = codes.normalise(request.POST.get("spare_code", ""))
    if definition.code is None and spare_code is not None:
        try:
            return survey_create(definition=replace(definition, code=spare_code), switch=switch)
        except ServiceRefused:
            return survey_create(definition=definition, switch=switch)
    return survey_create(definition=definition, switch=switch)


def created_from_form(request: HttpRequest, definition: Definition) -> Survey:
    """Make the survey of the builder's form, and open it where the button said so."""
    opens = request.POST.get("action") == "open"
    survey = created(request, definition, switch=first_switch(definition, opens=opens))
    if opens and survey.switch is State.CLOSED:  # the page was sent before, by the other button
        return survey_open(code=survey.code)
    return survey


def first_switch(definition: Definition, *, opens: bool) -> State:
    """Whether a new survey takes votes: when its author says so, or at the time that its author
    set.
    """
    return State.OPEN if opens or definition.opens_at is not None else State.CLOSED


def new_survey_message(survey: Survey) -> str:
    """Says that the survey is saved, and whether it takes votes."""
    if survey.is_open:
        sentence = _("%(code)s is saved and open: it takes votes.")
    elif survey.waits:
        sentence = _("%(code)s is saved; it opens at the time that you set.")
    else:
        sentence = _("%(code)s is saved; it is closed until you open it.")
    return sentence % {"code": survey.code}
