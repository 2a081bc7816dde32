"""Surveys on the command line: import, export, list, open, close, reset, archive, delete, rebuild,
audit.
"""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from failover import gateway
from polls.ballots import selectors as ballot_selectors
from polls.ballots.bulk_reads import read_replica
from polls.common import strict_json, wording
from polls.common.models import DatabaseError
from polls.results import past_rounds
from polls.surveys import codes, definitions, expiry, listing, reader, selectors
from polls.surveys.listing import Shelf
from polls.surveys.services import (
    ServiceRefused,
    survey_archive,
    survey_close,
    survey_create,
    survey_delete,
    survey_open,
    survey_reset,
)
from polls.surveys.survey import State, Survey
from polls.tallies import audit
from polls.tallies.audit import Finding


class Command(BaseCommand):
    """`manage.py survey ACTION`. An error is one line on stderr and exit code 1; nothing was
    changed then.
    """

    help = "Import, export, list, open, close, reset, archive or delete surveys; rebuild or audit their tallies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add a subcommand for each action."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        importing = actions.add_parser("import", help="make a survey from a JSON file; prints its code")
        importing.add_argument("file", type=Path, metavar="FILE.json")
        importing.add_argument("--keep", action="store_true", help="leave a survey that has this code as it is")
        importing.add_argument(
            "--renew",
            action="store_true",
            help="with --keep: where its round is too old to take votes, open a new one and say so in a second line",
        )
        exporting = actions.add_parser("export", help="print a survey, or its ballots, as JSON")
        exporting.add_argument("code")
        exporting.add_argument(
            "--ballots", action="store_true", help="the merged ballots of the current round, one a voter"
        )
        exporting.add_argument("--round", type=int, help="with --ballots or --raw: an earlier round")
        exporting.add_argument("--region", help="read this region's replica")
        exporting.add_argument("--raw", action="store_true", help="the rows of one region's replica, not merged")
        exporting.add_argument(
            "--replicas", action="store_true", help="with --ballots: before them the rows of every region's replica"
        )
        actions.add_parser("list", help="print every survey")
        actions.add_parser("relist", help="put surveys into the list that an earlier version stored")
        parsers: dict[str, ArgumentParser] = {}
        for action, purpose in (
            ("open", "take votes"),
            ("close", "take no more votes"),
            ("reset", "begin a new round"),
            ("archive", "take no more votes and put it away; opening takes it out again"),
            ("rebuild", "count every ballot of the current round again, in every region"),
            ("audit", "compare tallies with ballots in every region; exit 1 when they differ"),
        ):
            parsers[action] = actions.add_parser(action, help=purpose)
            parsers[action].add_argument("code")
        resetting = parsers["reset"].add_mutually_exclusive_group()
        for option, purpose in (("--open", "and take votes in it"), ("--close", "and take none until it is opened")):
            resetting.add_argument(option, action="store_true", help=purpose)
        deleting = actions.add_parser("delete", help="delete it for good, in every region")
        deleting.add_argument("code")
        deleting.add_argument("--confirm", metavar="CODE", help="the code once more: nobody can bring it back")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs one action."""
        action = {
            "import": self.import_,
            "export": self.export,
            "list": self.list,
            "relist": self.relist,
            "open": self.change,
            "close": self.change,
            "reset": self.change,
            "archive": self.change,
            "delete": self.delete,
            "rebuild": self.rebuild,
            "audit": self.audit,
        }[options["action"]]
        try:
            action(options)
        except selectors.SurveyUnknown as error:
            raise CommandError(f"no survey has the code {error}") from error
        except (ServiceRefused, gateway.FailoverError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"{options.get('region') or 'the region'} did not answer: {error}") from error

    def import_(self, options: dict[str, Any]) -> None:
        """Makes a survey, or finds that the same one exists. With --keep it first lists the surveys
        that an earlier version stored, as the demo needs for what its directory holds.
        """
        file: Path = options["file"]
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CommandError(f"cannot read {file}: {error.strerror}") from error
        if len(data) > definitions.LARGEST_BYTES:
            raise CommandError(f"{file} is larger than 200 KB")
        try:
            definition = reader.parse(strict_json.loads(data))
            if options["keep"]:
                listing.relist()
            kept = selectors.read_now(definition.code) if options["keep"] and definition.code else None
            if kept is None or kept.survey.deleted:
                self.stdout.write(survey_create(definition=definition).code)
                return
        except strict_json.Malformed as error:
            raise CommandError(f"{file}: {error}") from error
        except definitions.DefinitionInvalid as error:
            raise CommandError("\n".join(f"{file}: {message}" for message in error.messages)) from error
        self.stdout.write(kept.survey.code)
        if options["renew"] and kept.survey.is_expired:
            survey = survey_reset(code=kept.survey.code, ends=kept.survey.round, switch=State.OPEN)
            self.stdout.write(f"{expiry.votes_ended(kept.survey)} Round {survey.round} begins now.")

    def export(self, options: dict[str, Any]) -> None:
        """Prints the survey JSON, or its ballots."""
        survey = _survey(options["code"])
        region = options["region"]
        if region is not None and region not in gateway.regions():
            raise CommandError(f"{region} is not one of {', '.join(gateway.regions())}")
        if options["replicas"] and (not options["ballots"] or options["raw"] or region is not None):
            raise CommandError("--replicas goes with --ballots, and shows every region: without --raw and --region")
        if not options["ballots"] and not options["raw"]:
            if options["round"] is not None:
                raise CommandError("--round needs --ballots or --raw: the questions are those of now")
            self._print(survey.as_json())
            return
        if options["round"] is not None:
            past = past_rounds.of(survey, options["round"])
            if past is None:
                raise CommandError(f"{survey.code} has the rounds {survey.born} to {survey.round}")
            survey = past
        if options["raw"]:
            if region is None:
                raise CommandError("--raw needs --region: it shows one region's replica")
            about = {"code": survey.code, "round": survey.round, "region": region}
            self._print({**about, "rows": _rows(survey, region)})
            if survey.is_gone:
                self.stderr.write(expiry.gone(survey))
            return
        # Read before the merged ballots: these then hold all that the replicas held, or something
        # later.
        replicas = {name: _rows(survey, name) for name in gateway.regions()} if options["replicas"] else None
        known = ballot_selectors.ballots(survey, region=region)
        ballots = [{"voter": cast.voter, "vote_id": cast.vote_id, "answers": cast.answers} for cast in known.value]
        consistency = {"asked": known.asked.value, "given": known.given.value}
        about = {"code": survey.code, "round": survey.round, "region": known.region, "consistency": consistency}
        self._print({**about, **({"replicas": replicas} if replicas is not None else {}), "ballots": ballots})
        if survey.is_gone:
            self.stderr.write(expiry.gone(survey))
        if known.degraded:
            self.stderr.write(wording.degraded(known))

    def list(self, _options: dict[str, Any]) -> None:
        """Prints a line for each survey, the latest change first, the archive last."""
        for shelf in (Shelf.SHOWN, Shelf.ARCHIVED):
            for listed in listing.every(shelf):
                survey = listed.survey
                title = survey.definition.title
                self.stdout.write(f"{survey.code}\t{survey.state.value}\tround {survey.round}\t{title}")
                if notice := expiry.notice(survey):
                    self.stderr.write(notice)

    def relist(self, _options: dict[str, Any]) -> None:
        """Prints how many rows were missing."""
        self.stdout.write(f"{listing.relist()} rows were put into the list")

    def change(self, options: dict[str, Any]) -> None:
        """Opens, closes, resets or archives."""
        code = _code(options["code"])
        match options["action"]:
            case "open":
                survey = survey_open(code=code)
            case "close":
                survey = survey_close(code=code)
            case "archive":
                survey = survey_archive(code=code)
            case _:
                switch = State.OPEN if options["open"] else State.CLOSED if options["close"] else None
                survey = survey_reset(code=code, switch=switch)
        self.stdout.write(f"{survey.code}\t{survey.state.value}\tround {survey.round}")

    def delete(self, options: dict[str, Any]) -> None:
        """Deletes a survey whose code was given twice."""
        code = _code(options["code"])
        if codes.normalise(options["confirm"] or "") != code:
            raise CommandError(f"deleting is for good: repeat the code with --confirm {code}; nothing was changed")
        survey_delete(code=code)
        self.stdout.write(f"{code}\tdeleted")

    def rebuild(self, options: dict[str, Any]) -> None:
        """Prints a line for each region."""
        self._print_findings(audit.rebuild(_survey(options["code"])), "not every region was counted again")

    def audit(self, options: dict[str, Any]) -> None:
        """Prints a line for each region."""
        failure = "tallies and ballots could not be shown to agree in every region"
        self._print_findings(audit.audit(_survey(options["code"])), failure)

    def _print_findings(self, findings: Mapping[str, Finding], failure: str) -> None:
        for region, finding in findings.items():
            self.stdout.write(f"{region}\t{finding.text}")
        if not all(finding.good for finding in findings.values()):
            raise CommandError(failure)

    def _print(self, document: object) -> None:
        # On a stream that is not UTF-8, JSON's escapes keep every letter.
        readable = str(getattr(self.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
        self.stdout.write(json.dumps(document, indent=2, ensure_ascii=not readable))


def _code(text: str) -> str:
    code = codes.normalise(text)
    if code is None:
        raise CommandError(f"{text} cannot be a code: it has 4 to 12 letters and digits")
    return code


def _rows(survey: Survey, region: str) -> list[dict[str, Any]]:
    """The round's rows in one region's replica."""
    try:
        return [row.as_json() for row in read_replica(survey, region)]
    except DatabaseError as error:
        raise CommandError(f"{region} did not answer: {error}") from error


def _survey(text: str) -> Survey:
    return selectors.survey_get(_code(text)).value
