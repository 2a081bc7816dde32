"""Whether an instructor looks. Only those who signed in are looked up: a class of watchers costs no account's query."""

from django.conf import settings
from django.http import HttpRequest


def is_instructor(request: HttpRequest) -> bool:
    """Whether this is a member of the staff. Replies that depend on it must vary by cookie."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_active and request.user.is_staff
