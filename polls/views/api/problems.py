"""Errors of the API, as RFC 9457 problem documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _

from failover import gateway

CONTENT_TYPE = "application/problem+json"


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> HttpResponse:
    """A problem document.

    `title` is the status in words, `detail` a sentence for people; `members` are for programs.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE, headers=dict(headers or {}))


def in_place_of(page: HttpResponseBase) -> HttpResponse:
    """The problem document that replaces an error page of Django's; the page's other headers stay."""
    headers = {name: value for name, value in page.items() if name not in ("Content-Type", "Content-Length")}
    details = {
        400: _("This request cannot be read."),
        403: _("This is not allowed."),
        404: _("There is nothing at this address."),
        405: _("This method is not allowed here."),
        413: _("This request is too large."),
        500: _("Something went wrong on our side, and has been noted."),
    }
    detail = details.get(page.status_code, _("The request was not carried out."))
    return problem(page.status_code, detail, headers=headers)


def no_region_problem(error: gateway.NoRegionAnswered, **members: Any) -> HttpResponse:
    """The problem 503: no region answered before the deadline, or every region refused the call."""
    if isinstance(error, gateway.RefusedEverywhere):
        detail = _(
            "Every region refuses this service's calls (%(refusal)s): a mistake in its configuration. Nothing was "
            "recorded."
        )
        return problem(
            503,
            detail % {"refusal": error.detail},
            headers={"Retry-After": "30"},
            reason="configuration",
            attempts=[attempt.as_json() for attempt in error.attempts],
            **members,
        )
    return problem(
        503,
        _("No region answered in time. Send it again; with the same vote_id it cannot count twice."),
        headers={"Retry-After": "2"},
        attempts=[attempt.as_json() for attempt in error.attempts],
        **members,
    )
