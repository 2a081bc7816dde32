"""Tells how far this host's clock is off, from a region's refusal of a signature for its time.

DynamoDB's message holds both times: "Signature expired: 20251201T120000Z is now earlier than
20251201T121000Z (20251201T121500Z - 5 min.)", ours first and the region's last. If the times are
missing, the reply's `Date` is compared with this host's clock.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from failover.adapters.clock import SystemClock
from failover.core.phrases import Phrase, phrase
from failover.core.ports import Clock

TIME = re.compile(r"\b\d{8}T\d{6}Z\b")
TIMELY = re.compile(r"Signature (?:expired|not yet current)")
OF_TIME = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
OF_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
ALLOWED_S = 240.0
"""AWS accepts a signature for five minutes; a clock that is off by nearly as much can be the
reason.
"""


def clock_skew(code: str, message: str, date: str, *, clock: Clock | None = None) -> Phrase | None:
    """What is wrong with this host's clock, or None when the refusal has another reason. `code` and
    `message` are the region's; `date` is the `Date` header of its reply (empty when it has none).
    """
    is_timely = code in OF_TIME or TIMELY.search(message) is not None
    times = TIME.findall(message)
    seconds: float | None = None
    with suppress(ValueError):  # not valid times: then only the refusal itself is known
        if is_timely and len(times) > 1:
            ours, theirs = (datetime.strptime(text, "%Y%m%dT%H%M%S%z") for text in (times[0], times[-1]))
            seconds = (ours - theirs).total_seconds()
        elif date and (is_timely or code in OF_SIGNATURE):
            theirs = parsedate_to_datetime(date)
            theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
            seconds = (clock or SystemClock()).wall() - theirs.timestamp()
    if seconds is not None and abs(seconds) >= ALLOWED_S:
        return (
            phrase("this host's clock is {seconds:.0f} s ahead", seconds=seconds)
            if seconds > 0
            else phrase("this host's clock is {seconds:.0f} s behind", seconds=-seconds)
        )
    return phrase("this host's clock and the region's differ ({code})", code=code) if is_timely else None
