"""The cookie that makes a browser one voter in each round of every survey. Its size does not grow
with the number of surveys.

A voter's name is a keyed hash of the browser's id, the survey's code and the round. So nobody can
compute it from the cookie, exports of two surveys or of two rounds do not show that one person
voted in both, and after a reset a browser is a new voter.
"""

import base64
from dataclasses import dataclass, replace
from secrets import token_urlsafe

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import salted_hmac

from polls.ballots import voting_links
from polls.ballots.tokens import Vote
from polls.surveys.survey import Survey

SALT = "polls.browser"
VOTER_SALT = "polls.browser.voter"
AGE_S = 365 * 24 * 3600  # longer than votes are taken in any round
_BITS_128 = 16  # bytes


@dataclass(frozen=True)
class LastVote:
    """The last vote that was taken from this browser, in any survey."""

    code: str
    round: int
    voter: str
    vote: Vote


@dataclass(frozen=True)
class Browser:
    """One browser: 22 random characters, its last vote, and the last voting link by which it voted.

    Every later vote's id is above the last vote's id, in other surveys too: the cookie remembers no
    other vote.
    """

    id: str
    last: LastVote | None = None
    link: str = ""

    def voter(self, survey: Survey) -> str:
        """The name of the voter that this browser is in the survey's current round."""
        if self.link and (by_link := voting_links.voter(self.link, survey)):
            return by_link
        if self.last is not None and (self.last.code, self.last.round) == (survey.code, survey.round):
            return self.last.voter
        digest = salted_hmac(VOTER_SALT, f"{self.id}:{survey.code}:{survey.round}", algorithm="sha256").digest()
        return base64.urlsafe_b64encode(digest[:_BITS_128]).rstrip(b"=").decode()

    def link_for(self, survey: Survey) -> str:
        """The link by which this browser votes in the survey; empty where it votes as itself."""
        return self.link if self.link and voting_links.voter(self.link, survey) else ""

    def last_of(self, voter: str) -> Vote | None:
        """The last vote of that voter, where it is the last one of this browser."""
        return self.last.vote if self.last is not None and self.last.voter == voter else None

    def voted_before(self, survey: Survey) -> bool:
        """Whether this browser's last vote was in an earlier round of this survey."""
        last = self.last
        return last is not None and last.code == survey.code and survey.born <= last.round < survey.round

    def voted(self, survey: Survey, voter: str, vote: Vote, *, link: str) -> "Browser":
        """The browser after that vote. A later vote of this browser, in another survey, stays its
        last one.
        """
        last = LastVote(survey.code, survey.round, voter, vote)
        if self.last is not None and self.last.vote.id > vote.id:
            last = self.last
        return replace(self, last=last, link=link or self.link)

    def dumps(self) -> str:
        """Signed text, at most 230 characters."""
        last = self.last
        vote = (last.code, str(last.round), last.voter, *last.vote) if last else ("",) * 5
        return Signer(salt=SALT).sign(".".join((self.id, *vote, self.link)))


def new() -> Browser:
    """A browser that nobody has seen before."""
    return Browser(token_urlsafe(_BITS_128))


def loads(text: str) -> Browser | None:
    """The browser in a cookie's text; None for a text without our signature."""
    try:
        fields = Signer(salt=SALT).unsign(text).split(".")
    except BadSignature:
        return None
    identity, code, number, voter, vote_id, digest, link = fields
    last = LastVote(code, int(number), voter, Vote(vote_id, digest)) if code else None
    return Browser(identity, last, link)


def of(request: HttpRequest) -> Browser | None:
    """The browser that sent this request; None for a request without our cookie."""
    return loads(request.COOKIES.get(settings.VOTER_COOKIE_NAME, ""))


def remember(request: HttpRequest, response: HttpResponse, browser: Browser) -> None:
    """Set the cookie."""
    response.set_cookie(
        settings.VOTER_COOKIE_NAME,
        browser.dumps(),
        max_age=AGE_S,
        path=reverse("polls:join") + "s/",
        httponly=True,
        secure=request.is_secure(),
        samesite="Lax",
    )
