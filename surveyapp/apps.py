"""Django admin with this project's own start page."""

from django.contrib.admin.apps import AdminConfig


class SurveyAdminConfig(AdminConfig):
    """Puts `surveyapp.admin.SurveyAdminSite` in the place of Django's own admin site."""

    default_site = "surveyapp.admin.SurveyAdminSite"
