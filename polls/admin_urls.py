"""The instructor's pages about surveys, mounted at /admin/surveys/."""

from django.urls import path, register_converter

from .urls import CodeConverter
from .views import admin

register_converter(CodeConverter, "survey_code")

app_name = "surveys"
urlpatterns = [
    path("", admin.survey_list, name="list"),
    path("<survey_code:code>/open/", admin.survey_open, name="open"),
    path("<survey_code:code>/close/", admin.survey_close, name="close"),
    path("<survey_code:code>/reset/", admin.survey_reset, name="reset"),
]
