"""The language of a page on which somebody types: its buttons send the form itself, so that nothing
typed is lost.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views.i18n import set_language


def pressed(request: HttpRequest) -> bool:
    """Whether the form was sent for another language, and for nothing else; from here on the reply
    is in it.
    """
    wanted = request.POST.get("language", "") if request.method == "POST" else ""
    if wanted not in dict(settings.LANGUAGES):
        return False
    translation.activate(wanted)
    return True


def remembered(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The reply, and the choice for every other page, as the switch outside of forms remembers it."""
    response.cookies.update(set_language(request).cookies)
    return response
