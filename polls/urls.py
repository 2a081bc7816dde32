"""The pages and the API of the survey; the addresses are fixed by contract."""

from django.urls import path, register_converter

from polls.surveys.codes import CodeConverter
from polls.views.api import ballots as api
from polls.views.public import ballot, join, present, receipt, results

register_converter(CodeConverter, "code")

app_name = "polls"
urlpatterns = [
    path("", join.join, name="join"),
    path("s/<code:code>/", ballot.survey, name="survey"),
    path("s/<code:code>/link/<str:link>/", ballot.by_link, name="link"),
    path("s/<code:code>/state.json", ballot.state, name="state"),
    path("s/<code:code>/receipt/", receipt.receipt, name="receipt"),
    path("s/<code:code>/results/", results.results, name="results"),
    path("s/<code:code>/results.json", results.results_json, name="results-json"),
    path("s/<code:code>/present/", present.present, name="present"),
    path("s/<code:code>/qr.svg", results.qr, name="qr"),
    path("api/v1/surveys/<str:code>/", api.api_survey, name="api-survey"),
    path("api/v1/surveys/<str:code>/ballots", api.api_ballots, name="api-ballots"),
]
