"""The first page: a field for the join code."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from failover import gateway
from polls.surveys import codes, selectors
from polls.views.common import too_many_guesses


@require_safe
def join(request: HttpRequest) -> HttpResponse:
    """Ask for a join code, and redirect to its survey or voting link."""
    typed = request.GET.get("code", "")
    if gateway.text.is_empty(typed):
        mistake = _("Enter the code that your instructor shows.") if "code" in request.GET else ""
        return render(request, "polls/public/join.html", {"mistake": mistake}, status=400 if mistake else 200)
    code = codes.from_typed(typed)
    if code is None:
        mistake = _("A code has 4 to 12 letters and digits.")
        return render(request, "polls/public/join.html", {"typed": typed[:40], "mistake": mistake}, status=400)
    try:
        selectors.survey_get(code)
    except selectors.TooManyGuesses:
        return too_many_guesses(request, typed)
    except selectors.SurveyUnknown:
        mistake = _("No survey has the code %(code)s. Check it on the screen in front.") % {"code": code}
        if codes.looks_alike(code):
            mistake += " " + _("O and 0 look alike, and so do I, L and 1.")
        return render(request, "polls/public/join.html", {"typed": typed[:40], "mistake": mistake}, status=404)
    except gateway.NoRegionAnswered:
        pass  # the survey's own page says what is wrong, and asks again
    link = codes.link_typed(typed)
    return redirect("polls:link", code=code, link=link) if link else redirect("polls:survey", code=code)
