"""Join codes: short, typed on a phone from a projector. Those we make avoid characters that look alike; those we accept
need not.
"""

import secrets

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without I, L, O, 0 and 1
LENGTH = 6
SHORTEST, LONGEST = 4, 12


def make() -> str:
    """A new random code; 31**6 is about 890 million, so a collision is checked for and not expected."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def normalise(text: str) -> str | None:
    """The code that somebody typed: upper-cased, blanks and hyphens forgiven; None when it cannot be one."""
    code = "".join(text.split()).replace("-", "")
    if not code.isascii() or not code.isalnum() or not SHORTEST <= len(code) <= LONGEST:
        return None
    return code.upper()
