"""Sentences about a round whose time for votes ends or has ended, or whose ballots are gone (see
retention.py).
"""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from polls.surveys.survey import Survey


def votes_ended(survey: Survey) -> str:
    """Says that this round takes no more votes, and since when."""
    values = {"round": survey.round, "code": survey.code, "day": _day(survey.votes_until)}
    if not survey.expires_at:  # only a damaged row does not say it
        return _("Nothing says when round %(round)d of %(code)s began, so it takes no votes.") % values
    return _("Round %(round)d of %(code)s took votes until %(day)s and takes no more.") % values


def begin_new_round() -> str:
    """Says that a new round helps then."""
    return _("A new round takes votes again; nothing was changed.")


def notice(survey: Survey) -> str:
    """Tells an instructor about this round's age; empty while it does not matter."""
    values = {"round": survey.round, "day": _day(survey.votes_until), "kept": _day(survey.kept_until)}
    if survey.expires_soon:
        return (
            _(
                "Round %(round)d takes votes until %(day)s. Begin a new round before then to go on; "
                "the votes of this one are kept until %(kept)s."
            )
            % values
        )
    if not survey.is_expired:
        return ""
    if survey.is_gone:
        return f"{votes_ended(survey)} {gone(survey)}"
    kept = _("Its votes are kept until %(kept)s: export them, or begin a new round.") % values
    return f"{votes_ended(survey)} {kept}"


def gone(survey: Survey) -> str:
    """Says that the ballots of this round have expired; empty while they have not."""
    if not survey.is_gone:
        return ""
    if not survey.expires_at:
        return _("Its votes cannot be shown.")
    values = {"round": survey.round, "day": _day(survey.kept_until)}
    return _("The votes of round %(round)d expired on %(day)s; they are gone.") % values


def refused() -> str:
    """Refuses a vote."""
    return _("This round takes no more votes: it began too long ago. The instructor can begin a new round.")


def too_late_to_open(until: datetime) -> str:
    """Refuses a time of opening."""
    return _("“Opens at” must be before %(until)s: a round takes votes for 185 days.") % {"until": _moment(until)}


def too_late_to_close(until: datetime) -> str:
    """Refuses a time of closing."""
    return _("“Closes at” must not be later than %(until)s: a round takes votes for 185 days.") % {
        "until": _moment(until)
    }


def _day(at: datetime) -> str:
    return date_format(localtime(at), "DATE_FORMAT")


def _moment(at: datetime) -> str:
    return f"{date_format(localtime(at), 'DATETIME_FORMAT')} ({localtime(at):%Z})"
