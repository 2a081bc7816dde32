"""The ballot and the receipt. Nothing is kept on the server: a signed token in the page and in a cookie names the voter
and their last vote.
"""

import math
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from failover import gateway

from .. import answers, limits, links, selectors, services, tokens, vote_ids, words
from ..definitions import Access
from ..forms import BallotForm
from ..known import Known
from ..surveys import Survey
from . import language
from .common import failures, with_survey

COOKIE_AGE_S = 30 * 24 * 3600


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_survey
def survey(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """Show the ballot, filled in with what this browser's voter said before; record a vote and lead to its receipt."""
    if language.pressed(request):
        token = tokens.later(tokens.loads(request.POST.get("token"), known.value.code), _cookie(request, known.value))
        typed = BallotForm.typed(known.value, request.POST)
        return language.remembered(request, _ballot(request, known.value, token, typed))
    if request.method == "POST":
        return _vote(request, known.value)
    return _ballot(request, known.value, _cookie(request, known.value))


@never_cache
@require_safe
def by_link(request: HttpRequest, code: str, link: str) -> HttpResponseBase:
    """The ballot of a voting link: the link names the voter, in whatever browser it is opened."""

    def page(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
        survey, cookie = known.value, _cookie(request, known.value)
        voter = links.voter(link, survey)
        if voter is None:
            return _page(request, survey, BallotForm(survey), _anew(survey, None), needs_link="bad", status=404)
        same = cookie is not None and cookie.voter == voter
        return _ballot(request, survey, cookie if same else tokens.VoterToken(survey.code, survey.round, voter))

    return with_survey(page)(request, code)


@never_cache
@require_safe
@with_survey
def receipt(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """What came of this browser's last vote, in words."""
    token = _cookie(request, known.value)
    current = token is not None and token.round == known.value.round
    told = token.receipt if token is not None and current else None
    context = {
        "survey": known.value,
        "receipt": told,
        "story": words.story(told["attempts"], told["region"]) if told else [],
        "recorded_at": datetime.fromisoformat(told["recorded_at"]) if told else None,
        "was_reset": token is not None and not current,
    }
    return render(request, "polls/receipt.html", context)


def _anew(survey: Survey, token: tokens.VoterToken | None) -> tokens.VoterToken:
    """A voter for a round they have not been seen in: a link's stays who they are, as long as it is the same survey."""
    if token is not None and links.is_links(token.voter) and token.round >= survey.born:
        return tokens.VoterToken(survey.code, survey.round, token.voter)
    return tokens.new(survey.code, survey.round)


def _may_vote(survey: Survey, token: tokens.VoterToken) -> bool:
    return survey.access is not Access.LINK or links.is_links(token.voter)


def _ballot(
    request: HttpRequest, survey: Survey, token: tokens.VoterToken | None, typed: BallotForm | None = None
) -> HttpResponse:
    was_reset = token is not None and token.round < survey.round and token.last_id is not None
    if token is None or token.round != survey.round:
        token = _anew(survey, token)
    if not _may_vote(survey, token):
        return _page(request, survey, BallotForm(survey), token, needs_link="none")
    ballot, unread, degraded = None, False, ""
    # A link may have voted in another browser.
    if token.last_id is not None or links.is_links(token.voter):
        try:
            read = selectors.ballot_get(survey, token.voter)
            ballot, degraded = read.value, words.degraded(read)
        except gateway.NoRegionAnswered:
            # The page is still worth showing; it says that it could not look.
            unread = token.last_id is not None
    if ballot is not None and token.last_id is None:
        token = replace(token, last_id=ballot.vote_id, last_digest=ballot.digest)
    return _page(
        request,
        survey,
        typed or BallotForm(survey, given=dict(ballot.answers) if ballot else None),
        token,
        vote_id=_posted_id(request),
        voted=ballot is not None or unread,
        unread=unread,
        degraded=degraded,
        was_reset=was_reset,
    )


def _vote(request: HttpRequest, survey: Survey) -> HttpResponse:
    page = tokens.loads(request.POST.get("token"), survey.code)
    token = tokens.later(page, _cookie(request, survey)) or tokens.new(survey.code, survey.round)
    form = BallotForm(survey, request.POST)
    stale = token.round < survey.round
    if stale:
        token = _anew(survey, token)
    if not _may_vote(survey, token):
        return _page(request, survey, form, token, needs_link="none", status=403)
    if stale:
        return _page(request, survey, form, token, was_reset=True, refused=True, status=409)
    if not survey.is_open:
        return _page(request, survey, form, token, too_late=True, status=409)
    if not form.is_valid():
        return _page(request, survey, form, token, vote_id=_posted_id(request), status=422)
    if (wait := limits.votes.wait_for(f"{survey.code}#{token.voter}")) > 0:
        message = _("Too many votes in a short time. Wait a few seconds, then send it again.")
        response = _page(request, survey, form, token, vote_id=_posted_id(request), problem=message, status=429)
        response["Retry-After"] = str(math.ceil(wait))
        return response
    return _cast(request, survey, form, token)


def _cast(request: HttpRequest, survey: Survey, form: BallotForm, token: tokens.VoterToken) -> HttpResponse:
    given = form.answers()
    vote_id = _vote_id(_posted_id(request), token, answers.digest(given), survey)
    try:
        try:
            done = services.ballot_cast(survey=survey, voter=token.voter, vote_id=vote_id, answers=given)
        except services.ServiceRefused as refusal:
            if refusal.reason != services.CastRefused.VOTE_ID_REUSED or not survey.allow_change:
                raise
            # Sent before, and changed on the same page since: what a student did last is what they mean.
            vote_id = services.name_vote(vote_id)
            done = services.ballot_cast(survey=survey, voter=token.voter, vote_id=vote_id, answers=given)
    except services.ServiceRefused as refusal:
        if refusal.reason == "closed":
            return _page(request, survey, form, token, too_late=True, status=409)
        return _page(request, survey, form, token, voted=True, problem=str(refusal), status=409)
    except gateway.NoRegionAnswered as error:
        response = _page(request, survey, form, token, vote_id=vote_id, failed=failures(error) or [""], status=503)
        response["Retry-After"] = "2"
        return response
    response = redirect("polls:receipt", code=survey.code)
    # A later vote that already stands stays the last one known; the receipt still tells of this one.
    last = (done.vote_id, done.digest) if done.vote_id >= (token.last_id or "") else (token.last_id, token.last_digest)
    voted = token.voted(vote_id=str(last[0]), digest=str(last[1]), number=survey.round, receipt=done.as_json())
    _remember(request, response, voted)
    return response


def _vote_id(posted: str | None, token: tokens.VoterToken, digest: str, survey: Survey) -> str:
    """The page's name for this vote, so that a double click is one vote; a new one when that name is another vote's."""
    now_ms = int(gateway.clock.wall() * 1000)
    if posted is None or (posted != token.last_id and not vote_ids.is_timely(posted, now_ms)):
        return services.name_vote(token.last_id)
    same = posted == token.last_id and digest == token.last_digest
    if survey.allow_change and token.last_id is not None and posted <= token.last_id and not same:
        return services.name_vote(token.last_id)  # an older tab, or the back button: the latest action wins
    return posted


def _posted_id(request: HttpRequest) -> str | None:
    text = request.POST.get("vote_id", "")
    return text if vote_ids.is_valid(text) else None


def _page(
    request: HttpRequest,
    survey: Survey,
    form: BallotForm,
    token: tokens.VoterToken,
    *,
    vote_id: str | None = None,
    status: int = 200,
    **state: Any,
) -> HttpResponse:
    context = {
        "survey": survey,
        "form": form,
        "token": token.dumps(),
        "vote_id": vote_id or services.name_vote(token.last_id),
        **state,
    }
    return render(request, "polls/survey.html", context, status=status)


def _cookie_name(code: str) -> str:
    return f"voter_{code}"


def _cookie(request: HttpRequest, survey: Survey) -> tokens.VoterToken | None:
    return tokens.loads(request.COOKIES.get(_cookie_name(survey.code)), survey.code)


def _remember(request: HttpRequest, response: HttpResponseRedirect, token: tokens.VoterToken) -> None:
    response.set_cookie(
        _cookie_name(token.code),
        token.dumps(),
        max_age=COOKIE_AGE_S,
        path=reverse("polls:join") + "s/",
        httponly=True,
        secure=request.is_secure(),
        samesite="Lax",
    )
