"""Problem documents (RFC 9457) for requests that expect JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _

View = Callable[[HttpRequest], HttpResponse]


def problem(status: HTTPStatus, detail: str, **extra: str) -> JsonResponse:
    """A problem document with HTTP's own title for `status`."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, **extra}
    return JsonResponse(body, status=status.value, content_type="application/problem+json")


def staff_or_problem(view: View) -> View:
    """Answers 403 with a problem document where a login page would be unreadable for a script."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_active and user.is_staff:
            return view(request)
        login = redirect_to_login(reverse("failover:dashboard"), reverse("admin:login")).url
        return problem(HTTPStatus.FORBIDDEN, _("Sign in as a member of staff to see the status."), login=login)

    return guarded
