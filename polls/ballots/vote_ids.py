"""Names of votes: UUIDv7 (RFC 9562, section 5.7), minted before the first attempt and carried by
every repeat.

The text of such an id sorts by the time of voting, so a put's condition needs no second field.
"""

import re

AHEAD_MS = 5 * 60 * 1000
BEHIND_MS = 24 * 60 * 60 * 1000
RANDOM_BITS = 74
_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def mint(now_ms: int, random_bits: int, above: str | None = None) -> str:
    """An id for a vote cast at `now_ms` (milliseconds since the epoch), strictly above `above`,
    lowercase canonical text.

    `random_bits` is an integer below 2**74. Where the clock is behind the voter's last vote, the
    new id is the next one after that vote, so that a change is never older than what it changes.
    """
    payload = (now_ms << RANDOM_BITS) | random_bits
    if above is not None:
        payload = max(payload, order(above) + 1)
    return _text(payload)


def lifted(vote_id: str, above: str) -> str:
    """The id of the same vote above `above`: always the same id, so that a vote that is sent twice
    stays one vote.
    """
    return _text(((time_ms(above) + 1) << RANDOM_BITS) | (order(vote_id) & ((1 << RANDOM_BITS) - 1)))


def is_valid(text: str) -> bool:
    """Whether this is a UUIDv7 in its one canonical form."""
    return _CANONICAL.fullmatch(text) is not None


def time_ms(vote_id: str) -> int:
    """When the vote was named, in milliseconds since the epoch."""
    return order(vote_id) >> RANDOM_BITS


def is_timely(vote_id: str, now_ms: int) -> bool:
    """Whether a name is at most five minutes ahead and a day old: outside of that, a clock is
    wrong.
    """
    return -BEHIND_MS <= time_ms(vote_id) - now_ms <= AHEAD_MS


def order(vote_id: str) -> int:
    """The id as a number in the order of its text: its 122 bits that are not version and variant
    (at most 37 digits, and DynamoDB keeps 38).
    """
    number = int(vote_id.replace("-", ""), 16)
    return ((number >> 80) << RANDOM_BITS) | (((number >> 64) & 0xFFF) << 62) | (number & ((1 << 62) - 1))


def _text(payload: int) -> str:
    time, high, low = payload >> RANDOM_BITS, (payload >> 62) & 0xFFF, payload & ((1 << 62) - 1)
    digits = f"{(time << 80) | (7 << 76) | (high << 64) | (2 << 62) | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
