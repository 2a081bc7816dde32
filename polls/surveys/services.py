"""The writes of surveys: create, open, close, reveal, reset, change, archive, delete. Each writes
only what changes, to the row of the region that takes it; readers merge the rows.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from django.utils.translation import gettext as _

from failover import gateway
from polls.surveys import codes, expiry, listing, selectors, stored
from polls.surveys.definitions import Definition, DefinitionInvalid, Visibility, is_too_large
from polls.surveys.merge import Row, change, merge, overtaken, put_on
from polls.surveys.mistakes import Mistake
from polls.surveys.models import SurveyRow
from polls.surveys.retention import VOTES_S, begun
from polls.surveys.survey import (
    DEFINED,
    THIS_ROUND,
    Shut,
    State,
    Survey,
    first_values,
    from_row,
    is_tombstone,
    shown_now,
    tombstone,
)

EVERYWHERE_S = 1.5  # how long the emptying of a deleted survey waits for a region
ROUNDS_UNSEEN = 100  # resets that a region may have taken while it was cut off
WRITE_TRIES = 5  # where processes change one survey at the same moment, the slower one reads again


class _Refusal(Enum):
    """Why a region did not take a change."""

    CONFLICT = "conflict"
    UNREADABLE = "unreadable"


class ServiceRefused(Exception):
    """A write that the rules of the survey do not allow; nothing was changed. `reason` is a word
    for programs, the text a sentence for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TimesTooLate(DefinitionInvalid):
    """Opening or closing is set beyond the time for votes of its round; nothing was changed."""


def survey_create(*, definition: Definition, switch: State = State.OPEN) -> Survey:
    """Make a survey in its first round; under the code of a deleted survey, in a round above all
    rounds of that one.

    A code that exists is refused with "exists", unless the same definition stands there: then
    nothing is changed. Raises ServiceRefused, TimesTooLate, NoRegionAnswered.
    """
    code = definition.code or _unused_code()
    existing = selectors.read_now(code)
    if existing is not None and not existing.survey.deleted:
        survey = existing.survey
        if survey.definition == replace(definition, code=code):
            return survey
        raise ServiceRefused(
            "exists", _("A different survey has the code %(code)s; nothing was changed.") % {"code": code}
        )
    now = gateway.clock.wall()
    _check_times(definition.opens_at, definition.closes_at, votes_until_s=now + VOTES_S)
    before = existing.row if existing else Row()
    # # A region that did not answer may have begun more rounds of the deleted survey.
    above = 1 if existing is None or existing.complete else ROUNDS_UNSEEN
    born = before.round + above
    first = change(before, first_values(definition, now_s=now, born=born, switch=switch), now_ms=int(now * 1000))
    return _write(code, replace(first, round=born), known=before, checked=True)


def survey_open(*, code: str) -> Survey:
    """Take votes from now on: a time of opening that is to come, or of closing that has passed, is
    forgotten.

    Raises ServiceRefused ("expired": only a new round takes votes), SurveyUnknown,
    NoRegionAnswered.
    """
    survey = selectors.found_now(code).survey
    if survey.is_expired:
        raise ServiceRefused(Shut.EXPIRED, f"{expiry.votes_ended(survey)} {expiry.begin_new_round()}")
    return _change(code, _opened(survey))


def _opened(survey: Survey) -> dict[str, Any]:
    """The properties that open a survey now, whatever its times say."""
    values: dict[str, Any] = {"state": State.OPEN.value, "archived": False}
    now_s = gateway.clock.wall()
    opens_at, closes_at = survey.definition.opens_at, survey.definition.closes_at
    if opens_at is not None and opens_at.timestamp() > now_s:
        values["opens_at"] = None
    if closes_at is not None and closes_at.timestamp() <= now_s:
        values["closes_at"] = None
    return values


def survey_close(*, code: str) -> Survey:
    """Take no more votes. Raises SurveyUnknown, NoRegionAnswered."""
    return _change(code, {"state": State.CLOSED.value})


def survey_reset(*, code: str, ends: int | None = None, switch: State | None = None) -> Survey:
    """Begin a new round: one small write; late ballots of the old round lie under another key and
    never count. What an instructor revealed or hid in the old round was for that round; `switch`
    opens or closes the survey with it.

    `ends` is the round that is to end: when it has ended already, nothing is changed, so that a
    button which is pressed twice resets once. Raises SurveyUnknown, NoRegionAnswered.
    """
    known = selectors.found_now(code)
    if ends is not None and known.survey.round != ends:
        return known.survey
    now = gateway.clock.wall()
    values: dict[str, Any] = {**begun(known.row.round + 1, now)}
    match switch:
        case State.OPEN:
            values |= _opened(known.survey)
        case State.CLOSED:
            values["state"] = State.CLOSED.value
    changed = change(known.row, values, now_ms=int(now * 1000), new_round=True)
    return _write(code, changed, known=known.row)


def survey_reveal(*, code: str) -> Survey:
    """Let voters see the results of this round. Raises SurveyUnknown, NoRegionAnswered."""
    return _change(code, shown_now(selectors.found_now(code).survey.round, Visibility.SHOWN))


def survey_hide(*, code: str) -> Survey:
    """Keep the results of this round from voters until they are revealed. Raises SurveyUnknown,
    NoRegionAnswered.
    """
    return _change(code, shown_now(selectors.found_now(code).survey.round, Visibility.HIDDEN))


def survey_archive(*, code: str) -> Survey:
    """Close it and put it away; its results stay until they expire. Opening it takes it out again.

    Raises SurveyUnknown, NoRegionAnswered.
    """
    return _change(code, {"state": State.CLOSED.value, "archived": True})


