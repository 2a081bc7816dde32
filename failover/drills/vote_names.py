"""A student names each vote before the first attempt: a UUIDv7 (RFC 9562, section 5.7), whose text
sorts by time.

Made here and not borrowed from the application: a drill plays a client, and shares only the
contract with it.
"""

from __future__ import annotations

from collections.abc import Callable

_RANDOM_BITS = 74
_VERSION, _VARIANT = 7, 2


def name_vote(now_ms: int, random_bits: Callable[[int], int], *, above: str | None = None) -> str:
    """An id of `now_ms` (ms since the epoch), strictly above `above`. `random_bits(n)` gives n
    random bits.
    """
    value = (now_ms << _RANDOM_BITS) | random_bits(_RANDOM_BITS)
    if above is not None:
        value = max(value, _value(above) + 1)
    time_ms, high, low = value >> _RANDOM_BITS, (value >> 62) & 0xFFF, value & ((1 << 62) - 1)
    digits = f"{(time_ms << 80) | (_VERSION << 76) | (high << 64) | (_VARIANT << 62) | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _value(name: str) -> int:
    """What is left of an id without its version and variant: 48 bits of time, 74 of chance."""
    number = int(name.replace("-", ""), 16)
    return ((number >> 80) << _RANDOM_BITS) | (((number >> 64) & 0xFFF) << 62) | (number & ((1 << 62) - 1))
