"""The reply to a form whose CSRF token does not fit: the page is older than the last sign-in, the
cookies were deleted, or another site sent the form.
"""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from polls.views import kept
from polls.views.instructor import builder
from polls.views.public.ballot import again as ballot_again

# For each address that only takes a form: the page on which that form stands.
START = {
    "surveys:duplicate": "surveys:list",
    "surveys:archive": "surveys:list",
    "surveys:open": "surveys:list",
    "surveys:close": "surveys:list",
    "failover:routing": "failover:dashboard",
    "set-language": "polls:join",
}


def refused(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Reply 403 (Django's CSRF_FAILURE_VIEW).

    A ballot, and a survey that is being written, are shown again as typed where a page of ours sent
    them. For every other form the page leads back to where it began.
    """
    match = request.resolver_match
    name, arguments = (match.view_name, match.kwargs) if match else ("", {})
    if name in kept.FORMS and kept.same_origin(request):
        if name == "polls:survey":
            return ballot_again(request, **arguments)
        if not kept.is_author(request):
            return kept.sign_in(request)
        shown = builder.again(request, **arguments)
        if shown.status_code == HTTPStatus.OK:
            shown.status_code = HTTPStatus.FORBIDDEN
        return shown
    context = {"start": reverse(START[name]) if name in START else request.path, "is_ballot": name == "polls:survey"}
    response: HttpResponse = render(request, "403_csrf.html", context, status=403)
    return response
