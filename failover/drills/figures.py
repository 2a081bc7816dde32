"""Pure figures over a ledger, by the definitions of the drill report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from failover.drills.entries import Receipt, Try
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


def latency_ms(ledger: Ledger) -> dict[str, float | None]:
    """`{"p50", "p99"}` of the acknowledged votes, in ms, from the first try to the reply."""
    times = waits_ms(ledger)
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}


def worst_ms(ledger: Ledger) -> float | None:
    """The longest that any student waited for an acknowledgement."""
    return max(waits_ms(ledger), default=None)


def waits_ms(ledger: Ledger) -> list[float]:
    """How long each acknowledged vote took, in ms, its repeats included."""
    return [receipt.ms for receipt in first_receipts(ledger)]


def rto_ms(tries: Iterable[Try], *, fault_at: float) -> float | None:
    """The time from the fault to the first success that follows the last failure, in ms.

    0 when nothing failed, None when nothing succeeded afterwards. `fault_at` is in seconds since
    the epoch. Failures before the fault do not count.
    """
    after = sorted((attempt for attempt in tries if attempt.at >= fault_at), key=lambda attempt: attempt.at)
    failures = [attempt.at for attempt in after if attempt.failed]
    if not failures:
        return 0.0
    recovered = [attempt.at for attempt in after if not attempt.failed and attempt.at >= failures[-1]]
    return (recovered[0] - fault_at) * 1000 if recovered else None


def regions_served(ledger: Ledger) -> dict[str, int]:
    """How many votes each region acknowledged."""
    counts: dict[str, int] = {}
    for receipt in first_receipts(ledger):
        counts[receipt.region] = counts.get(receipt.region, 0) + 1
    return dict(sorted(counts.items()))
