"""Keeps what was typed into a long form when the form cannot be taken: it is shown again, and its
author sends it again. Nothing is done by itself. Only a ballot and a survey are kept; a pin, a
reset or a deletion begins anew.
"""

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth import login
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.http import is_same_domain

FORMS = frozenset({"polls:survey", "surveys:new", "surveys:edit"})
SIGN_IN = frozenset({"csrfmiddlewaretoken", "username", "password"})

View = Callable[..., HttpResponseBase]


def typed(request: HttpRequest) -> list[tuple[str, str]]:
    """The names and values of a form that is kept, for hidden fields; empty for every other
    request.
    """
    match = request.resolver_match
    if request.method != "POST" or match is None or match.view_name not in FORMS:
        return []
    return [(name, str(value)) for name, values in request.POST.lists() if name not in SIGN_IN for value in values]


def for_authors(again: View) -> Callable[[View], View]:
    """Decorates a page on which instructors write.

    A form of a person who is signed out leads to a page to sign in, which carries what was typed.
    After that `again` shows the form, and the person saves it or not.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def inner(request: HttpRequest, **kwargs: str) -> HttpResponseBase:
            if request.method != "POST":
                return staff_member_required(view)(request, **kwargs)
            signs_in = "password" in request.POST
            if is_author(request):
                return again(request, **kwargs) if signs_in else view(request, **kwargs)
            form = AdminAuthenticationForm(request, request.POST if signs_in else None)
            if not signs_in or not form.is_valid():
                return sign_in(request, form)
            login(request, form.get_user())
            return again(request, **kwargs)

        return inner

    return decorate


def is_author(request: HttpRequest) -> bool:
    """Whether the sender of this request may write surveys."""
    return bool(request.user.is_active and request.user.is_staff)


def sign_in(
    request: HttpRequest, form: AdminAuthenticationForm | None = None, *, locked_out: bool = False
) -> HttpResponse:
    """The 403 page to sign in, with what was typed in hidden fields."""
    context = {
        **admin.site.each_context(request),
        "form": form or AdminAuthenticationForm(request),
        "typed": typed(request),
        "locked_out": locked_out,
    }
    return render(request, "polls/instructor/sign_in.html", context, status=403)


def same_origin(request: HttpRequest) -> bool:
    """Whether a form came from a page of ours.

    True where the browser says nothing of the origin: every browser names it for a form of another
    site.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        referrer = urlsplit(request.headers.get("Referer", ""))
        if not referrer.netloc:
            return True
        origin = f"{referrer.scheme}://{referrer.netloc}"
    try:
        if origin == f"{request.scheme}://{request.get_host()}":
            return True
    except DisallowedHost:
        return False
    scheme, _separator, host = origin.partition("://")
    trusted = (text.partition("://") for text in settings.CSRF_TRUSTED_ORIGINS)
    return any(scheme == other and is_same_domain(host, name.lstrip("*")) for other, _separator, name in trusted)
