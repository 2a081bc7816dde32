"""Who decides where traffic goes, and what each choice of the form would do now, refusals included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from failover.core.status.types import StatusDocument
from failover.dashboard.language import translated
from failover.dashboard.reading import Reading, moment


@dataclass(frozen=True, slots=True)
class Choice:
    """One position of the toggle and its consequence. `refusal` is the safety rule that stands
    against it now.
    """

    label: str
    effect: str
    refusal: str | None = None
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Routing:
    """The decision that holds, and the choices. `known` is False without a status."""

    known: bool
    mode: str = ""
    region: str | None = None
    active: str = ""
    since: datetime | None = None
    actor: str = ""
    reason: str = ""
    epoch: int = 0
    choices: tuple[Choice, ...] = ()


def build(reading: Reading) -> Routing:
    """The routing as published."""
    status = reading.status
    if status is None:
        return Routing(known=False)
    routing = status["routing"]
    return Routing(
        known=True,
        mode=routing["mode"],
        region=routing["region"],
        active=routing["active"],
        since=moment(routing["since"]),
        actor=routing["actor"],
        reason=routing["reason"],
        epoch=routing["epoch"],
        choices=(_auto(status), *(_pin(status, name, refusal) for name, refusal in reading.refusals.items())),
    )


def _auto(status: StatusDocument) -> Choice:
    if status["routing"]["mode"] == "auto":
        return Choice(_("Auto"), _("holds now: the rules choose the region, by health and priority."), holds=True)
    return Choice(_("Auto"), _("the rules choose again; traffic returns to the first healthy region by priority."))


def _pin(status: StatusDocument, name: str, refusal: str | None) -> Choice:
    routing = status["routing"]
    refusal = None if refusal is None else translated(refusal)
    label = _("Pin %(region)s") % {"region": name}
    if routing["region"] == name:
        return Choice(label, _("holds now, until a person changes it."), holds=True)
    if routing["active"] == name:
        effect = _("nothing moves now, and traffic stays when the rules would leave.")
    else:
        effect = _("traffic moves from %(active)s within a second and stays.") % {"active": routing["active"]}
    others = get_text_list([region["name"] for region in status["regions"] if region["name"] != name], _("and"))
    fallback = _("While it fails, votes go to %(others)s.") % {"others": others} if others else ""
    return Choice(label, f"{effect} {fallback}".rstrip(), refusal)
