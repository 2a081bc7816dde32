"""Each panel from a literal document: what a person sees in each state."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.status.rules import RULES
from failover.core.status.types import StatusDocument
from failover.dashboard.figures import ago, duration, percent, words
from failover.dashboard.panels import PANELS, alarms, events, regions, render_all, replication, routing, sentence, why
from failover.dashboard.reading import Reading, age_of
from failover.dashboard.table import table
from tests.failover.dashboard.documents import EAST, WEST, east_down, healthy, pinned, unknown

NOW = 1_761_000_000.0
FREE = {EAST: None, WEST: None}


def fresh(document: StatusDocument, **refusals: str) -> Reading:
    return Reading(document, 0.4, {**FREE, **refusals})


def test_the_sentence_is_the_monitors_own_and_the_lag_stands_apart() -> None:
    panel = sentence.build(fresh(east_down(NOW)))
    assert panel.text.endswith("us-east-1's DNS fails (the name has no address).")
    assert panel.text.startswith("Serving from us-west-2 since ")
    assert panel.figure == "Replication is 0.4 s behind."


@pytest.mark.parametrize(
    ("document", "tone", "title"),
    [
        (healthy, "ok", "Healthy: us-east-1"),
        (east_down, "warn", "Attention: us-west-2"),
        (pinned, "ok", "Healthy: us-west-2"),
        (unknown, "unknown", "Unknown: us-east-1"),
    ],
)
def test_title_and_icon_follow_the_state(document, tone, title) -> None:
    panel = sentence.build(fresh(document(NOW)))
    assert (panel.tone, panel.title) == (tone, title)


def test_trouble_is_when_the_region_that_serves_is_itself_bad() -> None:
    document = east_down(NOW)
    document["routing"]["active"] = EAST
    assert sentence.build(fresh(document)).tone == "bad"


def test_a_silent_monitor_takes_the_colour_away_and_dates_its_last_word() -> None:
    panel = sentence.build(Reading(healthy(NOW), 12.0, FREE))
    assert panel.tone == "unknown"
    assert panel.silent_since is not None
    assert panel.silent_since.timestamp() == NOW


def test_without_any_monitor_the_page_says_so_and_every_panel_still_renders() -> None:
    rendered = render_all(Reading(None, None, FREE))
    assert "No monitor has reported on this host yet" in rendered["sentence"].html
    assert set(rendered) == {panel.name for panel in PANELS}


def test_a_tile_tells_the_layer_that_broke_and_those_never_reached() -> None:
    east, west = regions.build(fresh(east_down(NOW)))
    assert [(layer.title, layer.word) for layer in east.layers] == [
        ("DNS", "failed"),
        ("Connect", "not reached"),
        ("Write", "not reached"),
        ("Read", "not reached"),
    ]
    assert [(layer.title, layer.detail) for layer in east.broken] == [("DNS", "the name has no address")]
    assert (east.state, east.circuit, east.serving, east.failing) == ("unreachable", "open", False, True)
    assert (west.state, west.circuit, west.serving, west.failing) == ("healthy", "closed", True, False)
    assert (west.requests, west.p50, west.p99) == (612, "72 ms", "141 ms")


def test_state_is_never_shown_by_colour_alone() -> None:
    html = render_all(fresh(east_down(NOW)))["regions"].html
    for tone, word in (("bad", "unreachable"), ("ok", "healthy")):
        assert f'class="glyph tone-{tone}"' in html
        assert word in html


def test_figures_of_a_region_nobody_knows_and_of_a_silent_monitor_look_stale() -> None:
    assert not any(tile.stale for tile in regions.build(fresh(healthy(NOW))))
    assert all(tile.stale for tile in regions.build(fresh(unknown(NOW))))
    assert all(tile.stale for tile in regions.build(Reading(healthy(NOW), 12.0, FREE)))


def test_both_directions_of_replication_are_told_with_their_age() -> None:
    out, back = replication.build(fresh(east_down(NOW)))
    assert (out.origin, out.target, out.known, out.state) == (EAST, WEST, False, "unknown")
    assert (back.lag, back.state, back.tone, back.age) == ("12.4 s", "stalled", "bad", "41.2 s ago")


def test_the_page_says_beforehand_what_each_choice_would_do() -> None:
    panel = routing.build(fresh(healthy(NOW)))
    auto, east, west = panel.choices
    assert auto.holds
    assert "nothing moves now" in east.effect
    assert "traffic moves from us-east-1" in west.effect
    assert not any(choice.refusal for choice in panel.choices)


def test_the_page_says_beforehand_which_pin_would_be_refused_and_by_which_rule() -> None:
    panel = routing.build(Reading(east_down(NOW), 0.4, {EAST: "us-east-1 is unreachable.", WEST: None}))
    assert [choice.refusal for choice in panel.choices] == [None, "us-east-1 is unreachable.", None]


def test_a_pin_holds_also_while_another_region_serves() -> None:
    document = pinned(NOW)
    document["routing"]["active"] = EAST
    _, east, west = routing.build(fresh(document)).choices
    assert west.holds
    assert not east.holds
    assert [tile.pinned for tile in regions.build(fresh(document))] == [False, True]


def test_each_rule_stands_beside_its_threshold_and_those_that_explain_come_first() -> None:
    panel = why.build(fresh(east_down(NOW)))
    assert panel.regions == (EAST, WEST)
    row = {row.name: row.cells for row in panel.rows}["Canary failures"]
    assert [(cell.value, cell.threshold, cell.mark) for cell in row if cell] == [
        ("84", "3", "bad"),
        ("0", "3", "plain"),
    ]
    assert panel.reasons[0].startswith("us-east-1: 3 live failures in a row")
    assert len(panel.reasons) + len(panel.rest) == len(east_down(NOW)["explain"])


@pytest.mark.parametrize("met", [True, False])
@pytest.mark.parametrize("circuit", ["open", "half-open", "closed"])
def test_a_rule_is_marked_when_it_speaks_against_a_region_or_when_its_return_waits_for_it(
    circuit: Literal["open", "half-open", "closed"], met: bool
) -> None:
    document = east_down(NOW)
    document["regions"][0]["circuit"] = circuit
    template = next(row for row in document["explain"] if row["region"] == EAST)
    document["explain"] = [{**template, "rule": rule.name, "met": met} for rule in RULES]
    against = {"consecutive-failures", "canary-failures", "error-rate", "refused-writes", "flapping", "disputed"}
    waited_for = {"failback-canaries", "failback-hold", "failback-lag", "failback-pace"}
    if circuit == "half-open":
        waited_for.add("trials")

    rows = why.build(fresh(document)).rows

    marks = {row.name: cell.mark for row in rows for cell in row.cells if cell}
    assert len(marks) == len(RULES)
    expected = against if met else waited_for if circuit != "closed" else set()
    assert {name for name, mark in marks.items() if mark in ("bad", "warn")} == {words(name) for name in expected}


def test_nothing_needs_an_explanation_while_all_is_well() -> None:
    assert why.build(fresh(healthy(NOW))).reasons == ()


def test_events_come_newest_first_whatever_order_they_were_published_in() -> None:
    document = east_down(NOW)
    document["events"].reverse()
    assert [event.what for event in events.build(fresh(document))] == ["Failover", "Circuit opened"]


def test_an_event_names_a_person_but_not_the_automaton() -> None:
    assert {event.actor for event in events.build(fresh(pinned(NOW)))} == {"instructor"}
    assert {event.actor for event in events.build(fresh(east_down(NOW)))} == {""}


def test_ringing_alarms_are_told_and_quiet_ones_counted() -> None:
    panel = alarms.build(fresh(east_down(NOW)))
    assert [(alarm.name, alarm.region) for alarm in panel.ringing] == [("Circuit", EAST), ("Canary", EAST)]
    assert panel.quiet == 6


def test_what_regions_and_people_say_is_escaped() -> None:
    document = east_down(NOW)
    hostile = "<script>alert(1)</script>\"'"
    document["summary"] = document["summary_said"] = hostile
    document["routing"]["reason"] = document["routing"]["actor"] = hostile
    document["regions"][0]["checks"]["dns"]["detail"] = hostile
    document["events"][0]["reason"] = document["events"][0]["actor"] = document["events"][0]["id"] = hostile
    document["alarms"][0]["detail"] = document["explain"][0]["text"] = hostile
    for panel in render_all(fresh(document, **{EAST: hostile})).values():
        assert "<script" not in panel.html
        assert "alert(1)</" not in panel.html


def test_a_panel_has_another_digest_only_when_it_shows_something_else() -> None:
    before, after = render_all(fresh(healthy(NOW))), render_all(fresh(healthy(NOW)))
    assert before == after
    document = healthy(NOW)
    document["regions"][0]["requests_2m"] += 1
    changed = render_all(fresh(document))
    assert {name for name in before if before[name].digest != changed[name].digest} == {"regions"}


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"),
        (0.0, "0.0 ms"),
        (2.6, "2.6 ms"),
        (74.4, "74 ms"),
        (999.6, "1.0 s"),
        (12_400, "12.4 s"),
        (240_000, "4 min"),
    ],
)
def test_durations_have_the_digits_that_mean_something(ms, text) -> None:
    assert duration(ms) == text


def test_shares_ages_and_kinds_read_as_people_say_them() -> None:
    assert [percent(share) for share in (None, 0.0, 0.0001, 0.004, 0.12, 0.9999, 1.0)] == [
        *("–", "0 %", "< 0.1 %", "0.4 %", "12 %", "> 99 %", "100 %")
    ]
    assert ago(None) == "never"
    assert words("circuit-half-open") == "Circuit half open"


@given(st.floats(min_value=0, max_value=1e9))
def test_a_duration_never_claims_more_than_four_digits_below_an_hour(ms: float) -> None:
    number, unit = duration(ms).split(" ")
    assert unit in {"ms", "s", "min"}
    assert unit == "min" or len(number.replace(".", "")) <= 4


def test_a_document_from_before_the_clock_was_set_back_counts_as_stale() -> None:
    document = healthy(NOW)
    assert not Reading(document, age_of(document, NOW - 1)).stale
    assert Reading(document, age_of(document, NOW - 600)).stale


def test_a_document_without_a_readable_time_counts_as_stale() -> None:
    document = healthy(NOW)
    document["generated_at"] = "once upon a time"
    assert age_of(document, NOW) is None
    assert Reading(document, age_of(document, NOW)).stale


def test_once_the_monitor_is_silent_a_figure_has_a_time_of_day_instead_of_an_age_that_seems_alive() -> None:
    tile = regions.build(fresh(healthy(NOW)))[0]
    assert tile.age == "320 ms ago"
    old = regions.build(Reading(healthy(NOW), 12.0, FREE))[0]
    assert old.age == "at 22:39:59"
    assert old.age == regions.build(Reading(healthy(NOW), 500.0, FREE))[0].age


def test_a_detail_of_dns_names_its_layer_and_any_other_stands_behind_the_layers_name() -> None:
    document = healthy(NOW)
    checks = document["regions"][0]["checks"]
    checks["dns"] |= {"ok": False, "detail": "DNS answers empty"}
    checks["connect"] |= {"ok": False, "detail": "no connection in time"}
    sentences = [layer.sentence for layer in regions.build(fresh(document))[0].broken]
    assert sentences == ["DNS answers empty", "Connect: no connection in time"]


def test_a_layer_that_works_by_a_stale_answer_is_told_in_words_and_is_not_called_well() -> None:
    document = healthy(NOW)
    detail = "DNS answers empty since 22:39:11 UTC; the last good answer serves until 22:44:11 at most"
    document["regions"][0]["checks"]["dns"] |= {"detail": detail, "stale": True}
    east, west = regions.build(fresh(document))
    assert [(layer.tone, layer.word) for layer in east.layers] == [("warn", "stale"), *[("ok", "ok")] * 3]
    assert [layer.sentence for layer in east.broken] == [detail]
    assert west.broken == ()
    assert detail in render_all(fresh(document))["regions"].html
    assert f"{EAST} dns: {detail}" in table(document)
    assert "STALE" in next(line for line in table(document).splitlines() if line.startswith(f"{EAST} *"))


def test_a_pin_whose_region_does_not_serve_is_told_as_one() -> None:
    document = pinned(NOW)
    document["routing"]["active"] = EAST
    html = render_all(fresh(document))["routing"].html
    assert "Pinned to us-west-2</strong>, but traffic goes to <strong>us-east-1" in html
    assert "Decision 3 by instructor: maintenance in the east" in html