def survey_delete(*, code: str) -> Survey:
    """Leave a tombstone that does not expire, in every region that answers, and nothing of the
    survey's texts there.

    The ballots go when they expire; nothing counts them. Raises SurveyUnknown, NoRegionAnswered.
    """
    known = selectors.found_now(code)
    emptied = {name: None for name in DEFINED if name in known.row.fields}
    values = {**emptied, "state": State.CLOSED.value, tombstone(known.survey.born): True}
    dead = change(known.row, values, now_ms=int(gateway.clock.wall() * 1000))
    survey = _write(code, dead, known=known.row)
    # Each region has a row of its own; where an earlier change was written, its texts go as well.
    # When none answers now, the tombstone stands where it was just written, and that is enough.
    with suppress(gateway.NoRegionAnswered):
        gateway.everywhere(lambda bound: _put(code, dead, bound, known=known.row), timeout=EVERYWHERE_S, half_open=True)
    return survey


def survey_change(*, code: str, values: Mapping[str, Any], since: Row, new_round: bool = False) -> Survey:
    """Change what an author wrote, as it was read in `since`: versions that are in there count as
    seen.

    Raises ServiceRefused ("conflict": one of these properties was changed since), TimesTooLate,
    SurveyUnknown, NoRegionAnswered.
    """
    now = gateway.clock.wall()
    until = now + VOTES_S if new_round else from_row(code, since).votes_until.timestamp()
    _check_times(stored.instant(values.get("opens_at")), stored.instant(values.get("closes_at")), votes_until_s=until)
    if new_round:
        values = {**values, **begun(since.round + 1, now)}
    if "results" in values:  # what its author sets now holds at once
        values = {**values, THIS_ROUND: None}
    changed = change(since, values, now_ms=int(now * 1000), new_round=new_round)
    return _write(code, changed, known=since, checked=True)


def _check_times(opens_at: datetime | None, closes_at: datetime | None, *, votes_until_s: float) -> None:
    """Raises TimesTooLate for a time that is set beyond the time for votes of its round."""
    until = datetime.fromtimestamp(votes_until_s, UTC)
    mistakes = []
    if opens_at is not None and opens_at >= until:
        mistakes.append(Mistake(expiry.too_late_to_open(until), field="opens_at"))
    if closes_at is not None and closes_at > until:
        mistakes.append(Mistake(expiry.too_late_to_close(until), field="closes_at"))
    if mistakes:
        raise TimesTooLate(mistakes)


def _unused_code() -> str:
    while selectors.read_now(code := codes.make()) is not None:
        continue
    return code


def _change(code: str, values: Mapping[str, Any]) -> Survey:
    known = selectors.found_now(code)
    # The change is made once, before the first attempt: a repeat in another region says the same
    # thing.
    changed = change(known.row, values, now_ms=int(gateway.clock.wall() * 1000))
    return _write(code, changed, known=known.row)


def _write(code: str, changed: Row, *, known: Row, checked: bool = False) -> Survey:
    """Put the change into the first region that takes it. `checked` refuses it where others changed
    the same since `known`, or something that does not go together with it.
    """
    since = known if checked else None
    routed = gateway.write(lambda bound: _put(code, changed, bound, known=known, since=since), idempotent=True)
    match routed.value:
        case _Refusal.CONFLICT:
            raise ServiceRefused("conflict", _("Somebody else changed this survey in the same moment."))
        case _Refusal.UNREADABLE:
            sentence = _(
                "What %(region)s holds of this survey cannot be read, so nothing was changed. It can be deleted."
            )
            raise ServiceRefused("unreadable", sentence % {"region": routed.region})
    # That region's own row may have only this change, and is no survey by itself.
    return selectors.learn(code, merge([known, routed.value]), region=routed.region)


def _put(code: str, changed: Row, bound: gateway.Bound, *, known: Row, since: Row | None = None) -> "Row | _Refusal":
    """Join the change with this region's row. With `since` it is refused where `_clashes` says so."""
    for _try in range(WRITE_TRIES):
        own = next(iter(SurveyRow.query(code, SurveyRow.region == bound.region, consistent_read=True)), None)
        if own is not None and not own.is_readable and not any(map(is_tombstone, changed.fields)):
            return _Refusal.UNREADABLE
        before = own.row() if own is not None else None
        merged = put_on(before, changed, region=bound.region)
        if before is not None and since is not None and _clashes(code, before, changed, since):
            return _Refusal.CONFLICT
        # Above the row that it replaces, also when this host's clock is behind that of the row's
        # writer.
        stamp = max(gateway.stamp(), int(own.updated_at) + 1) if own else gateway.stamp()
        item = own or SurveyRow(code, bound.region)
        unchanged = item.unchanged()
        item.take(merged)
        item.shelf = listing.shelf_of(merge([known, merged]))
        if item.put(unchanged, updated_at=stamp).written:
            listing.put_beside(item, merged)
            return merged
    raise RuntimeError(f"survey {code} is being changed by others all the time")


def _clashes(code: str, own: Row, changed: Row, since: Row) -> bool:
    """Whether others changed the same since `since` was read, or something that does not go
    together with it.
    """
    if overtaken(own, changed, since):
        return True
    now = merge([since, own])
    if now == since or not changed.fields.keys() & set(DEFINED):
        return False  # nothing else changed, and the change itself was checked before it was sent
    would_be = from_row(code, merge([now, changed]))
    return bool(stored.mistakes(would_be.definition)) or is_too_large(would_be.document)
