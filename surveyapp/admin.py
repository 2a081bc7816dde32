"""The instructor's start page: accounts are Django's, surveys and failover are pages of our own beside them."""

from django.contrib import admin


class SurveyAdminSite(admin.AdminSite):
    """Django admin under this project's name."""

    site_header = "surveyapp"
    site_title = "surveyapp"
    index_title = "For instructors"
