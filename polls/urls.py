"""The pages and the API of the survey; the addresses are fixed by contract."""

from django.urls import path, register_converter

from polls import views
from polls.surveys.codes import CodeConverter

register_converter(CodeConverter, "code")

app_name = "polls"
urlpatterns = [
    path("", views.join, name="join"),
    path("s/<code:code>/", views.survey, name="survey"),
    path("s/<code:code>/link/<str:link>/", views.by_link, name="link"),
    path("s/<code:code>/state.json", views.state, name="state"),
    path("s/<code:code>/receipt/", views.receipt, name="receipt"),
    path("s/<code:code>/results/", views.results, name="results"),
    path("s/<code:code>/results.json", views.results_json, name="results-json"),
    path("s/<code:code>/present/", views.present, name="present"),
    path("s/<code:code>/qr.svg", views.qr, name="qr"),
    path("api/v1/surveys/<str:code>/", views.api_survey, name="api-survey"),
    path("api/v1/surveys/<str:code>/ballots", views.api_ballots, name="api-ballots"),
]
