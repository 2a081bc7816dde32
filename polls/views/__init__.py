"""The pages of the survey, a module for each kind of reader."""

from polls.views.api.ballots import api_ballots, api_survey
from polls.views.public.ballot import by_link, state, survey
from polls.views.public.join import join
from polls.views.public.present import present
from polls.views.public.receipt import receipt
from polls.views.public.results import qr, results, results_json

__all__ = [
    "api_ballots",
    "api_survey",
    "by_link",
    "join",
    "present",
    "qr",
    "receipt",
    "results",
    "results_json",
    "state",
    "survey",
]
