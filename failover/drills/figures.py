"""Pure figures over a ledger, for what is printed while and after a class votes."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from failover.drills.entries import Receipt
from failover.drills.ledger import Ledger


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed; None when
    there are no values.
    """
    if not values:
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def first_receipts(ledger: Ledger) -> tuple[Receipt, ...]:
    """The first acknowledgement of each vote. The acknowledgement of a deliberate repeat has no
    latency.
    """
    first: dict[str, Receipt] = {}
    for receipt in ledger.receipts:
        first.setdefault(receipt.vote_id, receipt)
    return tuple(first.values())


def worst_ms(ledger: Ledger) -> float | None:
    """The longest that any student waited for an acknowledgement."""
    return max(waits_ms(ledger), default=None)


def waits_ms(ledger: Ledger) -> list[float]:
    """How long each acknowledged vote took, in ms, its repeats included."""
    return [receipt.ms for receipt in first_receipts(ledger)]


def regions_served(ledger: Ledger) -> dict[str, int]:
    """How many votes each region acknowledged."""
    counts: dict[str, int] = {}
    for receipt in first_receipts(ledger):
        counts[receipt.region] = counts.get(receipt.region, 0) + 1
    return dict(sorted(counts.items()))
