"""`/healthz/live`: the process answers. `/healthz/ready`: this stack can reach at least one region's data."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from . import gateway
from .adapters.control_store import read_decisions


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as this process serves requests."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 with the region that answered a small read, else 503 with what every region said."""
    try:
        answer = gateway.read(lambda _: len(read_decisions()))
    except Exception as error:
        attempts = error.attempts if isinstance(error, gateway.NoRegionAnswered) else ()
        told = [{**attempt.as_json(), "detail": attempt.detail} for attempt in attempts]
        return JsonResponse({"status": "unavailable", "reason": str(error), "attempts": told}, status=503)
    return JsonResponse({"status": "ready", "region": answer.region})


urlpatterns = [path("live", live), path("ready", ready)]
