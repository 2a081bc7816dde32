"""The signed token of a ballot page. It names the page's voter without a cookie, and in any stack
that the page is sent to.
"""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.core import signing

SALT = "polls.voter"


class Vote(NamedTuple):
    """A vote as pages and cookies remember it: its name, and a digest of its answers."""

    id: str
    digest: str


@dataclass(frozen=True)
class PageToken:
    """The voter of one survey, the round that the page shows, and the last vote that the page knows
    of.

    `link` is the voting link that names the voter, empty without one. `issuer` is the stack that
    made the token: stacks share their key but no cookies, so a page must name its voter to another
    stack.
    """

    code: str
    round: int
    voter: str
    issuer: str = ""
    link: str = ""
    last_id: str = ""
    last_digest: str = ""

    @classmethod
    def make(cls, code: str, number: int, voter: str, *, link: str = "", last: Vote | None = None) -> Self:
        """A token of this stack."""
        return cls(code, number, voter, issuer(), link, *(last or ("", "")))

    @property
    def last(self) -> Vote | None:
        """The last vote of this voter that the page knows of; it may never have arrived."""
        return Vote(self.last_id, self.last_digest) if self.last_id else None

    @property
    def is_foreign(self) -> bool:
        """Whether another stack made it."""
        return self.issuer != issuer()

    def dumps(self) -> str:
        """Signed text for a hidden field."""
        return signing.dumps({name: value for name, value in asdict(self).items() if value}, salt=SALT, compress=True)


def issuer() -> str:
    """This stack's name in its tokens. Stacks differ by the region that they try first, or by a
    name of their own.
    """
    own_region = settings.FAILOVER["REGIONS"].partition(",")[0].strip()
    return hashlib.sha256(f"{settings.INSTALLATION}/{own_region}".encode()).hexdigest()[:8]


def loads(text: str | None, code: str) -> PageToken | None:
    """The token in a text that a browser sent back; None unless a stack signed it for this survey."""
    if not text:
        return None
    try:
        fields: dict[str, Any] = signing.loads(text, salt=SALT)
        token = PageToken(**fields)
    except (signing.BadSignature, TypeError):
        return None
    return token if token.code == code else None
