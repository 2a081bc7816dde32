"""One reading of the published status: the document, how old it is, and whether that is too old to
trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from failover import gateway
from failover.core.config import RouterConfig
from failover.core.status.types import StatusDocument
from failover.dashboard.figures import ago


@dataclass(frozen=True, slots=True)
class Reading:
    """The status that a page or a command shows; None when no monitor has reported on this host.

    `age_s` is the time since the monitor wrote the document, in seconds; None when it is unknown.
    `refusals` has, for every configured region by priority, the safety rule that forbids pinning it
    now, or None.
    """

    status: StatusDocument | None
    age_s: float | None = None
    refusals: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def stale(self) -> bool:
        """Whether the monitor has been silent for longer than a web worker trusts it
        (`RouterConfig.stale_after_s`).
        """
        return self.age_s is None or self.age_s > RouterConfig().stale_after_s

    def seen(self, age_ms: float | None) -> str:
        """When a figure was taken that was `age_ms` old when the document was written.

        Its age while the monitor reports; the time of day once it is silent, since a growing age
        would look alive.
        """
        written = moment(self.status["generated_at"]) if self.stale and self.status is not None else None
        if written is None or age_ms is None:
            return ago(age_ms)
        return _("at %(time)s") % {"time": f"{localtime(written - timedelta(milliseconds=age_ms)):%H:%M:%S}"}


def current() -> Reading:
    """The status that this host's monitor published last. Does not raise when there is none yet."""
    refusals = {region: gateway.refuse_pin(region) for region in gateway.regions()}
    status = gateway.status()
    if status is None:
        return Reading(None, refusals=refusals)
    return Reading(status, age_of(status, gateway.clock.wall()), refusals)


def age_of(status: StatusDocument, now: float) -> float | None:
    """Seconds between the document's own time and `now` (seconds since the epoch); None when it
    carries none. One from the future, written before the clock was set back, is as stale as one
    from the past.
    """
    written = moment(status["generated_at"])
    return None if written is None else abs(now - written.timestamp())


def moment(text: str) -> datetime | None:
    """An ISO 8601 time of the document, or None for anything else."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
