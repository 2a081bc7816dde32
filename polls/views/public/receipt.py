"""The receipt of a vote. It is read from a short-lived signed cookie, which each vote overwrites.
Without that cookie (it has expired, or the reply to the vote never arrived) the ballot is read back
from the regions.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from failover import gateway
from polls.ballots import browsers, services
from polls.ballots.browsers import Browser
from polls.ballots.selectors import ballot_get
from polls.common import wording
from polls.common.freshness import Known
from polls.surveys.survey import Survey
from polls.views.common import with_survey

SALT = "polls.receipt"
AGE_S = 3600  # how long a browser keeps the cookie


def redirect_to_receipt(
    request: HttpRequest, survey: Survey, recorded: services.Receipt, *, cookies: bool
) -> HttpResponseRedirect:
    """Redirect to the receipt's page, with the receipt in its cookie.

    In a browser without `cookies` the address carries it too: a receipt gives no right to vote.
    """
    text = signing.dumps(recorded.as_json(), salt=SALT, compress=True)
    response = redirect("polls:receipt", code=survey.code)
    if not cookies:
        response["Location"] += f"?r={text}"
    response.set_cookie(
        settings.RECEIPT_COOKIE_NAME,
        text,
        max_age=AGE_S,
        path=reverse("polls:join") + "s/",
        httponly=True,
        secure=request.is_secure(),
        samesite="Lax",
    )
    return response


@never_cache
@require_safe
@with_survey
def receipt(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The page that says what became of this browser's last vote."""
    survey, browser = known.value, browsers.of(request)
    vote = _read(request.GET.get("r", ""), survey) or _read(
        request.COOKIES.get(settings.RECEIPT_COOKIE_NAME, ""), survey
    )
    unread = False
    if vote is None and browser is not None:
        try:
            vote = _read_back(survey, browser)
        except gateway.NoRegionAnswered:
            unread = True
    context = {
        "survey": survey,
        "receipt": vote,
        "story": wording.story(vote["attempts"], vote["region"]) if vote and "region" in vote else [],
        "recorded_at": datetime.fromisoformat(vote["recorded_at"]) if vote and "recorded_at" in vote else None,
        "unread": unread,
        "was_reset": browser is not None and browser.voted_before(survey),
        "without_cookies": browser is None,
        "link": browser.link_for(survey) if browser is not None else "",
    }
    return render(request, "polls/public/receipt.html", context)


def _read(text: str, survey: Survey) -> dict[str, Any] | None:
    """The receipt in a signed text; None where it is not ours, or not of this survey's current
    round.
    """
    try:
        vote: dict[str, Any] = signing.loads(text, salt=SALT)
    except signing.BadSignature:
        return None
    return vote if (vote["code"], vote["round"]) == (survey.code, survey.round) else None


def _read_back(survey: Survey, browser: Browser) -> dict[str, Any] | None:
    """What the regions know of this browser's vote: its vote_id alone; None where there is no vote.

    Raises NoRegionAnswered.
    """
    ballot = ballot_get(survey, browser.voter(survey)).value
    if ballot is None:
        return None
    return {"vote_id": ballot.vote_id, "status": "recorded"}
