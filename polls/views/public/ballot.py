"""The ballot. Nothing is kept on the server: a signed cookie names the browser, and a signed token in the page says
whose ballot it is (voters.py).
"""

import math
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from failover import gateway
from polls.ballots import answers, browsers, services, tokens, vote_ids, voters
from polls.ballots.forms import BallotForm
from polls.ballots.selectors import ballot_get
from polls.ballots.tokens import PageToken, Vote
from polls.ballots.voters import Voter
from polls.common import limits, wording
from polls.common.freshness import Known
from polls.surveys import selectors
from polls.surveys.definitions import Access
from polls.surveys.services import ServiceRefused
from polls.surveys.survey import Shut, Survey
from polls.views import language
from polls.views.common import failures, with_survey
from polls.views.public.receipt import redirect_to_receipt

OF_BROWSER = {settings.VOTER_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.SESSION_COOKIE_NAME}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_survey
def survey(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """Show the ballot, filled in with what this browser's voter said before; record a vote and lead to its receipt."""
    known = _current(known)
    if language.pressed(request):
        _page_token, voter = _sender(request, known.value)
        typed = BallotForm.typed(known.value, request.POST)
        return language.remembered(request, _ballot(request, known.value, voter, typed))
    if request.method == "POST":
        return _vote(request, known.value)
    browser = browsers.of(request)
    if browser is not None:
        return _ballot(request, known.value, voters.of_page(known.value, browser))
    browser = browsers.new()
    response = _ballot(request, known.value, voters.of_page(known.value, browser), unseen=True)
    browsers.remember(request, response, browser)
    return response


@never_cache
@with_survey
def again(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """403: a ballot of ours whose CSRF token did not fit, shown again as typed. Who keeps no cookies has no such token,
    and nothing here that another site could misuse: the page's own token says whose ballot it is.
    """
    known = _current(known)
    page, voter = _sender(request, known.value)
    if page is not None and not OF_BROWSER & request.COOKIES.keys() and not language.pressed(request):
        return _vote(request, known.value)
    form = BallotForm.typed(known.value, request.POST)
    return _page(
        request,
        known.value,
        form,
        voter,
        vote_id=_posted_id(request),
        sent_in_vain=True,
        no_cookie=settings.CSRF_COOKIE_NAME not in request.COOKIES,
        status=403,
    )


@never_cache
@require_safe
def by_link(request: HttpRequest, code: str, link: str) -> HttpResponseBase:
    """The ballot of a voting link: the link names the voter, in whatever browser it is opened."""

    def page(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
        known = _current(known)
        voter = voters.of_link(known.value, link, browsers.of(request))
        if voter is None:
            return _page(request, known.value, BallotForm(known.value), Voter(""), needs_link="bad", status=404)
        return _ballot(request, known.value, voter)

    return with_survey(page)(request, code)


@never_cache
@require_safe
@with_survey
def state(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """What a page that waits asks for: whether votes are taken, and in which round."""
    return JsonResponse({"state": known.value.state.value, "round": known.value.round})


def _current(known: Known[Survey]) -> Known[Survey]:
    """The survey as it is now, where what is known here, up to a second old, would turn a voter away."""
    return known if known.value.is_open else replace(known, value=selectors.survey_now(known.value))


def _sender(request: HttpRequest, survey: Survey) -> tuple[PageToken | None, Voter]:
    """The token of the page that was sent, and whose ballot it is."""
    page = tokens.loads(request.POST.get("token"), survey.code)
    return page, voters.of_ballot(survey, page, browsers.of(request))


def _may_vote(survey: Survey, voter: Voter) -> bool:
    return survey.access is not Access.LINK or voter.link != ""


def _ballot(
    request: HttpRequest, survey: Survey, voter: Voter, typed: BallotForm | None = None, *, unseen: bool = False
) -> HttpResponse:
    """The form. `unseen`: this browser was never here, so there is no vote of it to look for."""
    if not _may_vote(survey, voter):
        return _page(request, survey, BallotForm(survey), voter, needs_link="none")
    ballot, unread, degraded = None, False, ""
    if not unseen:
        try:
            read = ballot_get(survey, voter.name)
            ballot, degraded = read.value, wording.degraded(read)
        except gateway.NoRegionAnswered:
            # The page is still worth showing; it says that it could not look.
            unread = voter.known is not None
    browser = browsers.of(request)
    return _page(
        request,
        survey,
        typed or BallotForm(survey, given=dict(ballot.answers) if ballot else None),
        voter.knowing(Vote(ballot.vote_id, ballot.digest)) if ballot else voter,
        vote_id=_posted_id(request),
        voted=ballot is not None or unread,
        unread=unread,
        degraded=degraded,
        was_reset=ballot is None and browser is not None and browser.voted_before(survey),
    )


def _vote(request: HttpRequest, survey: Survey) -> HttpResponse:
    page, voter = _sender(request, survey)
    if page is not None and page.round > survey.round:  # another process has known of its round for longer
        survey = selectors.survey_now(survey)
        page, voter = _sender(request, survey)
    form = BallotForm(survey, request.POST)
    if not _may_vote(survey, voter):
        return _page(request, survey, form, voter, needs_link="none", status=403)
    if page is not None and page.round < survey.round:
        return _page(request, survey, form, voter, was_reset=True, refused=True, status=409)
    if not survey.is_open:
        return _page(request, survey, form, voter, too_late=True, status=409)
    if not form.is_valid():
        return _page(request, survey, form, voter, vote_id=_posted_id(request), status=422)
    if (wait := limits.votes.wait_for(f"{survey.code}#{voter.name}")) > 0:
        message = _("Too many votes in a short time. Wait a few seconds, then send it again.")
        response = _page(request, survey, form, voter, vote_id=_posted_id(request), problem=message, status=429)
        response["Retry-After"] = str(math.ceil(wait))
        return response
    return _cast(request, survey, form, voter)


def _cast(request: HttpRequest, survey: Survey, form: BallotForm, voter: Voter) -> HttpResponse:
    given = form.answers()
    digest = answers.digest(given)
    vote_id = _vote_id(_posted_id(request), voter, digest)
    try:
        try:
            done = services.ballot_cast(survey=survey, voter=voter.name, vote_id=vote_id, answers=given)
        except ServiceRefused as refusal:
            if refusal.reason != services.CastRefused.VOTE_ID_REUSED or not survey.allow_change:
                raise
            # Sent before, and changed on the same page since: what a student did last is what they mean.
            vote_id = services.name_vote(vote_id)
            done = services.ballot_cast(survey=survey, voter=voter.name, vote_id=vote_id, answers=given)
    except ServiceRefused as refusal:
        if refusal.reason in list(Shut):
            return _page(request, survey, form, voter, too_late=True, status=409)
        return _page(request, survey, form, voter, voted=True, problem=_refusal(refusal), status=409)
    except gateway.NoRegionAnswered as error:
        # It may have arrived all the same: other answers, sent from this page later, are another vote.
        sent = voter.knowing(Vote(vote_id, digest))
        response = _page(request, survey, form, sent, vote_id=vote_id, failed=failures(error) or [""], status=503)
        response["Retry-After"] = "2"
        return response
    browser = browsers.of(request)
    response = redirect_to_receipt(request, survey, done, cookies=browser is not None)
    vote = Vote(done.vote_id, done.digest)
    voted = (browser or browsers.new()).voted(survey, voter.name, vote, link=voter.link)
    browsers.remember(request, response, voted)
    return response


def _vote_id(posted: str | None, voter: Voter, digest: str) -> str:
    """The page's name for this vote, so that a double click is one vote. Above the voter's last one, unless it is that
    very vote: an older tab, or the back button, sends what its voter did last.
    """
    if voter.known == (posted, digest):
        return voter.known.id
    now_ms = int(gateway.clock.wall() * 1000)
    if posted is None or not vote_ids.is_timely(posted, now_ms):
        return services.name_vote(voter.floor or None)
    return posted if posted > voter.floor else vote_ids.lifted(posted, voter.floor)


def _refusal(refusal: ServiceRefused) -> str:
    """Why a vote was not taken, for who reads the page and knows of no vote_id."""
    if refusal.reason == services.CastRefused.VOTE_ID_REUSED:
        return _("This page was sent before, with other answers. Those count: votes in this survey cannot be changed.")
    return str(refusal)


def _posted_id(request: HttpRequest) -> str | None:
    text = request.POST.get("vote_id", "")
    return text if vote_ids.is_valid(text) else None


def _page(
    request: HttpRequest,
    survey: Survey,
    form: BallotForm,
    voter: Voter,
    *,
    vote_id: str | None = None,
    status: int = 200,
    **state: Any,
) -> HttpResponse:
    token = PageToken.make(survey.code, survey.round, voter.name, link=voter.link, last=voter.known)
    context = {
        "survey": survey,
        "form": form,
        "token": token.dumps(),
        "by_link": voter.link != "",
        "address": reverse("polls:link", args=[survey.code, voter.link])
        if voter.link
        else reverse("polls:survey", args=[survey.code]),
        "vote_id": vote_id or services.name_vote(voter.floor or None),
        "written": form.written() if request.method == "POST" else [],  # where no form is shown that holds it
        **state,
    }
    return render(request, "polls/public/ballot.html", context, status=status)
