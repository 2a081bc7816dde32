"""The pages of the survey, a module for each kind of reader."""

from .api import api_ballots, api_survey
from .join import join
from .present import present
from .receipt import receipt
from .results import qr, results, results_json
from .survey import by_link, state, survey

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
