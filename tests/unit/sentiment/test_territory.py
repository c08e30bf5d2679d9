"""Looking again only at what new posts touch."""

import numpy as np
import pytest

from sentiment.demand import territory
from sentiment.demand.clustering import Group, cluster
from sentiment.demand.constraints import Constraints, MustLink
from sentiment.demand.measures import bcubed
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import load_scorer, parts, profile
from sentiment.demand.territory import regroup
from tests.benchmark.demand_growth import made
from tests.benchmark.demand_histories import history
from tests.support.wording import an_item

SCORER, MEMBERSHIP = load_scorer(), load_membership()
ITEMS = [
    an_item(f"{topic}-{number}", topic=topic, organisation=f"gd/campus-{topic}", day=number)
    for topic in range(3)
    for number in range(5)
]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a handful of posts count as a large window."""
    monkeypatch.setattr(territory, "WHOLE", 4)


@pytest.mark.usefixtures("large")
def test_only_what_a_new_post_touches_is_looked_at_again() -> None:
    stands = {item.key: f"demand-{item.key[0]}" for item in ITEMS if item.key != "0-4"}

    groups = regroup(ITEMS, SCORER, MEMBERSHIP, stands=stands, fresh=["0-4"])

    touched = {member.key for group in groups if group.touched for member in group.members}
    assert touched == {item.key for item in ITEMS if item.key.startswith("0")}
    assert sorted(member.key for group in groups for member in group.members) == sorted(
        item.key for item in ITEMS
    )
    assert {frozenset(member.key for member in group.members) for group in groups if not group.touched} == {
        frozenset(f"{topic}-{number}" for number in range(5)) for topic in (1, 2)
    }


@pytest.mark.usefixtures("large")
def test_what_a_person_bound_is_looked_at_together() -> None:
    stands = {item.key: f"demand-{item.key[0]}" for item in ITEMS if item.key[0] == "1"}

    groups = regroup(
        ITEMS,
        SCORER,
        MEMBERSHIP,
        stands=stands,
        fresh=["0-4"],
        constraints=Constraints(must=[MustLink("0-4", "1-2")]),
    )

    (home,) = [group for group in groups if "0-4" in {member.key for member in group.members}]
    assert "1-2" in {member.key for member in home.members}


def test_a_small_window_is_grouped_whole() -> None:
    found = regroup(ITEMS, SCORER, MEMBERSHIP, stands={}, fresh=[])

    assert found == cluster(ITEMS, SCORER, MEMBERSHIP)


def test_the_quick_probability_is_that_of_the_parts() -> None:
    items, _ = made(60)
    profiles, every = profile(items), np.arange(60)

    quick = SCORER.between(profiles, every, every)

    assert np.allclose(quick, SCORER.probabilities(parts(profiles, every, every)), atol=1e-4)


def test_a_large_window_is_grouped_nearly_as_well_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    items, gold = made(400)
    label = {item.key: demand for item, demand in zip(items, gold, strict=True)}

    def f1(groups: list[Group]) -> float:
        where = {member.key: number for number, group in enumerate(groups) for member in group.members}
        return bcubed([label[item.key] for item in items], [where[item.key] for item in items]).f1

    whole = f1(cluster(items, SCORER, MEMBERSHIP))
    for module in ("sentiment.demand.clustering", "sentiment.demand.refining"):
        monkeypatch.setattr(f"{module}.WHOLE", 100)

    assert f1(cluster(items, SCORER, MEMBERSHIP)) >= 0.8 * whole


def test_every_run_of_a_history_keeps_what_a_person_said() -> None:
    results = [history(seed) for seed in range(25)]

    assert sum(asked for asked, _ in results) > 100
    assert sum(broken for _, broken in results) == 0
