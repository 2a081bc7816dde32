"""Join codes: short, because students type them on a phone from a projector. Codes that we make
avoid characters that look alike; codes that authors choose may have them.
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
AROUND = re.compile(r"^[\W_]+|[\W_]+$")  # copied along with a code out of a sentence
_ADDRESS = re.compile(r"(?:(?:^|/)s/|[?&]code=)([^/?#&\s]+)(?:/link/([A-Za-z0-9_-]+))?", re.IGNORECASE)


def make() -> str:
    """A new random code. 31**6 is about 890 million: collisions are checked for, but not expected."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def normalise(text: str) -> str | None:
    """A typed code in capitals, without blanks, hyphens and invisible characters, with full-width
    letters as ordinary ones; None for a text that cannot be a code.
    """
    code = "".join(character for character in _plain(text) if not character.isspace() and character not in DASHES)
    if not code.isascii() or not code.isalnum() or not SHORTEST <= len(code) <= LONGEST:
        return None
    return code.upper()


def from_typed(text: str) -> str | None:
    """The code in a text that was typed or pasted into the join field: alone, in quotes, with a
    full stop behind it, or within the address of a survey on any host; None without one.
    """
    plain = _plain(text[:LONGEST_TYPED])
    address = _ADDRESS.search(plain)
    return normalise(AROUND.sub("", unquote(address[1]) if address else plain))


def link_typed(text: str) -> str | None:
    """The token of a voting link that was pasted into the join field; None for any other text."""
    address = _ADDRESS.search(_plain(text[:LONGEST_TYPED]))
    return address[2] if address else None


def looks_alike(code: str) -> bool:
    """Whether a code has characters that people take for others. Codes that we make have none of
    these.
    """
    return not set(code) <= set(ALPHABET)


def _plain(text: str) -> str:
    """The text with full-width letters as ordinary ones, and without invisible characters."""
    return gateway.text.likeness(unicodedata.normalize("NFKC", text))


class CodeConverter:
    """A join code in an address, as people type it. A text that cannot be a code is an address that
    does not exist.
    """

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """The code in capitals."""
        code = normalise(value)
        if code is None:
            raise ValueError
        return code

    def to_url(self, value: str) -> str:
        """The code as it is."""
        return value
