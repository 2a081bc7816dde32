"""A reply says which region served it, and what was tried before."""

from __future__ import annotations

import json
import logging
import threading

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from failover.core.errors import Attempt, ErrorClass, Outcome
from failover.web.middleware import ServedByMiddleware
from failover.worker import trace
from surveyapp.logs import JsonFormatter
from tests.failover.adapters.faulty import EAST, WEST

DNS = Attempt(EAST, Outcome.DNS, 2.6, "DNS answers empty", ErrorClass.NOT_SENT)
OK = Attempt(WEST, Outcome.OK, 71.2)


def reply(*calls: tuple[tuple[Attempt, ...], str | None]) -> HttpResponse:
    def view(_: HttpRequest) -> HttpResponse:
        for attempts, region in calls:
            trace.note(attempts, region)
        return HttpResponse()

    return ServedByMiddleware(view)(HttpRequest())


def test_an_attempt_is_an_entry_and_the_region_that_served_is_named() -> None:
    response = reply(((DNS,), None), ((OK,), WEST))

    assert response["X-Served-Region"] == WEST
    assert response["Server-Timing"] == 'us-east-1;desc="dns";dur=2.6, us-west-2;desc="ok";dur=71.2'


def test_a_reply_that_touched_no_data_says_nothing() -> None:
    assert {"X-Served-Region", "Server-Timing"}.isdisjoint(reply().headers)


def test_when_no_region_answered_the_attempts_are_shown_and_no_region() -> None:
    response = reply(((DNS,), None))

    assert "X-Served-Region" not in response
    assert response["Server-Timing"].startswith(EAST)


def test_the_region_of_the_last_call_counts() -> None:
    assert reply(((OK,), WEST), ((OK,), EAST), ((DNS,), None))["X-Served-Region"] == EAST


def test_the_header_stays_short_whatever_a_request_did() -> None:
    assert reply(*[((OK,), WEST)] * 500)["Server-Timing"].count(";dur=") == 20


def test_a_request_sees_nothing_of_the_one_before_or_beside_it() -> None:
    both = threading.Barrier(2)
    served: dict[str, HttpResponse] = {}

    def request(region: str) -> None:
        def view(_: HttpRequest) -> HttpResponse:
            both.wait(30)
            trace.note((Attempt(region, Outcome.OK, 1.0),), region)
            both.wait(30)
            return HttpResponse()

        served[region] = ServedByMiddleware(view)(HttpRequest())

    threads = [threading.Thread(target=request, args=(region,)) for region in (EAST, WEST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert {region: response["X-Served-Region"] for region, response in served.items()} == {EAST: EAST, WEST: WEST}
    assert all(response["Server-Timing"].count(";dur=") == 1 for response in served.values())


def test_the_trace_ends_also_when_a_view_raises() -> None:
    def view(_: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ServedByMiddleware(view)(HttpRequest())
    trace.note((OK,), WEST)

    assert "X-Served-Region" not in reply()


def test_a_trace_within_another_gives_the_outer_one_back() -> None:
    with trace.tracing() as outer:
        with pytest.raises(ZeroDivisionError), trace.tracing() as inner:
            raise ZeroDivisionError
        trace.note((OK,), WEST)

    assert (outer.attempts, outer.region) == ([OK], WEST)
    assert inner.attempts == []


def test_each_failed_attempt_is_one_line_that_the_reply_names(caplog: pytest.LogCaptureFixture) -> None:
    refused = Attempt(WEST, Outcome.DENIED, 1.0, "AccessDenied", ErrorClass.CALLER)

    response = reply(((DNS,), None), ((OK,), WEST), ((refused,), None))

    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert [(line["event"], line["region"], line["outcome"], line["class"], line["ms"]) for line in lines] == [
        ("attempt-failed", EAST, "dns", "A", 2.6),
        ("attempt-failed", WEST, "denied", "D", 1.0),
    ]
    assert {line["trace"] for line in lines} == {response["X-Trace-Id"]}
    assert lines[0]["detail"] == "DNS answers empty"


def test_what_went_well_or_was_passed_over_is_no_line_and_has_no_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    skipped = Attempt(EAST, Outcome.SKIPPED, 0.0, "its circuit is open")

    response = reply(((skipped, OK), WEST))

    assert caplog.records == []
    assert "X-Trace-Id" not in response


def test_the_line_knows_the_addresss_pattern_and_the_surveys_code_and_no_voting_link(
    caplog: pytest.LogCaptureFixture,
) -> None:
    request = HttpRequest()
    request.resolver_match = resolve("/s/demo20/link/secret-of-one-voter/")

    def view(_: HttpRequest) -> HttpResponse:
        trace.note((DNS,), None)
        return HttpResponse()

    ServedByMiddleware(view)(request)

    line = JsonFormatter().format(caplog.records[0])
    assert json.loads(line)["code"] == "DEMO20"
    assert json.loads(line)["route"] == "s/<code:code>/link/<str:link>/"
    assert "secret-of-one-voter" not in line


def test_outside_a_request_a_failed_attempt_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    trace.note((DNS,), None)

    assert "trace" not in json.loads(JsonFormatter().format(caplog.records[0]))
