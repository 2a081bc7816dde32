"""`/healthz/live`: the process answers. `/healthz/ready`: this stack can reach at least one region's data."""

from __future__ import annotations

import logging

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from . import gateway, trace
from .adapters.control_store import read_decisions
from .core.interfaces import Bound
from .fanout import ask

log = logging.getLogger(__name__)
OTHERS_TIMEOUT_S = 1.5


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as this process serves requests."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 with the region that answered a small read, else 503 with what every region said, in our own words: AWS's
    can name an account.
    """
    attempts: tuple[gateway.Attempt, ...] = ()
    try:
        return JsonResponse({"status": "ready", "region": _who_answers()})
    except gateway.NoRegionAnswered as error:
        attempts, reason = error.attempts, str(error)
    except Exception as error:
        reason = type(error).__name__
        log.error("not ready: %(error)s", {"event": "not-ready", "error": error})
    told = [{**attempt.as_json(), "detail": attempt.detail} for attempt in attempts]
    return JsonResponse({"status": "unavailable", "reason": reason, "attempts": told}, status=503)


def _who_answers() -> str:
    try:
        return gateway.read(_look).region
    except gateway.NoRegionAnswered:
        raise
    except Exception:
        # A refusal is never failed over, but where one region's table or permission is gone another may well answer.
        answers = ask(gateway.regions(), _look, timeout=OTHERS_TIMEOUT_S)
    for region in gateway.regions():
        if region in answers.values:
            trace.note((gateway.Attempt(region, gateway.Outcome.OK, answers.ms),), region)
            return region
    raise gateway.NoRegionAnswered(answers.attempts)


def _look(_: Bound) -> int:
    return len(read_decisions())


urlpatterns = [path("live", live), path("ready", ready)]
