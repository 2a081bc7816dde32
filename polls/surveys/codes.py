"""Join codes: short, typed on a phone from a projector. Those we make avoid characters that look alike; those we accept
need not.
"""

import re
import secrets
import unicodedata
from urllib.parse import unquote

from failover import gateway

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without I, L, O, 0 and 1
LENGTH = 6
SHORTEST, LONGEST = 4, 12
LONGEST_TYPED = 300  # characters of what was pasted
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
AROUND = re.compile(r"^[\W_]+|[\W_]+$")  # what comes along when a code is copied out of a sentence
_ADDRESS = re.compile(r"(?:(?:^|/)s/|[?&]code=)([^/?#&\s]+)(?:/link/([A-Za-z0-9_-]+))?", re.IGNORECASE)


def make() -> str:
    """A new random code; 31**6 is about 890 million, so a collision is checked for and not expected."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def normalise(text: str) -> str | None:
    """The code that somebody typed: in capitals, without blanks, hyphens and what nobody sees, full-width letters as
    ordinary ones; None when it cannot be one.
    """
    code = "".join(character for character in _plain(text) if not character.isspace() and character not in DASHES)
    if not code.isascii() or not code.isalnum() or not SHORTEST <= len(code) <= LONGEST:
        return None
    return code.upper()


def from_typed(text: str) -> str | None:
    """The code in what was typed or pasted into the join field: alone, in quotes, with a full stop behind it, or within
    an address of a survey on any host; None when there is none.
    """
    plain = _plain(text[:LONGEST_TYPED])
    address = _ADDRESS.search(plain)
    return normalise(AROUND.sub("", unquote(address[1]) if address else plain))


def link_typed(text: str) -> str | None:
    """The token of a voting link that was pasted into the join field; None where none was."""
    address = _ADDRESS.search(_plain(text[:LONGEST_TYPED]))
    return address[2] if address else None


def looks_alike(code: str) -> bool:
    """Whether a code has characters that are taken for others: those that we make have none of them."""
    return not set(code) <= set(ALPHABET)


def _plain(text: str) -> str:
    """Full-width letters as ordinary ones, and nothing that nobody sees."""
    return gateway.text.likeness(unicodedata.normalize("NFKC", text))


class CodeConverter:
    """A join code as people type it; whatever cannot be one is an address that does not exist."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """The code in capitals."""
        code = normalise(value)
        if code is None:
            raise ValueError
        return code

    def to_url(self, value: str) -> str:
        """A code is its own address."""
        return value
