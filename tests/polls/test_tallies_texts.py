"""Free-text answers against the live lab: every one on exactly one page, in an order that stays, and no name."""

import pytest

from polls import services, texts
from polls.selectors import results
from polls.surveys import Survey
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


def test_every_text_is_on_exactly_one_page(survey: Survey):
    for number in range(11):
        answers = {"q1": "o1"} if number == 10 else {"q1": "o1", "q4": f"text {number}"}
        services.ballot_cast(survey=survey, voter=f"voter-{number:04}", vote_id=services.name_vote(), answers=answers)
    wait_until(lambda: results(survey).value.tally.answered["q4"] == 10, within=10, what="ten texts are counted")
    after, pages = "", []
    while after is not None:
        pages.append(texts.texts(survey, "q4", after=after, limit=4).value)
        after = pages[-1].next
    assert [len(page.answers) for page in pages] == [4, 4, 2]
    assert sorted(answer.text for page in pages for answer in page.answers) == [f"text {n}" for n in range(10)]
    assert not any("voter" in answer.id for page in pages for answer in page.answers)
    whole = texts.texts(survey, "q4").value
    assert whole.next is None
    assert whole.answers == tuple(answer for page in pages for answer in page.answers)


@pytest.mark.parametrize("after", ["x", "1", "-", "1-short", "x-0123456789abcdef"])
def test_a_place_that_no_page_gave_is_refused(survey: Survey, after: str):
    with pytest.raises(ValueError, match="no page"):
        texts.texts(survey, "q4", after=after)
