"""The latency histogram that every process counts in, so that their counts can be added up."""

from __future__ import annotations

LATENCY_BOUNDS_MS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000)
"""Upper bounds of the latency histogram's buckets in ms; one more bucket follows for everything above."""
