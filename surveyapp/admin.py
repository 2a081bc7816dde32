"""The instructor's start page: accounts are Django's, surveys and failover are pages of our own
beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


@dataclass(frozen=True)
class Tool:
    """A page of our own that the start page and the header link to."""

    name: str
    url: str
    purpose: str


class SurveyAdminSite(admin.AdminSite):
    """Django admin under this project's name, with links to the pages that are not Django's."""

    site_header = "surveyapp"
    site_title = "surveyapp"
    index_title = gettext_lazy("For instructors")
    # The pages of our own need the width, and the header links to them.
    enable_nav_sidebar = False

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Django's context of every admin page, and the tools."""
        return {**super().each_context(request), "tools": tools()}


def tools() -> tuple[Tool, ...]:
    """The pages of our own; their addresses lie below the admin's."""
    start = reverse("admin:index")
    return (
        Tool(_("Surveys"), f"{start}surveys/", _("Write, open, reveal, close and export surveys")),
        Tool(_("Failover"), reverse("failover:dashboard"), _("See which region serves and why, and pin another")),
        Tool(_("Users"), reverse("admin:auth_user_changelist"), _("Who may sign in here")),
    )
