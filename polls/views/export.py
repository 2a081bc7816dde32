"""Results and ballots to take away, as CSV or JSON: for staff, and without anything that tells who voted."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from failover import gateway

from .. import csv_export, selectors
from ..known import Known
from ..surveys import Survey
from .common import no_region, with_survey
from .results import document

CHUNK_BYTES = 32 * 1024  # sent at once; a line at a time would cost a system call a voter


@never_cache
@staff_member_required
@require_safe
@with_survey
def export(request: HttpRequest, known: Known[Survey]) -> HttpResponse:
    """What can be taken away, and what it tells about voters."""
    context = {**admin.site.each_context(request), "survey": known.value}
    return render(request, "polls/results_export.html", context)


@never_cache
@staff_member_required
@require_safe
def export_file(request: HttpRequest, code: str, what: str, kind: str) -> HttpResponseBase:
    """The current round's "results" (counts) or "ballots" (one a voter), as "csv" or "json"."""
    parts_of = {"results": _results, "ballots": _ballots}[what]

    def send(request: HttpRequest, known: Known[Survey]) -> HttpResponseBase:
        try:
            parts, region = parts_of(known.value, kind, bom=request.GET.get("bom") == "1")
        except gateway.NoRegionAnswered as error:
            return no_region(request, error)
        return _download(known.value, what, kind, parts, region)

    return with_survey(send)(request, code=code)


def _results(survey: Survey, kind: str, *, bom: bool) -> tuple[Iterable[str], str]:
    found = selectors.results(survey)
    if kind == "csv":
        return csv_export.lines(csv_export.result_rows(survey, found.value.tally), bom=bom), found.region
    return [json.dumps(document(survey, found), ensure_ascii=False, indent=2)], found.region


def _ballots(survey: Survey, kind: str, *, bom: bool) -> tuple[Iterable[str], str]:
    """All are read before the first is sent: a region that fails on the way makes an error page and not half a file."""
    found = selectors.ballots(survey)
    ballots = csv_export.anonymous(found.value)
    if kind == "csv":
        return csv_export.lines(csv_export.ballot_rows(survey, ballots), bom=bom), found.region
    return _ballots_json(survey, ballots), found.region


def _ballots_json(survey: Survey, ballots: Iterable[csv_export.AnonymousBallot]) -> Iterator[str]:
    head = json.dumps({"code": survey.code, "round": survey.round, "title": survey.title}, ensure_ascii=False)
    yield f'{head[:-1]}, "ballots": ['
    for place, ballot in enumerate(ballots):
        line: dict[str, Any] = {"ballot": ballot.number, "minute": ballot.minute, "answers": ballot.answers}
        yield ("\n" if place == 0 else ",\n") + json.dumps(line, ensure_ascii=False)
    yield "\n]}\n"


def _download(survey: Survey, what: str, kind: str, parts: Iterable[str], region: str) -> StreamingHttpResponse:
    """A file that is sent while it is made; its name says what it is and when it was taken."""
    content_type = "text/csv; charset=utf-8" if kind == "csv" else "application/json"
    response = StreamingHttpResponse(_chunks(parts), content_type=content_type)
    day = datetime.fromtimestamp(gateway.clock.wall(), UTC).strftime("%Y-%m-%d")
    response["Content-Disposition"] = f'attachment; filename="{survey.code}-round-{survey.round}-{what}-{day}.{kind}"'
    response["X-Served-Region"] = region
    return response


def _chunks(parts: Iterable[str]) -> Iterator[bytes]:
    held = bytearray()
    for part in parts:
        held += part.encode()
        if len(held) >= CHUNK_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
