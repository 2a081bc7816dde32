"""What people are told of a round whose time for votes ends, has ended, or whose ballots are gone (retention.py)."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from polls.surveys.survey import Survey


def votes_ended(survey: Survey) -> str:
    """That this round takes no more votes, and since when."""
    values = {"round": survey.round, "code": survey.code, "day": _day(survey.votes_until)}
    if not survey.expires_at:  # only a damaged row does not say it
        return _("Nothing says when round %(round)d of %(code)s began, so it takes no votes.") % values
    return _("Round %(round)d of %(code)s took votes until %(day)s and takes no more.") % values


def begin_new_round() -> str:
    """What helps then."""
    return _("A new round takes votes again; nothing was changed.")


def notice(survey: Survey) -> str:
    """What an instructor has to know of this round's age; empty while there is nothing."""
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
    """That the ballots of this round are no longer there; empty while they are."""
    if not survey.is_gone:
        return ""
    if not survey.expires_at:
        return _("Its votes cannot be shown.")
    values = {"round": survey.round, "day": _day(survey.kept_until)}
    return _("The votes of round %(round)d expired on %(day)s; they are gone.") % values


def refused() -> str:
    """Why a vote was not taken."""
    return _("This round takes no more votes: it began too long ago. The instructor can begin a new round.")


def too_late_to_open(until: datetime) -> str:
    """Why a time of opening is refused."""
    return _("“Opens at” must be before %(until)s: a round takes votes for 185 days.") % {"until": _moment(until)}


def too_late_to_close(until: datetime) -> str:
    """Why a time of closing is refused."""
    return _("“Closes at” must not be later than %(until)s: a round takes votes for 185 days.") % {
        "until": _moment(until)
    }


def _day(at: datetime) -> str:
    return date_format(localtime(at), "DATE_FORMAT")


def _moment(at: datetime) -> str:
    return f"{date_format(localtime(at), 'DATETIME_FORMAT')} ({localtime(at):%Z})"
