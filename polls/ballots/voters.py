"""The voter of a ballot: a browser is one voter, and a voting link is one, in whatever tabs and
stacks.
"""

from dataclasses import dataclass, replace

from polls.ballots import browsers, voting_links
from polls.ballots.browsers import Browser
from polls.ballots.tokens import PageToken, Vote
from polls.surveys.survey import Survey


@dataclass(frozen=True)
class Voter:
    """A voter in the current round of a survey. `link` is the voting link that names them, empty
    without one.

    `known` is their last vote, as far as their page and their browser know. A new vote's id must be
    above `floor`.
    """

    name: str
    link: str = ""
    known: Vote | None = None
    floor: str = ""

    def knowing(self, vote: Vote) -> "Voter":
        """The voter when this vote of theirs is known too."""
        known = max(vote, self.known or vote)
        return replace(self, known=known, floor=max(known.id, self.floor))


def of_page(survey: Survey, browser: Browser) -> Voter:
    """The voter of a page that this browser asks for."""
    return _voter(browser.voter(survey), browser.link_for(survey), None, browser)


def of_link(survey: Survey, link: str, browser: Browser | None) -> Voter | None:
    """The voter that a voting link names; None for a link that is not of this survey."""
    name = voting_links.voter(link, survey)
    return None if name is None else _voter(name, link, None, browser)


def of_ballot(survey: Survey, page: PageToken | None, browser: Browser | None) -> Voter:
    """The voter of a ballot that came with this page token from this browser, either of which may be missing.

    1. The page has a voting link: the link's voter.
    2. The page is of this round, and another stack made it, or there is no cookie: the page's voter.
    3. Otherwise: the browser's voter, so that two tabs are one voter.
    """
    if page is not None and page.link and (voter := of_link(survey, page.link, browser)) is not None:
        return _voter(voter.name, page.link, page, browser)
    current = page if page is not None and page.round >= survey.round and not page.link else None
    if current is not None and (current.is_foreign or browser is None):
        return _voter(current.voter, "", current, browser)
    browser = browser or browsers.new()
    return _voter(browser.voter(survey), browser.link_for(survey), page, browser)


def _voter(name: str, link: str, page: PageToken | None, browser: Browser | None) -> Voter:
    of_page = page.last if page is not None and page.voter == name else None
    of_browser = browser.last_of(name) if browser is not None else None
    known = max((vote for vote in (of_page, of_browser) if vote is not None), default=None)
    anywhere = browser.last.vote.id if browser is not None and browser.last is not None else ""
    return Voter(name, link, known, max(known.id if known else "", anywhere))
