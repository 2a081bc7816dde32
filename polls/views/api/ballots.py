"""The JSON API: no cookie, no CSRF token, problem documents for errors. No ballot is ever half recorded."""

import math
import re
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from failover import gateway
from polls.ballots import answers, services, vote_ids, voters
from polls.ballots.services import Reason
from polls.ballots.voters import Voter
from polls.common import strict_json
from polls.common.freshness import Known
from polls.surveys import codes, definitions, selectors
from polls.surveys.survey import Survey
from polls.views.api.problems import no_region_problem, problem

LARGEST_BALLOT = 64 * 1024  # bytes
VOTER = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Refused(Exception):
    """Ends a request with a problem document."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(response.status_code)
        self.response = response


@csrf_exempt
@never_cache
def api_survey(request: HttpRequest, code: str) -> HttpResponse:
    """GET: the survey with every id."""
    if request.method not in ("GET", "HEAD"):
        return _wrong_method("GET, HEAD")
    try:
        known = _known(code)
    except Refused as refused:
        return refused.response
    response = JsonResponse(document(known.value))
    response["X-Served-Region"] = known.region
    return response


@csrf_exempt
@never_cache
def api_ballots(request: HttpRequest, code: str) -> HttpResponse:
    """POST: record a ballot. 201 for a new vote; 200 for a repeat, a change, or one that a later vote has overtaken."""
    if request.method != "POST":
        return _wrong_method("POST")
    try:
        body = _body(request)
        survey = services.current(_known(code, vote_id=_repeatable(body)).value)
        return _reply(services.vote(survey, _vote(survey, body)))
    except Refused as refused:
        return refused.response


def document(survey: Survey) -> dict[str, Any]:
    """The survey as the API shows it."""
    questions = []
    for question in survey.definition.questions:
        shown = definitions.question_to_json(question)
        if question.options:
            shown["options"] = [{"id": option.id, "text": option.text} for option in question.options]
        questions.append(shown)
    return {
        "code": survey.code,
        "title": survey.definition.title,
        "state": survey.state.value,
        "round": survey.round,
        "allow_change": survey.definition.allow_change,
        **definitions.options_to_json(survey.definition),
        "questions": questions,
    }


def _repeatable(body: dict[str, Any]) -> str:
    """The name under which this vote must be sent again, when not even its survey could be read."""
    named = body.get("vote_id")
    return named.lower() if isinstance(named, str) and vote_ids.is_valid(named.lower()) else services.name_vote()


def _known(code: str, **told: str) -> Known[Survey]:
    normal = codes.normalise(code)
    try:
        if normal is None:
            raise selectors.SurveyUnknown(code)
        return selectors.survey_get(normal)
    except selectors.SurveyDeleted:
        raise Refused(problem(410, _("The survey %(code)s was deleted.") % {"code": code[:40]})) from None
    except selectors.TooManyGuesses:
        detail = _("Too many codes were tried that do not exist.")
        raise Refused(problem(429, detail, headers={"Retry-After": "2"}, **told)) from None
    except selectors.SurveyUnknown:
        raise Refused(problem(404, _("No survey has the code %(code)s.") % {"code": code[:40]})) from None
    except gateway.NoRegionAnswered as error:
        raise Refused(no_region_problem(error, **told)) from error


def _body(request: HttpRequest) -> dict[str, Any]:
    """The parsed body; its size is looked at before anything is read."""
    announced = gateway.text.whole_number(request.headers.get("Content-Length") or "0")
    if announced is None:
        raise Refused(problem(400, _("The Content-Length is not a number.")))
    if announced > LARGEST_BALLOT:
        raise Refused(_too_large())
    data = request.read(LARGEST_BALLOT + 1)
    if len(data) > LARGEST_BALLOT:
        raise Refused(_too_large())
    try:
        body = strict_json.loads(data)
    except strict_json.Malformed as error:
        raise Refused(problem(400, str(error))) from error
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("answers"), dict)
        or not isinstance(body.get("voter"), str)
    ):
        raise Refused(
            problem(400, _("The body must be a JSON object with “voter” (a text) and “answers” (an object)."))
        )
    if unknown := sorted(set(body) - {"voter", "vote_id", "answers"}):
        raise Refused(problem(400, _("“%(name)s” is not part of a ballot.") % {"name": unknown[0][:50]}))
    return body


def _too_large() -> HttpResponse:
    return problem(413, _("A ballot is at most 64 KB."))


def _vote(survey: Survey, body: dict[str, Any]) -> services.VoteRequest:
    """Who votes, under which name, and what; every mistake in one reply."""
    given, mistakes = answers.check_all(survey.definition.questions, body["answers"])
    if not VOTER.fullmatch(body["voter"]):
        mistakes["voter"] = _("Must be 8 to 64 letters, digits, “-” or “_”.")
    vote_id = body.get("vote_id")
    if vote_id is not None:
        vote_id = vote_id.lower() if isinstance(vote_id, str) else ""
        if not vote_ids.is_valid(vote_id):
            mistakes["vote_id"] = _("Must be a UUIDv7.")
        elif not vote_ids.is_timely(vote_id, int(gateway.clock.wall() * 1000)):
            mistakes["vote_id"] = _("Its time must be at most 5 minutes ahead and a day old.")
    if mistakes:
        raise Refused(problem(422, _("The ballot was not recorded; see “errors”."), errors=mistakes))
    voter = voters.of_link(survey, body["voter"], None) or Voter(body["voter"])
    return services.VoteRequest(voter, given, vote_id)


def _reply(outcome: services.Receipt | services.Refusal) -> HttpResponse:
    match outcome:
        case services.Receipt() as receipt:
            is_new = receipt.status is services.CastStatus.RECORDED
            return JsonResponse(receipt.as_json(), status=201 if is_new else 200)
        case services.Refusal(Reason.TOO_OFTEN) as refusal:
            headers = {"Retry-After": str(math.ceil(refusal.wait_s))}
            return problem(429, _("Too many votes by this voter."), headers=headers, vote_id=refusal.vote_id)
        case services.Refusal(Reason.LINK) as refusal:
            detail = _("This survey takes votes by voting link only.")
            return problem(403, detail, reason="link", vote_id=refusal.vote_id)
        case services.Refusal(error=gateway.NoRegionAnswered() as error) as refusal:
            return no_region_problem(error, vote_id=refusal.vote_id)
        case services.Refusal() as refusal:
            return problem(409, refusal.text, reason=refusal.reason, vote_id=refusal.vote_id)


def _wrong_method(allowed: str) -> HttpResponse:
    return problem(405, _("Allowed here: %(methods)s.") % {"methods": allowed}, headers={"Allow": allowed})
