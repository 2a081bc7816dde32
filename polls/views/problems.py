"""Errors of the API, as RFC 9457 problem documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from failover import gateway

from ..services import attempt_json

CONTENT_TYPE = "application/problem+json"


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> HttpResponse:
    """A problem document: `title` is the status in words, `detail` one sentence for a person, `members` what programs
    need.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE, headers=dict(headers or {}))


def no_region_problem(error: gateway.NoRegionAnswered, **members: Any) -> HttpResponse:
    """503: no region answered before the deadline."""
    return problem(
        503,
        _("No region answered in time. Send it again; with the same vote_id it cannot count twice."),
        headers={"Retry-After": "2"},
        attempts=[attempt_json(attempt) for attempt in error.attempts],
        **members,
    )
