"""The instructor's pages about surveys, mounted at /admin/surveys/."""

from django.urls import path, re_path, register_converter

from .urls import CodeConverter
from .views import admin, builder, export, links, splits

register_converter(CodeConverter, "survey_code")

app_name = "surveys"
urlpatterns = [
    path("", admin.survey_list, name="list"),
    path("new/", builder.create, name="new"),
    path("<survey_code:code>/edit/", builder.edit, name="edit"),
    path("<survey_code:code>/versions/", splits.versions, name="versions"),
    path("<survey_code:code>/preview/", builder.preview, name="preview"),
    path("<survey_code:code>/duplicate/", builder.duplicate, name="duplicate"),
    path("<survey_code:code>/export.json", builder.export, name="export"),
    path("<survey_code:code>/links/", links.links, name="links"),
    path("<survey_code:code>/archive/", admin.survey_archive, name="archive"),
    path("<survey_code:code>/delete/", admin.survey_delete, name="delete"),
    path("<survey_code:code>/open/", admin.survey_open, name="open"),
    path("<survey_code:code>/close/", admin.survey_close, name="close"),
    path("<survey_code:code>/reset/", admin.survey_reset, name="reset"),
    path("<survey_code:code>/export/", export.export, name="results-export"),
    re_path(
        r"^(?P<code>[A-Z0-9]{4,12})/export/(?P<what>results|ballots)\.(?P<kind>csv|json)$",
        export.export_file,
        name="export-file",
    ),
]
