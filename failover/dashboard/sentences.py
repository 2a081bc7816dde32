"""The effect of a routing decision in a sentence, for the page and for the command line."""

from __future__ import annotations

from django.utils.translation import gettext as _

from failover.gateway import Decision


def effect_of(decision: Decision) -> str:
    """The effect of a decision, for the person who has just made it."""
    if decision.mode == "auto":
        return _("Routing is automatic: within a second every worker follows the rules again, by health and priority.")
    sentence = _(
        "Pinned to %(region)s: within a second every worker tries it first, until someone changes that. "
        "While it fails, votes go on to the next region."
    ) % {"region": decision.region}
    if decision.forced:
        sentence += " " + _("A safety rule was overridden, and the log says so.")
    return sentence
