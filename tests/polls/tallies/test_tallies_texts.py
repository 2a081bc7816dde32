"""Free-text answers against the live lab: the newest first, every one on exactly one page, and no name."""

from dataclasses import replace

import pytest

from failover import gateway
from polls.ballots import services
from polls.ballots.merge import Cast
from polls.results import texts
from polls.results.selectors import results
from polls.surveys.services import survey_close
from polls.surveys.survey import Survey
from polls.tallies.ports import Shard
from polls.tallies.store import RegionTallies
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


def write(survey: Survey, number: int, **more: str) -> None:
    services.ballot_cast(
        survey=survey, voter=f"voter-{number:04}", vote_id=services.name_vote(), answers={"q1": "o1", **more}
    )


def counted(survey: Survey, number: int) -> None:
    wait_until(lambda: results(survey).value.tally.answered["q4"] == number, within=10, what=f"{number} are counted")


def pages(survey: Survey, limit: int) -> list[tuple[str, ...]]:
    after, found = "", []
    while after is not None:
        page = texts.texts(survey, "q4", after=after, limit=limit).value
        found.append(tuple(answer.text for answer in page.answers))
        after = page.answers[-1].place if page.more else None
    return found


def test_every_text_is_on_exactly_one_page_and_the_newest_is_first(survey: Survey):
    for number in range(10):
        write(survey, number, q4=f"text {number}")
    write(survey, 10)
    counted(survey, 10)
    newest_first = tuple(f"text {number}" for number in reversed(range(10)))
    assert pages(survey, 4) == [newest_first[:4], newest_first[4:8], newest_first[8:]]
    assert pages(survey, 5) == [newest_first[:5], newest_first[5:]]
    assert pages(survey, 50) == [newest_first]
    whole = texts.texts(survey, "q4").value
    assert not any("voter" in f"{answer.id}{answer.place}" for answer in whole.answers)
    assert len({answer.id for answer in whole.answers}) == 10


def test_a_text_that_is_written_anew_is_the_newest_and_a_page_behind_a_text_that_is_gone_is_refused(survey: Survey):
    for number in range(6):
        write(survey, number, q4=f"text {number}")
    counted(survey, 6)
    behind = texts.texts(survey, "q4", limit=2).value.answers[-1]
    assert behind.text == "text 4"
    write(survey, 0, q4="other words")
    write(survey, 4)
    counted(survey, 5)
    assert pages(survey, 50) == [("other words", "text 5", "text 3", "text 2", "text 1")]
    with pytest.raises(ValueError, match="is gone"):
        texts.texts(survey, "q4", after=behind.place)


def test_a_page_reads_no_shard_whose_last_text_is_older_than_all_of_it(survey: Survey, monkeypatch: pytest.MonkeyPatch):
    for number in range(20):
        write(survey, number, q4=f"text {number}")
    counted(survey, 20)
    read: list[int] = []
    casts = texts._casts

    def counting(survey: Survey, shards: list[int], bound: gateway.Bound) -> dict[int, list[Cast]]:
        read.extend(shards)
        return casts(survey, shards, bound)

    monkeypatch.setattr(texts, "_casts", counting)
    page = texts.texts(survey, "q4", limit=3).value
    assert [answer.text for answer in page.answers] == ["text 19", "text 18", "text 17"]
    assert page.more
    assert len(read) <= 8  # of up to 20


def test_no_text_is_lost_where_tallies_do_not_tell_when_it_came(survey: Survey):
    for number in range(30):
        write(survey, number, q4=f"text {number}")
    counted(survey, 30)
    survey = survey_close(code=survey.code)  # no sweep counts it again
    for region in gateway.regions():
        store = RegionTallies(region)
        for number, stored in store.kept(survey.code, survey.round).shards.items():
            untold = replace(stored, tally=replace(stored.tally, latest={}), version=f"{stored.version}-untold")
            store.write(Shard(survey.code, survey.round, number), untold, over=stored.version)
    assert [text for page in pages(survey, 4) for text in page] == [f"text {number}" for number in reversed(range(30))]


@pytest.mark.parametrize("after", ["x", "1", "-", "1-short", "x-0123456789abcdef"])
def test_a_place_that_no_page_gave_is_refused(survey: Survey, after: str):
    with pytest.raises(ValueError, match="no page"):
        texts.texts(survey, "q4", after=after)


def test_an_answer_from_before_the_rules_is_shown_without_what_harms(survey: Survey):
    write(survey, 0, q4="\u202egnorw\nsecond line \u2067" + "\u0301" * 40)
    counted(survey, 1)
    (answer,) = texts.texts(survey, "q4").value.answers
    assert answer.text == "\ufffdgnorw\nsecond line \ufffd"
