"""`/healthz/live`: the process answers. `/healthz/ready`: this stack can reach at least one
region's data.
"""

from __future__ import annotations

import logging

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from failover import gateway
from failover.adapters.control_store import read_decisions
from failover.core.ports import Bound

log = logging.getLogger(__name__)


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as this process serves requests."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 with the region that answered a small read, or 503 with every region's failure in our own
    words: AWS's can name an account.
    """
    attempts: tuple[gateway.Attempt, ...] = ()
    try:
        return JsonResponse({"status": "ready", "region": gateway.read(_count_decisions).region})
    except gateway.NoRegionAnswered as error:
        attempts, reason = error.attempts, str(error)
    except Exception as error:
        reason = type(error).__name__
        log.error("not ready: %(error)s", {"event": "not-ready", "error": error})
    failures = [{**attempt.as_json(), "detail": attempt.detail} for attempt in attempts]
    return JsonResponse({"status": "unavailable", "reason": reason, "attempts": failures}, status=503)


def _count_decisions(_: Bound) -> int:
    return len(read_decisions())


urlpatterns = [path("live", live), path("ready", ready)]
