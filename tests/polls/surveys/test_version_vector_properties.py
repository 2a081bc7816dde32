"""Every pair of changes that were made without knowledge of each other is reported, and no other: against histories
that are kept in full.

A script is drawn: authors who can reach some of the regions read what these hold (their own row, and older copies of
the others'), change a property and write it to one region; some do not learn what became of it and repeat it
in another.
"""

from dataclasses import dataclass, field

from hypothesis import event, given
from hypothesis import strategies as st

from polls.surveys.merge import Row, change, merge, overtaken, put_on, rivals

REGIONS = ("east", "west", "south")
NAME = "title"


@dataclass(frozen=True)
class Copy:
    """Region `target` receives the row of region `source`."""

    source: str
    target: str


@dataclass(frozen=True)
class Edit:
    """An author who reaches `reach` (the regions, in the order in which they try them) writes there. The first `silent`
    tries end in silence, and of these the last `applied` were carried out all the same.
    """

    reach: tuple[str, ...]
    silent: int
    applied: int
    now_ms: int


SOME = st.permutations(REGIONS).flatmap(lambda order: st.integers(1, 3).map(lambda n: tuple(order[:n])))
EDITS = st.builds(Edit, SOME, st.integers(0, 2), st.integers(0, 2), st.integers(0, 20))
COPIES = st.builds(Copy, st.sampled_from(REGIONS), st.sampled_from(REGIONS))
SCRIPTS = st.lists(EDITS | COPIES, max_size=14)


@dataclass
class World:
    """What each region holds of each region's row; and, beside it, who knew of what when they wrote."""

    held: dict[str, dict[str, Row]] = field(default_factory=lambda: {region: {} for region in REGIONS})
    knew: dict[str, frozenset[str]] = field(default_factory=dict)  # a value: every value that its author knew of
    standing: dict[str, str] = field(default_factory=dict)  # a region: the value in its own row
    written: int = 0

    def act(self, action: Copy | Edit) -> None:
        if isinstance(action, Copy):
            row = self.held[action.source].get(action.source)
            if row is not None:
                self.held[action.target][action.source] = row
            return
        rows = [row for region in action.reach for row in self.held[region].values()]
        since = merge(rows)
        value = f"v{self.written}"
        changed = change(since, {NAME: value}, now_ms=action.now_ms)
        self.written += 1
        self.knew[value] = self.ancestors(rows)
        made = False
        for place, region in enumerate(action.reach):
            silent = place < min(action.silent, len(action.reach) - 1)
            if not silent or place >= action.silent - action.applied:
                own = self.held[region].get(region)
                if own is not None and overtaken(own, changed, since):
                    if not made:
                        del self.knew[value]
                    return  # the author is told, and this change ends here
                made = True
                self.held[region][region] = put_on(own, changed, region=region)
                self.standing[region] = value
            if not silent:
                return

    def ancestors(self, rows: list[Row]) -> frozenset[str]:
        """Every value that is in these rows, and every one that its author knew of."""
        found = {row.fields[NAME].value for row in rows}
        return frozenset(found.union(*(self.knew[value] for value in found))) if found else frozenset()

    def unknown_to_each_other(self) -> set[str]:
        """The values in the regions' own rows that no author of another one knew of."""
        values = set(self.standing.values())
        return {one for one in values if not any(one in self.knew[other] for other in values - {one})}

    def everything(self) -> Row:
        return merge(row for held in self.held.values() for row in held.values())


@given(SCRIPTS)
def test_every_pair_that_did_not_know_of_each_other_is_reported_and_no_other(script: list[Copy | Edit]):
    world = World()
    for action in script:
        world.act(action)
    merged = world.everything()
    apart = world.unknown_to_each_other()
    event(f"{len(apart)} versions")
    if not apart:
        assert merged.fields == {}
        return
    assert merged.value(NAME) in apart
    assert {version.value for version in rivals(merged, NAME).values()} == apart - {merged.value(NAME)}


@given(SCRIPTS, st.sampled_from(REGIONS))
def test_who_has_seen_all_versions_and_writes_ends_the_notice_for_everybody(script: list[Copy | Edit], region: str):
    world = World()
    for action in script:
        world.act(action)
    seen = world.everything()
    settled = change(seen, {NAME: "settled"}, now_ms=0)
    own = world.held[region].get(region)
    assert own is None or not overtaken(own, settled, seen)
    world.held[region][region] = put_on(own, settled, region=region)
    merged = world.everything()
    assert merged.value(NAME) == "settled"
    assert rivals(merged, NAME) == {}


@given(SCRIPTS, st.data())
def test_joining_is_commutative_associative_and_idempotent(script: list[Copy | Edit], data: st.DataObject):
    world = World()
    for action in script:
        world.act(action)
    rows = [row for held in world.held.values() for row in held.values()]
    a, b, c = (merge(data.draw(st.lists(st.sampled_from(rows), max_size=4)) if rows else []) for _ in range(3))
    assert merge([a, b]) == merge([b, a])
    assert merge([merge([a, b]), c]) == merge([a, merge([b, c])])
    assert merge([a, a]) == merge([a]) == a
    assert merge([a, b, a]) == merge([a, b])
