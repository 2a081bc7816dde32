"""The builder's page: the form with a draft in it, and the signed base that travels in the form."""

from typing import Any

from django.contrib import admin
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from polls.builder.drafts import Draft
from polls.surveys import codes, definitions, expiry, repairs, stored
from polls.surveys.definitions import Definition
from polls.surveys.survey import Survey

SALT = "polls.builder.joining"


def page(
    request: HttpRequest,
    draft: Draft,
    *,
    survey: Survey | None = None,
    base: Definition | None = None,
    status: int = 200,
    **state: Any,
) -> HttpResponse:
    """Render the form with a draft, valid or not.

    `survey` is None for a new one. `base` is the definition that the form was first rendered from.
    `state` says why the form is shown again: a name of one of the banners in builder.html.
    """
    context = {
        **admin.site.each_context(request),
        "draft": draft,
        "survey": survey,
        "base": dump_base(base) if base else "",
        "scales": [str(number) for number in definitions.SCALES],
        # A form that is sent twice uses the same code, so that it makes one survey.
        "spare_code": "" if survey else codes.normalise(request.POST.get("spare_code", "")) or codes.make(),
        "unread": repairs.unread(survey.unread) if survey else "",
        "notice": expiry.notice(survey) if survey else "",
        "zone": timezone.get_current_timezone_name(),
        **state,
    }
    return render(request, "polls/builder/builder.html", context, status=status)


def dump_base(definition: Definition) -> str:
    """The definition that a form was rendered from, as a signed text."""
    return signing.dumps(definitions.to_json(definition), salt=SALT, compress=True)


def posted_base(request: HttpRequest, survey: Survey) -> Definition | None:
    """The definition that the form of this survey was rendered from.

    None where the form has no base of ours, or has the base of another survey.
    """
    try:
        document = signing.loads(request.POST.get("base", ""), salt=SALT)
    except signing.BadSignature:
        return None
    base = stored.read(document, document.get("code")).definition
    return base if base.code == survey.code else None
