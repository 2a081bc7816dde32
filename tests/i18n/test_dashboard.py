"""The dashboard in another language: the document stays English, every sentence on the page is translated."""

import json
import re

import pytest
from django.test import Client
from django.utils import translation

from failover.core.events import EventKind
from failover.core.exchange.reports import view_from_json, view_to_json
from failover.core.phrases import Phrase, counted, from_json, phrase, to_json
from failover.core.status.types import StatusDocument
from failover.dashboard import names
from failover.dashboard.language import text_of, translated
from failover.dashboard.panels import render_all
from failover.dashboard.reading import Reading
from tests.failover.dashboard.conftest import Publish
from tests.i18n.days import DAYS, Post, at, document
from tests.i18n.pseudo import leftovers

PAGE, LIVE, STATUS = "/admin/failover/", "/admin/failover/live/", "/admin/failover/status.json"
TYPED = frozenset({"for", "the", "class", "instructor"})  # a person's reason and name
MACHINE = frozenset({"timeout"})  # an outcome's name by contract
GERMAN = {"accept-language": "de-DE,de;q=0.9,en;q=0.5"}


def sentences(status: StatusDocument) -> list[tuple[str, str]]:
    """Every English text of the document, and what its reader's page makes of it."""
    return [
        (status["summary"], text_of(status, "summary", "summary_said")),
        *((row["text"], text_of(row, "text")) for row in status["explain"]),
        *((alarm["detail"], text_of(alarm, "detail")) for alarm in status["alarms"]),
        *((event["reason"], text_of(event, "reason")) for event in status["events"]),
        *((check["detail"], text_of(check, "detail")) for row in status["regions"] for check in row["checks"].values()),
    ]


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.__name__)
def test_in_english_the_page_says_what_the_document_says(day) -> None:
    status = json.loads(json.dumps(document(day())))
    for english, shown in sentences(status):
        assert shown == english


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.__name__)
def test_no_sentence_of_the_engine_is_left_in_english(day, staff: Client, monitor: Publish, pseudo_language) -> None:
    post: Post = day()
    monitor(lambda wall: at(post, wall))
    for path in (PAGE, LIVE):
        html = staff.get(path).content.decode()
        assert leftovers(html, known=TYPED | MACHINE) == []


@pytest.mark.parametrize("age_s", [0.0, 60.0])
def test_without_a_monitor_or_with_a_silent_one_no_english_is_on_the_page(
    age_s, staff, monitor, pseudo_language
) -> None:
    assert leftovers(staff.get(PAGE).content.decode(), known=TYPED) == []
    monitor(lambda wall: at(DAYS[0](), wall), age_s=age_s)
    assert leftovers(staff.get(PAGE).content.decode(), known=TYPED) == []


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"mode": "pinned", "reason": "Übung"},
        {"mode": "pinned", "reason": "Übung", "region": "us-moon-1"},
        {"mode": "pinned", "reason": "Übung", "region": "us-west-2", "confirm": "us"},
        {"mode": "pinned", "reason": "Übung", "region": "us-east-1", "confirm": "us-east-1"},
        {"mode": "auto", "reason": "Übung"},
    ],
    ids=["nothing", "no region", "unknown", "unconfirmed", "refused", "no region answers"],
)
def test_a_refused_change_of_the_routing_is_explained_in_the_readers_language(
    wish, staff, monitor, pseudo_language
) -> None:
    monitor(lambda wall: at(DAYS[1](), wall))
    reply = staff.post("/admin/failover/routing/", wish)
    assert reply.status_code in (409, 422, 503)
    machine = frozenset({"moon", "connect", "dns"})  # what was typed, and outcomes' names
    assert leftovers(reply.content.decode(), known=TYPED | machine) == []


