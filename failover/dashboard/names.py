"""The names that the status document uses for states, rules, alarms and events, as people read
them.

The document's own words are fixed by contract and stay as they are in every language.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

STATES = {
    "healthy": _("healthy"),
    "degraded": _("degraded"),
    "unreachable": _("unreachable"),
    "unknown": _("unknown"),
    "closed": _("closed"),
    "half-open": _("half-open"),
    "open": _("open"),
    "ok": _("ok"),
    "slow": _("slow"),
    "stalled": _("stalled"),
    "auto": _("auto"),
}
"""Health, circuit and replication states, and the routing's own when no region is named."""

TITLES = {
    # events
    "circuit-opened": _("Circuit opened"),
    "circuit-half-open": _("Circuit half open"),
    "circuit-closed": _("Circuit closed"),
    "failover": _("Failover"),
    "failback": _("Failback"),
    "switched": _("Switched"),
    "routing-pinned": _("Routing pinned"),
    "routing-auto": _("Routing auto"),
    "routing-superseded": _("Routing superseded"),
    "lag-alarm": _("Lag alarm"),
    "lag-cleared": _("Lag cleared"),
    "configuration-alarm": _("Configuration alarm"),
    "configuration-cleared": _("Configuration alarm over"),
    # rules
    "consecutive-failures": _("Consecutive failures"),
    "canary-failures": _("Canary failures"),
    "error-rate": _("Error rate"),
    "minimum-volume": _("Minimum volume"),
    "slow-volume": _("Slow volume"),
    "slow-p99": _("Slow p99"),
    "slow-elsewhere": _("Slow elsewhere"),
    "slow-for-most": _("Slow for most"),
    "crowded": _("Crowded"),
    "refused-writes": _("Refused writes"),
    "failback-canaries": _("Failback canaries"),
    "failback-hold": _("Failback hold"),
    "failback-lag": _("Failback lag"),
    "failback-pace": _("Failback pace"),
    "trials": _("Trials"),
    "disputed": _("Disputed"),
    # alarms; the others have the names of rules
    "circuit": _("Circuit"),
    "configuration": _("Configuration"),
    "canary": _("Canary"),
    "stale-dns": _("Stale DNS"),
    "slow": _("Slow"),
    "flapping": _("Flapping"),
    "replication-lag": _("Replication lag"),
}
"""Event kinds, rules and alarms."""
