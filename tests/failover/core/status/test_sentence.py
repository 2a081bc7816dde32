"""The first sentence of the dashboard, as it is read on the days that a region may have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from failover.core.regions import Region
from failover.core.signals.breaker import CircuitState
from failover.core.signals.health import Canary, Layer
from tests.failover.core.posts import opened_by_canaries, opened_by_traffic
from tests.simulation.support import CONFIG, EAST, GOOD, REGIONS, WEST, Post, decision, failing, met, passing

THIRD = "eu-west-1"


def told(post: Post) -> str:
    return post.watch.status(post.now, post.wall, [])["summary"]


def pinned(region: str) -> Post:
    post = Post()
    post.watch.on_decisions([decision(region)])
    post.step(5)
    return post


def unpinned(region: str) -> Post:
    post = pinned(region)
    post.watch.on_decisions([decision(None, epoch=2, id="d2")])
    post.step()
    return post


def down(post: Post, *regions: str) -> Post:
    """The same, once these regions failed too."""
    post.canaries |= dict.fromkeys(regions, failing())
    post.step(3)
    return post


def tried_again(post: Post, region: str) -> Post:
    """The same, once the region is being tried again."""
    post.canaries[region] = passing()
    post.until(region, CircuitState.HALF_OPEN)
    return post


def three_regions() -> Post:
    post = Post(regions=(*REGIONS, Region(THIRD, 2)))
    post.step(5)
    return post


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (lambda: pinned(EAST), "us-east-1 since 07:00:00 UTC: pinned by instructor (for the class)."),
        (
            lambda: unpinned(WEST),
            "us-east-1 since 07:00:03 UTC: it is the first choice and every circuit is closed.",
        ),
        (
            lambda: down(pinned(WEST), EAST),
            "us-west-2 since 07:00:00 UTC: pinned by instructor (for the class), while us-east-1's DNS answers empty.",
        ),
        (
            lambda: down(pinned(WEST), WEST),
            "us-east-1 since 07:00:04 UTC: pinned, but us-west-2's DNS answers empty.",
        ),
        (
            lambda: down(pinned("mars-1"), EAST),
            "us-west-2 since 07:00:04 UTC: us-east-1's DNS answers empty.",
        ),
        (
            lambda: down(Post(), WEST),
            "us-east-1 since 07:00:00 UTC: it is the first choice, while us-west-2's DNS answers empty.",
        ),
        (
            lambda: tried_again(down(Post(), WEST), WEST),
            "us-east-1 since 07:00:00 UTC: it is the first choice, while "
            "us-west-2: 3 canaries failed in a row: DNS answers empty.",
        ),
        (
            lambda: down(three_regions(), WEST, THIRD),
            "us-east-1 since 07:00:00 UTC: it is the first choice, while us-west-2's DNS answers empty.",
        ),
        (opened_by_traffic, "us-west-2 since 07:00:03 UTC: us-east-1: live traffic: 3 failures in a row: timeout."),
        (
            lambda: tried_again(opened_by_canaries(), EAST),
            "us-west-2 since 07:00:04 UTC: us-east-1 is being tried again.",
        ),
        (
            lambda: tried_again(opened_by_traffic(), EAST),
            "us-west-2 since 07:00:03 UTC: us-east-1 is being tried again, by live traffic alone, "
            "which failed while canaries passed.",
        ),
        (
            lambda: down(Post(), EAST, WEST),
            "us-east-1 since 07:00:00 UTC: no region looks well, so all are tried in turn.",
        ),
    ],
    ids=[
        "pinned",
        "a pin was taken back by hand",
        "pinned, and another region fails",
        "the pinned region fails",
        "a pin to a region that is not configured is no pin",
        "another region fails",
        "another region is being tried again",
        "of two others that fail, the one that would be next",
        "live traffic fails while canaries pass",
        "it is being tried again",
        "it is being tried again by live traffic alone",
        "all regions fail",
    ],
)
def test_it_says_who_serves_since_when_and_why(day: Callable[[], Post], why: str) -> None:
    said, _, rest = told(day()).partition(" Replication is ")
    assert said.partition(" The replication lag ")[0] == f"Serving from {why}"
    assert rest.endswith(" s behind.") or "unknown" in said


def test_a_region_that_answered_again_and_fell_silent_is_not_said_to_answer() -> None:
    post = opened_by_canaries()
    post.canaries[EAST] = passing()
    post.step()
    post.now += CONFIG.quiet_s + 0.1
    assert "us-east-1: 3 canaries failed in a row: DNS answers empty." in told(post)


def noticed_by_canaries(*, requests: int, failed: int) -> str:
    """The sentence once canaries opened the first region, in which live traffic met this since it was well."""
    post = Post()
    post.reports(w1={EAST: met(100)})
    post.step(5)
    post.reports(w1={EAST: met(100 + requests, failed)})
    post.canaries[EAST] = failing()
    post.step(3)
    return told(post)


def test_an_outage_that_only_new_connections_notice_is_said_to_be_one() -> None:
    unnoticed = "DNS answers empty, which canaries noticed and live traffic, on connections that were open, did not."
    assert unnoticed in noticed_by_canaries(requests=20, failed=0)


@pytest.mark.parametrize(
    ("requests", "failed"), [(20, 1), (0, 0)], ids=["live traffic met it too", "there was no live traffic"]
)
def test_live_traffic_is_said_to_have_met_nothing_only_where_there_was_some(requests: int, failed: int) -> None:
    assert "us-east-1's DNS answers empty. " in noticed_by_canaries(requests=requests, failed=failed)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({(EAST, WEST): 0.5, (WEST, EAST): 0.1}, "Replication is 0.5 s behind."),
        ({(EAST, WEST): 0.1, (WEST, EAST): 123.4}, "Replication is 123.4 s behind."),
        ({(WEST, EAST): 0.4}, "Replication is 0.4 s behind."),
        ({}, "The replication lag is unknown."),
    ],
    ids=["the worst of them", "the worst of them, the other way", "the one that is known", "none is known"],
)
def test_it_says_how_far_replication_is_behind(seen: dict[tuple[str, str], float], words: str) -> None:
    post = Post()
    for name in (EAST, WEST):
        post.watch.on_canary(name, passing(), post.now)
        post.watch.on_beat_written(name, 1, post.now)
    for (origin, name), after_s in seen.items():
        post.watch.on_beat_seen(origin, name, 1, post.now + after_s)
    assert told(post).endswith(f"every circuit is closed. {words}")


@pytest.mark.parametrize(("unread", "named"), [((WEST,), WEST), ((EAST, WEST), EAST)], ids=["one", "the first of two"])
def test_a_region_that_cannot_be_read_is_said_to_be_why_the_lag_is_unknown(unread: tuple[str, ...], named: str) -> None:
    post = Post()
    for name in unread:
        post.watch.on_canary(name, failing(), post.now)
    assert told(post).endswith(f" The replication lag is unknown while {named} cannot be read.")


def test_one_region_alone_replicates_nothing_and_the_summary_says_so() -> None:
    post = Post(regions=REGIONS[:1])
    post.step()
    assert told(post) == (
        "Serving from us-east-1 since 07:00:00 UTC: it is the first choice and every circuit is closed. There is one "
        "region, so nothing is replicated."
    )


def test_a_stale_dns_answer_is_said_of_the_region_that_serves_only() -> None:
    post = Post()
    post.canaries[WEST] = Canary(Layer(True, 1.0, "DNS answers empty", stale=True), GOOD, GOOD, GOOD)
    post.step(5)
    assert "DNS" not in told(post)
    post.watch.on_decisions([decision(WEST)])
    post.step()
    assert " (for the class). us-west-2's DNS answers empty. Replication " in told(post)
