"""Results and ballots as files, CSV or JSON: for the staff, and without anything that tells who
voted.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from failover import gateway
from polls.ballots import selectors as ballot_selectors
from polls.ballots.bulk_reads import read_ahead
from polls.common import wording
from polls.common.freshness import Known
from polls.results import csv_export, past_rounds
from polls.results.selectors import results
from polls.surveys import expiry
from polls.surveys.survey import Survey
from polls.views.common import no_region, with_survey
from polls.views.readings import consistency, document, say_where

CHUNK_BYTES = 32 * 1024  # sent at once: a line at a time would cost a system call for each voter


@never_cache
@staff_member_required
@require_safe
@with_survey
def export(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """The page of the files, and of what they tell about voters: of the current round, or of
    ?round=N.
    """
    survey = known.value
    try:
        past, ahead = past_rounds.with_votes(survey), read_ahead(survey)
    except gateway.NoRegionAnswered as error:
        return no_region(request, error)
    number = _number(request, survey)
    context = {
        **admin.site.each_context(request),
        "survey": survey,
        "round": number,
        "gone": expiry.gone(survey.in_round(number)),
        "rounds": [(survey.round, None), *past] if past else [],
        "degraded": wording.degraded(ahead),
    }
    return render(request, "polls/results/export.html", context)


@never_cache
@staff_member_required
@require_safe
def export_file(request: HttpRequest, code: str, what: str, kind: str) -> HttpResponseBase:
    """A file of one round: the current one, or ?round=N.

    `what` is "results" (the counts) or "ballots" (a row for each voter); `kind` is "csv" or "json".
    """
    parts_of = {"results": _results, "ballots": _ballots}[what]

    def send(request: HttpRequest, known: Known[Survey]) -> HttpResponseBase:
        number = _number(request, known.value)
        try:
            survey = past_rounds.of(known.value, number) or known.value
            parts, reading = parts_of(survey, kind, _dialect(request))
        except gateway.NoRegionAnswered as error:
            return no_region(request, error)
        return _download(survey, what, kind, parts, reading)

    return with_survey(send)(request, code=code)


def _number(request: HttpRequest, survey: Survey) -> int:
    """The round that is asked for, by default the current one.

    Raises Http404 for a round that the survey never had.
    """
    number = gateway.text.whole_number(request.GET.get("round", str(survey.round)))
    if number is None or not survey.born <= number <= survey.round:
        raise Http404(_("%(code)s has no such round.") % {"code": survey.code})
    return number


def _dialect(request: HttpRequest) -> dict[str, Any]:
    """The CSV dialect that is asked for: ?bom=1 for Excel, ?separator=semicolon where the decimal
    sign is a comma.
    """
    semicolon = request.GET.get("separator") == "semicolon"
    return {"bom": request.GET.get("bom") == "1", "separator": ";" if semicolon else ","}


def _results(survey: Survey, kind: str, dialect: dict[str, Any]) -> tuple[Iterable[str], Known[Any]]:
    reading = results(survey)
    if kind == "csv":
        return csv_export.lines(csv_export.result_rows(survey, reading.value.tally), **dialect), reading
    return [json.dumps(document(survey, reading), ensure_ascii=False, indent=2)], reading


def _ballots(survey: Survey, kind: str, dialect: dict[str, Any]) -> tuple[Iterable[str], Known[Any]]:
    """The ballots as a file. All of them are read before the first is sent: when a region fails
    midway, the reply is an error page and not half a file.
    """
    reading = ballot_selectors.ballots(survey)
    ballots = csv_export.anonymous(reading.value)
    if kind == "csv":
        return csv_export.lines(csv_export.ballot_rows(survey, ballots), **dialect), reading
    return _ballots_json(survey, ballots, reading), reading


def _ballots_json(survey: Survey, ballots: Iterable[csv_export.AnonymousBallot], reading: Known[Any]) -> Iterator[str]:
    title = survey.definition.title
    about = {"code": survey.code, "round": survey.round, "title": title, "consistency": consistency(reading)}
    head = json.dumps(about, ensure_ascii=False)
    yield f'{head[:-1]}, "ballots": ['
    for place, ballot in enumerate(ballots):
        line: dict[str, Any] = {"ballot": ballot.number, "minute": ballot.minute, "answers": ballot.answers}
        yield ("\n" if place == 0 else ",\n") + json.dumps(line, ensure_ascii=False)
    yield "\n]}\n"


def _download(survey: Survey, what: str, kind: str, parts: Iterable[str], reading: Known[Any]) -> StreamingHttpResponse:
    """A file that is sent while it is made; its name says what it holds, and of which day."""
    content_type = "text/csv; charset=utf-8" if kind == "csv" else "application/json"
    response = StreamingHttpResponse(_chunks(parts), content_type=content_type)
    day = datetime.fromtimestamp(gateway.clock.wall(), UTC).strftime("%Y-%m-%d")
    response["Content-Disposition"] = f'attachment; filename="{survey.code}-round-{survey.round}-{what}-{day}.{kind}"'
    say_where(response, reading)
    return response


def _chunks(parts: Iterable[str]) -> Iterator[bytes]:
    buffer = bytearray()
    for part in parts:
        buffer += part.encode()
        if len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)
