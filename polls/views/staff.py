"""Whether an instructor looks, or acts. Only those who signed in are looked up: a class of watchers
costs no account's query.
"""

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST


def is_instructor(request: HttpRequest) -> bool:
    """Whether this is a member of the staff. Replies that depend on it must vary by cookie."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    try:
        return request.user.is_active and request.user.is_staff
    except DatabaseError:
        # The accounts' database is disposable and never takes a public page down: such a page is a
        # student's then.
        return False


def staff_posts(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For a button's address, which no browser can open: who is signed out signs in and comes to
    the list, where the button is pressed again.
    """

    @wraps(view)
    def inner(request: HttpRequest, code: str) -> HttpResponseBase:
        if not is_instructor(request):
            return redirect_to_login(reverse("surveys:list"), reverse("admin:login"))
        return require_POST(view)(request, code)

    return inner
