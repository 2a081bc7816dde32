"""The ballot. Nothing is kept on the server: a signed cookie names the browser, and a signed token in the page says
whose ballot it is (voters.py).
"""

import math
from functools import partial
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
from polls.ballots.services import Reason
from polls.ballots.tokens import PageToken, Vote
from polls.ballots.voters import Voter
from polls.common import wording
from polls.common.freshness import Known
from polls.surveys.survey import Survey
from polls.views.common import failures, language_pressed, with_language, with_survey
from polls.views.public.receipt import redirect_to_receipt

OF_BROWSER = {settings.VOTER_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.SESSION_COOKIE_NAME}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_survey
def survey(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """Show the ballot, filled in with what this browser's voter said before; record a vote and lead to its receipt."""
    if request.method == "POST":
        survey, page, voter = _sent(request, known.value)
        if not language_pressed(request):
            return _vote(request, survey, page, voter)
        typed = BallotForm.typed(survey, request.POST)
        return with_language(request, _ballot(request, survey, voter, typed))
    survey, browser = services.current(known.value), browsers.of(request)
    if browser is not None:
        return _ballot(request, survey, voters.of_page(survey, browser))
    browser = browsers.new()
    response = _ballot(request, survey, voters.of_page(survey, browser), unseen=True)
    browsers.remember(request, response, browser)
    return response


@never_cache
@with_survey
def again(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """403: a ballot of ours whose CSRF token did not fit, shown again as typed. Who keeps no cookies has no such token,
    and nothing here that another site could misuse: the page's own token says whose ballot it is.
    """
    survey, page, voter = _sent(request, known.value)
    if page is not None and not OF_BROWSER & request.COOKIES.keys() and not language_pressed(request):
        return _vote(request, survey, page, voter)
    return _page(
        request,
        survey,
        BallotForm.typed(survey, request.POST),
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
        survey = services.current(known.value)
        voter = voters.of_link(survey, link, browsers.of(request))
        if voter is None:
            return _page(request, survey, BallotForm(survey), Voter(""), needs_link="bad", status=404)
        return _ballot(request, survey, voter)

    return with_survey(page)(request, code)


@never_cache
@require_safe
@with_survey
def state(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """What a page that waits asks for: whether votes are taken, and in which round."""
    return JsonResponse({"state": known.value.state.value, "round": known.value.round})


def _sent(request: HttpRequest, survey: Survey) -> tuple[Survey, PageToken | None, Voter]:
    """The survey as it is now, the token of the page that was sent, and whose ballot it is."""
    page = tokens.loads(request.POST.get("token"), survey.code)
    survey = services.current(survey, page_round=page.round if page is not None else None)
    return survey, page, voters.of_ballot(survey, page, browsers.of(request))


def _ballot(
    request: HttpRequest, survey: Survey, voter: Voter, typed: BallotForm | None = None, *, unseen: bool = False
) -> HttpResponse:
    """The form. `unseen`: this browser was never here, so there is no vote of it to look for."""
    if not services.may_vote(survey, voter):
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


def _vote(request: HttpRequest, survey: Survey, page: PageToken | None, voter: Voter) -> HttpResponse:
    """Hand the vote to the policy, and lead to its receipt or say why there is none."""
    form = BallotForm(survey, request.POST)
    vote = services.VoteRequest(
        voter,
        form.answers() if form.is_valid() else None,
        _posted_id(request),
        page_round=page.round if page is not None else None,
        may_rename=True,
    )
    match services.vote(survey, vote):
        case services.Refusal() as refusal:
            return _refused(request, survey, form, voter, refusal)
        case receipt:
            browser = browsers.of(request)
            response = redirect_to_receipt(request, survey, receipt, cookies=browser is not None)
            taken = Vote(receipt.vote_id, receipt.digest)
            voted = (browser or browsers.new()).voted(survey, voter.name, taken, link=voter.link)
            browsers.remember(request, response, voted)
            return response


def _refused(
    request: HttpRequest, survey: Survey, form: BallotForm, voter: Voter, refusal: services.Refusal
) -> HttpResponse:
    """The page that says why a vote was not taken, with what was chosen."""
    page = partial(_page, request, survey, form)
    match refusal.reason:
        case Reason.LINK:
            return page(voter, needs_link="none", status=403)
        case Reason.RESET:
            return page(voter, was_reset=True, refused=True, status=409)
        case Reason.CLOSED | Reason.EXPIRED:
            return page(voter, too_late=True, status=409)
        case Reason.INVALID:
            return page(voter, vote_id=_posted_id(request), status=422)
        case Reason.TOO_OFTEN:
            message = _("Too many votes in a short time. Wait a few seconds, then send it again.")
            response = page(voter, vote_id=_posted_id(request), problem=message, status=429)
            response["Retry-After"] = str(math.ceil(refusal.wait_s))
            return response
        case Reason.ALREADY_VOTED:
            return page(voter, voted=True, problem=refusal.text, status=409)
        case Reason.VOTE_ID_REUSED:  # the API's sentence is for programs, which know of vote_ids
            message = _(
                "This page was sent before, with other answers. Those count: votes in this survey cannot be changed."
            )
            return page(voter, voted=True, problem=message, status=409)
        case Reason.UNANSWERED:
            # It may have arrived all the same: other answers, sent from this page later, are another vote.
            sent = voter.knowing(Vote(refusal.vote_id, answers.digest(form.answers())))
            tried = failures(refusal.error) if refusal.error is not None else []
            response = page(sent, vote_id=refusal.vote_id, failed=tried or [""], status=503)
            response["Retry-After"] = "2"
            return response


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
