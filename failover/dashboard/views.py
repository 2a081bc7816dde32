"""The dashboard's views: they read a status and never compute one."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from failover import gateway
from failover.core.config import RouterConfig
from failover.core.errors import FailoverError, RoutingRefused, RoutingSuperseded
from failover.dashboard import reading as readings
from failover.dashboard.forms import RoutingForm
from failover.dashboard.language import translated
from failover.dashboard.panels import render_all
from failover.dashboard.panels.sentence import NO_MONITOR
from failover.dashboard.problems import problem, staff_or_problem
from failover.dashboard.reading import Reading
from failover.dashboard.sentences import effect_of
from failover.dashboard.tabs import tabs

AGE_HEADER = "X-Status-Age"
"""The header with the status's age in milliseconds. A 304, which has no body, carries it too."""


@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    """The page. It links to no pin: a change of the routing is a POST to `routing`."""
    return _page(request, RoutingForm(regions=gateway.regions(), initial={"mode": "auto"}))


@require_GET
@staff_or_problem
def live(request: HttpRequest) -> HttpResponse:
    """The panels alone, for an open page; 304 while nothing that they show has changed."""
    reading = readings.current()
    panels = render_all(reading).values()
    etag = _etag(*(panel.digest for panel in panels))
    return _dated(request, render(request, "failover/live.html", {"panels": panels}), etag, reading)


@require_GET
@staff_or_problem
def status_json(request: HttpRequest) -> HttpResponse:
    """The status document as the monitor published it; 503 when there is none."""
    reading = readings.current()
    if reading.status is None:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(NO_MONITOR))
    etag = _etag(json.dumps(reading.status, sort_keys=True))
    return _dated(request, JsonResponse(reading.status), etag, reading)


@require_http_methods(["GET", "HEAD", "POST"])
def routing(request: HttpRequest) -> HttpResponse:
    """Changes the routing. 422: the form is incomplete or wrong. 409: a safety rule forbids it, or
    another decision of the same moment holds. 503: no region took the decision, or no region said
    whether it did.
    """
    if request.method != "POST":
        return HttpResponseRedirect(reverse("failover:dashboard"))
    form = RoutingForm(request.POST, regions=gateway.regions())
    if not form.is_valid():
        return _page(request, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    wish = form.cleaned_data
    region = wish["region"] or None
    try:
        decision = gateway.route(
            wish["mode"], region, actor=request.user.get_username(), reason=wish["reason"], force=wish["force"]
        )
    except RoutingRefused as refused:
        form.refused(translated(refused.rule))
        return _page(request, form, HTTPStatus.CONFLICT)
    except RoutingSuperseded as lost:
        form.add_error(None, _("Not changed: %(error)s.") % {"error": translated(lost.args[0])})
        return _page(request, form, HTTPStatus.CONFLICT)
    except gateway.RoutingUnknown as error:
        unknown = _(
            "It is not known whether this was changed: %(error)s. Once a region answers, what holds stands above."
        )
        form.add_error(None, unknown % {"error": translated(error.args[0])})
        return _page(request, form, HTTPStatus.SERVICE_UNAVAILABLE)
    except FailoverError as error:
        form.add_error(None, _("Nothing was changed: %(error)s.") % {"error": translated(error.args[0])})
        return _page(request, form, HTTPStatus.SERVICE_UNAVAILABLE)
    messages.success(request, effect_of(decision))
    return HttpResponseRedirect(reverse("failover:dashboard"))


def _page(request: HttpRequest, form: RoutingForm, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    reading = readings.current()
    context = {
        **admin.site.each_context(request),
        "title": _("Failover"),
        "form": form,
        "panels": render_all(reading),
        "reading": reading,
        "tabs": tabs,
        "age_ms": _age_ms(reading),
        "stale_after_ms": round(RouterConfig().stale_after_s * 1000),
    }
    response = render(request, "failover/page.html", context, status=status.value)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _dated(request: HttpRequest, response: HttpResponse, etag: str, reading: Reading) -> HttpResponse:
    response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    unchanged = get_conditional_response(request, etag=etag, response=response)
    reply = unchanged if isinstance(unchanged, HttpResponse) else response
    reply[AGE_HEADER] = _age_ms(reading)
    return reply


def _age_ms(reading: Reading) -> str:
    return "" if reading.age_s is None else f"{reading.age_s * 1000:.0f}"


def _etag(*parts: str) -> str:
    return f'"{hashlib.sha256("".join(parts).encode()).hexdigest()[:32]}"'
