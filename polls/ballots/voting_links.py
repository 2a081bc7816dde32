"""Voting links that count once. A link is a random number with our signature. We keep no list of
links, and nobody records who got which link.

A link is valid for one survey (not for a later one under the same code) and for every round of it.
In a round it has one vote, in whatever browser it is opened: the voter's name is made from the
link.
"""

import hashlib
import re
import secrets

from django.core.signing import Signer
from django.utils.crypto import constant_time_compare

from polls.surveys.survey import Survey

MOST = 500  # links made at once
SALT = "polls.link"
_NUMBER, _SIGNED = 16, 22  # characters: 96 random bits, 132 bits of signature
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{_NUMBER + _SIGNED}}}")


def make(survey: Survey) -> str:
    """The token of a new link, url-safe."""
    number = secrets.token_urlsafe(_NUMBER * 3 // 4)
    return number + _signature(number, survey)


def voter(token: str, survey: Survey) -> str | None:
    """The name of the voter with this token; None for a token that we did not make for this survey.
    Exports show the name: it does not give the link away.
    """
    if not _TOKEN.fullmatch(token):
        return None
    number, signature = token[:_NUMBER], token[_NUMBER:]
    if not constant_time_compare(signature, _signature(number, survey)):
        return None
    return "link-" + hashlib.sha256(token.encode()).hexdigest()[:24]


def _signature(number: str, survey: Survey) -> str:
    return Signer(salt=SALT).signature(f"{survey.code}:{survey.born}:{number}")[:_SIGNED]
