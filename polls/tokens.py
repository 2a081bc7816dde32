"""What a page remembers about its voter, signed: nobody's vote can be changed by guessing, and there is nothing on the
server to lose.
"""

from dataclasses import asdict, dataclass, replace
from secrets import token_urlsafe
from typing import Any

from django.core import signing

SALT = "polls.voter"


@dataclass(frozen=True)
class VoterToken:
    """A voter of one survey (22 random characters, no person), the round their page shows, and their last vote."""

    code: str
    round: int
    voter: str
    last_id: str | None = None
    last_digest: str | None = None
    receipt: dict[str, Any] | None = None

    def dumps(self) -> str:
        """Signed text for a hidden field or a cookie."""
        return signing.dumps(
            {name: value for name, value in asdict(self).items() if value is not None}, salt=SALT, compress=True
        )

    def voted(self, *, vote_id: str, digest: str, number: int, receipt: dict[str, Any]) -> "VoterToken":
        """The token after a vote in round `number`."""
        return replace(self, round=number, last_id=vote_id, last_digest=digest, receipt=receipt)


def new(code: str, number: int) -> VoterToken:
    """A voter whom nobody has seen before."""
    return VoterToken(code, number, token_urlsafe(16))


def loads(text: str | None, code: str) -> VoterToken | None:
    """The token of this survey in a text that a browser sent back; None for anything that we did not sign for it."""
    if not text:
        return None
    try:
        token = VoterToken(**signing.loads(text, salt=SALT))
    except (signing.BadSignature, TypeError):
        return None
    return token if token.code == code else None


def later(page: VoterToken | None, cookie: VoterToken | None) -> VoterToken | None:
    """The page names the voter; of two tokens of one voter and round the one with the later vote holds."""
    if page is None or cookie is None:
        return page or cookie
    if page.voter != cookie.voter or (page.round, page.last_id or "") >= (cookie.round, cookie.last_id or ""):
        return page
    return replace(cookie, round=page.round) if page.round == cookie.round else page
