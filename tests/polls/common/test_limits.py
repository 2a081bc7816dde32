"""A voter has a burst and then one vote a second; others are not held up."""

from polls.common.limits import BoundedDict, RateLimit


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_one_a_second():
    time = Time()
    limit = RateLimit(time, burst=3)
    assert [limit.wait_for("ann") for _ in range(3)] == [0, 0, 0]
    assert limit.wait_for("ann") == 1.0
    time.now += 0.5
    assert limit.wait_for("ann") == 0.5
    time.now += 0.5
    assert limit.wait_for("ann") == 0.0
    assert limit.wait_for("ann") == 1.0


def test_one_voter_does_not_hold_up_another():
    limit = RateLimit(Time(), burst=1)
    assert limit.wait_for("ann") == 0
    assert limit.wait_for("ann") > 0
    assert limit.wait_for("bob") == 0


def test_a_rest_refills_no_more_than_a_burst():
    time = Time()
    limit = RateLimit(time, burst=2)
    limit.wait_for("ann")
    time.now += 1000
    assert [limit.wait_for("ann") > 0 for _ in range(3)] == [False, False, True]


def test_of_more_entries_than_a_bounded_dict_holds_the_one_set_longest_ago_goes():
    held: BoundedDict[str, int] = BoundedDict(2)
    held |= {"ann": 1, "bob": 2}
    held["ann"] = 3
    held["cat"] = 4
    assert held == {"ann": 3, "cat": 4}
