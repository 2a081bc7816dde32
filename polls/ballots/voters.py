"""Who a ballot belongs to: one voter to a browser, and one to a voting link, whatever tabs and stacks it passes."""

from dataclasses import dataclass, replace

from polls.ballots import browsers, voting_links
from polls.ballots.browsers import Browser
from polls.ballots.tokens import PageToken, Vote
from polls.surveys.survey import Survey


@dataclass(frozen=True)
class Voter:
    """A voter in the current round of a survey. `link` is the voting link that names them, empty where none does.

    `known` is their last vote as their page and their browser know it; `floor` the id that a new vote must be above.
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
    """Whom a page is made for that this browser asks for."""
    return _voter(browser.voter(survey), browser.link_for(survey), None, browser)


def of_link(survey: Survey, link: str, browser: Browser | None) -> Voter | None:
    """Whom a voting link names; None for a link that is not this survey's."""
    name = voting_links.voter(link, survey)
    return None if name is None else _voter(name, link, None, browser)


def of_ballot(survey: Survey, page: PageToken | None, browser: Browser | None) -> Voter:
    """Whose ballot it is that came with this page token from this browser, either of which may be missing.

    The voting link's voter comes first. Then comes the voter of a page that another stack made, where this stack's
    cookie was unknown; then this browser's, so that two tabs are one voter; then, without cookies, the page's own.
    """
    if page is not None and (voter := of_link(survey, page.link, browser)) is not None:
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
