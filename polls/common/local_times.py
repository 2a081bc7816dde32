"""Times on the clock of this installation's zone, as an author types them and as pages show them.

Where clocks are set back, an hour comes twice; where they are set forward, an hour does not come at
all. Every time is therefore shown with its offset, and a time that an author did not touch keeps
its instant.
"""

from datetime import UTC, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _


def typed_form(at: datetime | None) -> str:
    """An instant as the form's field holds it: on the local clock, to the minute where it has no
    seconds.
    """
    if at is None:
        return ""
    local = timezone.localtime(at).replace(tzinfo=None)
    return local.isoformat(timespec="seconds" if at.second else "minutes")  # also of the year 26, in four digits


def with_offset(at: datetime) -> str:
    """An instant for people, such as "25 October 2026, 2:30 a.m. (UTC+02:00)"."""
    local = timezone.localtime(at)
    return f"{date_format(local, 'DATETIME_FORMAT')} ({_offset(local)})"


def read(text: str, before: datetime | None) -> str | None:
    """A typed time as survey JSON has it: with its offset. None for an empty text.

    `before` is the instant that the field was shown with: the same text means the same instant,
    also in an hour that comes twice. A text that is no time, or a time that does not exist, stays
    as typed, so that the reader refuses it.
    """
    text = text.strip()
    if not text:
        return None
    at = _naive(text)
    if before is not None and at is not None and at == _naive(typed_form(before)):
        return before.isoformat()  # however a browser writes it: with seconds, or without
    if at is None or is_absent(text):
        return text
    return _aware(at).isoformat()


def is_absent(text: str) -> bool:
    """Whether this is a time on a clock that was set forward over it."""
    at = _naive(text.strip())
    if at is None or at.tzinfo is not None:
        return False
    try:
        back = timezone.localtime(_aware(at).astimezone(UTC)).replace(tzinfo=None)
    except OverflowError:
        return False
    return back != at.replace(fold=0)


def absent_sentence(text: str) -> str:
    """The sentence that refuses a time of which `is_absent` is true."""
    at = datetime.fromisoformat(text.strip())
    values = {
        "time": at.strftime("%H:%M"),
        "day": date_format(at.date(), "DATE_FORMAT"),
        "zone": timezone.get_current_timezone_name(),
    }
    return _("%(time)s on %(day)s does not exist in %(zone)s: the clocks go forward.") % values


def comes_twice(at: datetime) -> bool:
    """Whether the local clock shows this time again an hour later or before."""
    local = timezone.localtime(at)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _naive(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=timezone.get_current_timezone())


def _offset(local: datetime) -> str:
    if not local.utcoffset():
        return "UTC"
    sign_hours, minutes = local.strftime("%z")[:3], local.strftime("%z")[3:5]
    return f"UTC{sign_hours}:{minutes}"
