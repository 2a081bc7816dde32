"""What a decision will do, in the words of the page and of the command line."""

from __future__ import annotations

from failover.gateway import Decision


def told(decision: Decision) -> str:
    """For the person who has just decided."""
    if decision.mode == "auto":
        return "Routing is automatic: within a second every worker follows the rules again, by health and priority."
    forced = " A safety rule was overridden, and the log says so." if decision.forced else ""
    return (
        f"Pinned to {decision.region}: within a second every worker tries it first, until someone changes that. "
        f"While it fails, votes go on to the next region.{forced}"
    )