def test_the_page_speaks_german_and_the_document_english(staff: Client, monitor: Publish) -> None:
    monitor(lambda wall: at(DAYS[1](), wall))
    page = staff.get(PAGE, headers=GERMAN)
    html = page.content.decode()
    assert page["Content-Language"] == "de"
    assert '<html lang="de"' in html
    assert re.search(r"us-west-2 bedient seit [\d:]+ UTC – us-east-1: DNS antwortet leer\.", html)
    assert "Die Replikation liegt 0,0 s zurück." in html
    assert "3 Proben in Folge fehlgeschlagen: DNS antwortet leer; Wartezeit mindestens 5 s" in html
    german, english = (staff.get(STATUS, headers=headers) for headers in (GERMAN, {}))
    assert german.content == english.content
    assert german["ETag"] == english["ETag"]
    assert "Content-Language" not in german
    assert german.json()["summary"].startswith("Serving from us-west-2 since ")


def test_a_refresh_in_one_language_is_never_taken_for_one_in_the_other(staff: Client, monitor: Publish) -> None:
    monitor(lambda wall: at(DAYS[0](), wall))
    english = staff.get(LIVE)
    german = staff.get(LIVE, headers={**GERMAN, "if-none-match": english["ETag"]})
    assert german.status_code == 200
    assert "bedient" in german.content.decode()
    assert {"Accept-Language", "Cookie"} <= set(german["Vary"].split(", "))
    again = staff.get(LIVE, headers={**GERMAN, "if-none-match": german["ETag"]})
    assert again.status_code == 304
    assert again["Content-Language"] == "de"


def test_every_name_that_the_document_uses_has_its_words() -> None:
    used = {kind.value for kind in EventKind}
    for day in DAYS:
        status = document(day())
        used |= {row["rule"] for row in status["explain"]} | {alarm["name"] for alarm in status["alarms"]}
    assert used == set(names.TITLES)


def test_what_a_person_typed_is_shown_as_it_is_also_when_it_is_a_word_of_the_catalogue() -> None:
    with translation.override("de"):
        assert translated("closed") == "closed"
        assert translated(phrase("closed")) == "geschlossen"
        reason = phrase("pinned by {actor} ({reason})", actor="closed", reason="open")
        assert translated(reason) == "festgelegt von closed (open)"


def test_numbers_and_plurals_follow_the_language() -> None:
    lag = phrase("Replication is {seconds:.1f} s behind.", seconds=1234.56)
    with translation.override("de"):
        assert translated(lag) == "Die Replikation liegt 1234,6 s zurück."
        assert translated(counted("{count} canary", "{count} canaries", 1)) == "1 Probe"
        assert translated(counted("{count} canary", "{count} canaries", 0)) == "0 Proben"
    assert lag == "Replication is 1234.6 s behind."


def test_a_phrase_survives_the_files_that_host_and_worker_talk_through() -> None:
    post = DAYS[1]()
    view = post.watch.view(post.now)
    read = view_from_json(json.loads(json.dumps(view_to_json(view))), age_s=0)
    assert read == view
    reason = read.circuits["us-east-1"].reason
    assert isinstance(reason, Phrase)
    with translation.override("de"):
        assert translated(reason) == "3 Proben in Folge fehlgeschlagen: DNS antwortet leer"


@pytest.mark.parametrize(
    "broken",
    [
        None,
        7,
        [],
        {},
        {"template": "{missing}"},
        {"template": "{0}"},
        {"template": "{"},
        {"template": "{a}", "values": {"a": None}},
        {"template": "{a.__class__}", "values": {"a": {}}},
        {"template": "a", "plural": "b"},
        {"template": "a", "plural": "b", "count": "many"},
    ],
)
def test_a_document_that_says_nonsense_beside_its_text_is_shown_by_its_text(broken) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json(broken)
    assert text_of({"text": "Calm.", "said": broken}, "text") == "Calm."


def test_a_document_of_an_older_monitor_is_shown_in_english() -> None:
    status = json.loads(json.dumps(document(DAYS[1]())))
    status.pop("summary_said")
    for part in (*status["explain"], *status["alarms"], *status["events"]):
        part.pop("said")
    with translation.override("de"):
        rendered = render_all(Reading(status, 0.4))
    assert "Serving from us-west-2 since " in rendered["sentence"].html


def test_a_text_that_was_not_made_of_a_template_is_its_own_document() -> None:
    assert to_json("typed") == "typed"
    assert from_json("typed") == "typed"
    assert type(from_json("typed")) is str
