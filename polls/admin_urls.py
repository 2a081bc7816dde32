"""The instructor's pages about surveys, mounted at /admin/surveys/."""

from django.urls import path, re_path, register_converter

from polls.surveys.codes import CodeConverter
from polls.views.instructor import builder, copies, export, links, surveys, versions

register_converter(CodeConverter, "survey_code")

app_name = "surveys"
urlpatterns = [
    path("", surveys.survey_list, name="list"),
    path("new/", builder.create, name="new"),
    path("<survey_code:code>/edit/", builder.edit, name="edit"),
    path("<survey_code:code>/versions/", versions.versions, name="versions"),
    path("<survey_code:code>/preview/", copies.preview, name="preview"),
    path("<survey_code:code>/duplicate/", copies.duplicate, name="duplicate"),
    path("<survey_code:code>/export.json", copies.export, name="export"),
    path("<survey_code:code>/links/", links.links, name="links"),
    path("<survey_code:code>/archive/", surveys.survey_archive, name="archive"),
    path("<survey_code:code>/delete/", surveys.survey_delete, name="delete"),
    path("<survey_code:code>/open/", surveys.survey_open, name="open"),
    path("<survey_code:code>/close/", surveys.survey_close, name="close"),
    path("<survey_code:code>/reset/", surveys.survey_reset, name="reset"),
    path("<survey_code:code>/export/", export.export, name="results-export"),
    re_path(
        r"^(?P<code>[A-Z0-9]{4,12})/export/(?P<what>results|ballots)\.(?P<kind>csv|json)$",
        export.export_file,
        name="export-file",
    ),
]
