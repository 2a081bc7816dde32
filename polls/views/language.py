"""The language switch of a page with a form: its buttons send the form itself, so that nothing
typed is lost.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views.i18n import set_language


def pressed(request: HttpRequest) -> bool:
    """Whether the form was sent by a button of the language switch, and for nothing else.

    If so, this activates the language, so that the reply is in it.
    """
    wanted = request.POST.get("language", "") if request.method == "POST" else ""
    if wanted not in dict(settings.LANGUAGES):
        return False
    translation.activate(wanted)
    return True


def remembered(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The reply with the language cookie, so that the other pages are in that language too."""
    response.cookies.update(set_language(request).cookies)
    return response
