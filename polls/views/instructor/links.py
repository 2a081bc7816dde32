"""Voting links to hand out: shown once, as a page to print, as CSV or as plain lines. No link is
stored.
"""

import csv
from typing import Any

import segno
from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from failover import gateway
from polls.ballots import voting_links
from polls.surveys.survey import Survey
from polls.views.common import phones_can_open, public_url, staff_survey


@never_cache
@staff_member_required
@require_http_methods(["GET", "HEAD", "POST"])
@staff_survey
def links(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Ask how many links are needed; POST makes them."""
    if request.method != "POST":
        return _page(request, survey)
    typed = request.POST.get("number", "").strip()
    number = gateway.text.whole_number(typed, digits=4)
    if number is None or not 1 <= number <= voting_links.MOST:
        mistake = _("Give a whole number from 1 to %(most)d.") % {"most": voting_links.MOST}
        return _page(request, survey, typed=typed[:10], mistake=mistake, status=422)
    made_links = [
        public_url(request, reverse("polls:link", args=[survey.code, voting_links.make(survey)]))
        for _number in range(number)
    ]
    match request.POST.get("format"):
        case "csv":
            response = HttpResponse(content_type="text/csv; charset=utf-8")
            writer = csv.writer(response)
            writer.writerow(["number", "link"])
            writer.writerows(enumerate(made_links, 1))
        case "text":
            response = HttpResponse("\n".join(made_links) + "\n", content_type="text/plain; charset=utf-8")
        case _:
            return _page(request, survey, typed=typed, made_links=made_links)
    ending = "csv" if request.POST.get("format") == "csv" else "txt"
    response["Content-Disposition"] = f'attachment; filename="{survey.code}-links.{ending}"'
    return response


def _page(
    request: HttpRequest,
    survey: Survey,
    *,
    typed: str = "30",
    mistake: str = "",
    made_links: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "survey": survey,
        "typed": typed,
        "mistake": mistake,
        "slips": [_slip(link) for link in made_links or []],
        "phones_cannot_open": made_links is not None and not phones_can_open(made_links[0]),
        "most": voting_links.MOST,
    }
    return render(request, "polls/instructor/links.html", context, status=status)


def _slip(link: str) -> dict[str, Any]:
    """What a slip of paper shows: the link as a QR code, and as a text to type."""
    return {
        "link": link,
        "qr": segno.make(link, error="m", micro=False).svg_data_uri(border=2, light="#fff", omitsize=True),
    }
