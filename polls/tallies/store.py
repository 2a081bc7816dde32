"""A region's stored tallies: read and written by the recounter, read by results pages."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from failover import gateway
from polls.ballots.merge import Cast
from polls.ballots.models import BallotRow, round_key, shard_place, shard_prefix
from polls.common.models import DatabaseError
from polls.common.paging import Place
from polls.surveys import listing
from polls.surveys.merge import Row, merge
from polls.surveys.models import SurveyRow
from polls.surveys.survey import Survey, from_row, is_whole
from polls.tallies.models import TallyRow
from polls.tallies.ports import Compared, Kept, Scheme, Shard, Stored, Unreachable
from polls.tallies.recount import Recounter
from polls.tallies.tally import Tally

P = ParamSpec("P")
T = TypeVar("T")
MOST_VOTERS = 10**9  # a count beyond this is none
COMPARED = "compared"  # the row of a round that belongs to no shard


def scheme_of(survey: Survey) -> Scheme:
    """What counting must know about a survey."""
    return Scheme(
        survey.code,
        survey.round,
        survey.shards,
        survey.option_ids,
        survey.definition.allow_change,
        survey.expires_at,
        survey.is_open,
        survey.expiries,
    )


def shard_of(key: str) -> Shard | None:
    """The shard that a ballot's partition key names; None for any other key."""
    place = shard_place(key)
    return Shard(*place) if place else None


def read_round(code: str, number: int, *, consistent: bool) -> Kept:
    """Everything that the bound region stores about a round: one row for each shard, however many
    votes there are.
    """
    rows = {str(row.shard): row for row in TallyRow.query(round_key(code, number), consistent_read=consistent)}
    mark = rows.pop(COMPARED, None)
    corrected = _number(_object(mark.counts).get("corrected")) if mark else 0
    compared = Compared(float(mark.counted_at), corrected) if mark else None
    numbered = {gateway.text.whole_number(shard): row for shard, row in rows.items()}
    return Kept({number: _stored(row) for number, row in numbered.items() if number is not None}, compared)


def read_voters(code: str, number: int) -> int:
    """How many voters the bound region has counted in a round: of each row only the number is read."""
    rows = TallyRow.query(round_key(code, number), attributes_to_get=["shard", "voters"])
    counted = [row.voters for row in rows if row.shard != COMPARED]
    if None in counted:  # an earlier version of this program wrote that row
        return sum(stored.tally.voters for stored in read_round(code, number, consistent=False).shards.values())
    return sum(int(voters) for voters in counted if voters is not None)


def _translated(method: Callable[P, T]) -> Callable[P, T]:
    @wraps(method)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except DatabaseError as error:
            raise Unreachable(str(error)) from error

    return translated


class RegionTallies:
    """The TallyStore of one region, reached without routing: only that region can count its own
    replica.
    """

    def __init__(self, region: str) -> None:
        self._region = region
        self._looked_at: dict[str, frozenset[Place]] = {}  # where each survey's rows stood at the last look
        self._open: dict[str, Survey] = {}  # without its questions
        self._schemes: dict[str, Scheme] = {}

    @_translated
    def scheme(self, code: str) -> Scheme | None:
        """See TallyStore."""
        with gateway.at(self._region):
            return _scheme(code, (item.row() for item in SurveyRow.query(code, consistent_read=True)))

    @_translated
    def open_schemes(self) -> list[Scheme]:
        """See TallyStore. Reads only what changed since the last call, and in full only the open
        surveys.
        """
        with gateway.at(self._region):
            standing = listing.standing()
            changed = [code for code, places in standing.items() if self._looked_at.get(code) != places]
            self._open = {code: survey for code, survey in self._open.items() if code in standing}
            self._open |= {listed.survey.code: listed.survey for listed in listing.read_bound(changed, standing)}
        self._schemes = {code: scheme for code, scheme in self._schemes.items() if code not in changed}
        self._looked_at = standing
        schemes: list[Scheme] = []
        for code, survey in self._open.items():
            if not survey.is_open:
                continue
            scheme = self._schemes.get(code) or self.scheme(code)
            if scheme is not None:
                self._schemes[code] = scheme
                schemes.append(scheme)
        return schemes

    @_translated
    def casts(self, shard: Shard) -> list[Cast]:
        """See TallyStore."""
        key = f"{shard_prefix(shard.code, shard.round)}{shard.number}"
        with gateway.at(self._region):
            return [row.cast() for row in BallotRow.query(key, consistent_read=True)]

    @_translated
    def stored(self, shard: Shard) -> Stored | None:
        """See TallyStore."""
        with gateway.at(self._region):
            try:
                return _stored(
                    TallyRow.get(round_key(shard.code, shard.round), str(shard.number), consistent_read=True)
                )
            except TallyRow.DoesNotExist:
                return None

    @_translated
    def write(self, shard: Shard, new: Stored, *, over: str | None) -> bool:
        """See TallyStore."""
        item = TallyRow(
            round_key(shard.code, shard.round),
            str(shard.number),
            version=new.version,
            voters=new.tally.voters,
            counts={**_plain(new.tally), "may_change": new.may_change},
            counted_at=new.counted_at,
            expires_at=datetime.fromtimestamp(new.expires_at, UTC),
        )
        stands = TallyRow.version.does_not_exist() if over is None else TallyRow.version == over
        with gateway.at(self._region):
            return item.put(stands).written

    @_translated
    def kept(self, code: str, number: int) -> Kept:
        """See TallyStore."""
        with gateway.at(self._region):
            return read_round(code, number, consistent=True)

    @_translated
    def mark(self, scheme: Scheme, compared: Compared) -> None:
        """See TallyStore."""
        item = TallyRow(
            round_key(scheme.code, scheme.round),
            COMPARED,
            version=COMPARED,
            counts={"corrected": compared.corrected},
            counted_at=compared.at,
            expires_at=datetime.fromtimestamp(scheme.expires_at, UTC),
        )
        with gateway.at(self._region):
            item.put()


def recounter(region: str, *, large_rest: float = 0.0) -> Recounter:
    """A recounter for one region; see Recounter for `large_rest`."""
    return Recounter(RegionTallies(region), clock=gateway.clock, large_rest=large_rest)


def _scheme(code: str, rows: Iterable[Row]) -> Scheme | None:
    row = merge(rows)
    return scheme_of(from_row(code, row)) if is_whole(row) else None


def _plain(tally: Tally) -> dict[str, Any]:
    return {"voters": tally.voters, "answered": tally.answered, "chosen": tally.chosen, "latest": tally.latest}


def _stored(row: TallyRow) -> Stored:
    counts = row.counts if isinstance(row.counts, dict) else {}
    return Stored(
        # What a damaged row does not say counts as 0; the sweep then finds a difference and counts
        # again.
        Tally(
            _number(counts.get("voters")),
            _numbers(counts.get("answered")),
            {question: _numbers(chosen) for question, chosen in _object(counts.get("chosen")).items()},
            {question: name for question, name in _object(counts.get("latest")).items() if isinstance(name, str)},
        ),
        str(row.version),
        counts.get("may_change") is True,
        float(row.counted_at),
        int(row.expires_at.timestamp()),
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _numbers(value: Any) -> dict[str, int]:
    return {name: _number(count) for name, count in _object(value).items()}


def _number(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= MOST_VOTERS else 0
