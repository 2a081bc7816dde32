"""The pages of the survey, a module for each kind of reader."""

from .api import api_ballots, api_survey
from .join import join
from .results import qr, results, results_json
from .survey import receipt, survey

__all__ = ["api_ballots", "api_survey", "join", "qr", "receipt", "results", "results_json", "survey"]
