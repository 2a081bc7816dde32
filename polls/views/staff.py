"""Whether an instructor looks. Only those who signed in are looked up: a class of watchers costs no account's query."""

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest


def is_instructor(request: HttpRequest) -> bool:
    """Whether this is a member of the staff. Replies that depend on it must vary by cookie."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    try:
        return request.user.is_active and request.user.is_staff
    except DatabaseError:
        # The accounts' database is disposable and never takes a public page down: such a page is a student's then.
        return False
