"""Join codes: short, typed on a phone from a projector. Those we make avoid characters that look alike; those we accept
need not.
"""

import re
import secrets
import unicodedata
from urllib.parse import unquote

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without I, L, O, 0 and 1
LENGTH = 6
SHORTEST, LONGEST = 4, 12
LONGEST_TYPED = 300  # characters of what was pasted
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
AROUND = " .,;:!?\"'()<>[]{}/«»‹›„“”‚‘’"  # what comes along when a code is copied out of a sentence
_ADDRESS = re.compile(r"(?:^|/)s/([^/?#\s]+)", re.IGNORECASE)


def make() -> str:
    """A new random code; 31**6 is about 890 million, so a collision is checked for and not expected."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def normalise(text: str) -> str | None:
    """The code that somebody typed: in capitals, without blanks, hyphens and what nobody sees, full-width letters as
    ordinary ones; None when it cannot be one.
    """
    code = "".join(character for character in unicodedata.normalize("NFKC", text) if not _is_between(character))
    if not code.isascii() or not code.isalnum() or not SHORTEST <= len(code) <= LONGEST:
        return None
    return code.upper()


def _is_between(character: str) -> bool:
    """Whether it stands between a code's letters and is none: a blank, a hyphen, or what nobody sees."""
    return character.isspace() or character in DASHES or unicodedata.category(character) == "Cf"


def from_typed(text: str) -> str | None:
    """The code in what was typed or pasted into the join field: alone, in quotes, with a full stop behind it, or within
    an address of a survey on any host; None when there is none.
    """
    plain = unicodedata.normalize("NFKC", text[:LONGEST_TYPED])
    plain = "".join(character for character in plain if unicodedata.category(character) != "Cf").strip()
    address = _ADDRESS.search(plain)
    return normalise(unquote(address[1]) if address else plain.strip(AROUND))


def looks_alike(code: str) -> bool:
    """Whether a code has characters that are taken for others: those that we make have none of them."""
    return not set(code) <= set(ALPHABET)
