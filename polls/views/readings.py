"""What replies say of one reading of the counts: the JSON document, its region and age in headers,
and parts of pages that are rendered once for all readers.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language

from failover import gateway
from polls.common.caching import Made
from polls.common.freshness import Known
from polls.results.charts import charts
from polls.results.selectors import Results
from polls.surveys.survey import State, Survey


@dataclass(frozen=True)
class ReadingKey:
    """Everything that a reading's fragment and document depend on.

    Readers with the same key get the same fragment and document, which are made once.
    """

    survey: Survey
    state: State
    region: str
    read_at: float
    current: bool
    instructor: bool
    language: str | None

    @classmethod
    def of(cls, survey: Survey, reading: Known[Results], instructor: bool = False) -> "ReadingKey":
        """The key of a reading, for this request's language."""
        current = reading.value.current
        return cls(survey, survey.state, reading.region, reading.at, current, instructor, get_language())


@dataclass(frozen=True)
class Fragment:
    """A rendered part of a page, and its ETag, by which a reader's own copy is known."""

    content: bytes
    etag: str

    @classmethod
    def of(cls, text: str) -> "Fragment":
        """The fragment of a rendered text."""
        content = text.encode()
        return cls(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def reply(self, request: HttpRequest) -> HttpResponse:
        """The fragment, or a 304 where the reader has it already."""
        unchanged: HttpResponse | None = get_conditional_response(request, etag=self.etag)
        response = HttpResponse(self.content) if unchanged is None else unchanged
        response["ETag"] = self.etag
        return response


_documents: Made[ReadingKey, dict[str, Any]] = Made()


def document(survey: Survey, reading: Known[Results]) -> dict[str, Any]:
    """The counts as results.json holds them.

    `percent` is the share of the voters who answered the question. `compared_at` is when the region
    last compared its counts with all ballots, or None.
    """
    ageless = _documents.get(ReadingKey.of(survey, reading), lambda: _ageless(survey, reading))
    return {**ageless, "age_ms": reading.age_ms()}


def _ageless(survey: Survey, reading: Known[Results]) -> dict[str, Any]:
    compared = moment(reading.value.compared_at)
    return {
        "code": survey.code,
        "round": survey.round,
        "state": survey.state.value,
        "voters": reading.value.tally.voters,
        "questions": [
            {
                "id": chart.question.id,
                "text": chart.question.text,
                "kind": chart.question.kind.value,
                "answered": chart.answered,
                "average": chart.average.exact if chart.average else None,
                "options": [
                    {"id": bar.id, "text": bar.text, "count": bar.count, "percent": bar.percent} for bar in chart.bars
                ],
            }
            for chart in charts(survey, reading.value.tally)
        ],
        "region": reading.region,
        "consistency": consistency(reading),
        "as_of": datetime.fromtimestamp(reading.at, UTC).isoformat(timespec="milliseconds"),
        "compared_at": compared.isoformat(timespec="milliseconds") if compared else None,
    }


def moment(seconds: float | None) -> datetime | None:
    """A time in seconds since the epoch as a datetime (UTC); None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def consistency(reading: Known[Any]) -> dict[str, str]:
    """The consistency that was asked for, and the one that was given."""
    return {"asked": reading.asked.value, "given": reading.given.value}


def say_when(response: HttpResponse, reading: Known[Any]) -> None:
    """Put the region and the age of a reading in headers.

    They are no part of the content: an unchanged reply is a 304, and its age is still new.
    """
    say_where(response, reading)
    response["X-Counted-Age-Ms"] = str(reading.age_ms())


def say_where(response: HttpResponseBase, reading: Known[Any]) -> None:
    """Put the region of a reading in a header, and its consistency where more than eventual was
    asked for.
    """
    response["X-Served-Region"] = reading.region
    if reading.asked is not gateway.Consistency.EVENTUAL:
        response["X-Consistency"] = f"asked={reading.asked.value}, given={reading.given.value}"
