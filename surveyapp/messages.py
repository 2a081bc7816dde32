"""Django's messages in a cookie of this installation."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage


class InstallationStorage(CookieStorage):
    """Django's own storage, whose cookie's name no setting changes."""

    cookie_name = settings.MESSAGES_COOKIE_NAME
