from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import CharterViolation
from models.threshold import LOWEST_AUTHORS, MINIMUM_AUTHORS, Threshold, nearest
from sentiment.demand.clustering import Group, cluster
from sentiment.demand.constraints import CannotLink, Constraints, MustLink
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import Item, load_scorer
from sentiment.settings import SentimentSettings
from tests.support.wording import an_item

SCORER, MEMBERSHIP = load_scorer(), load_membership()
quick = settings(max_examples=40, deadline=None)


@st.composite
def months(draw: st.DrawFn) -> list[Item]:
    count = draw(st.integers(1, 14))
    return [
        an_item(
            f"p{number:02}",
            topic=draw(st.integers(0, 2)),
            organisation=draw(st.sampled_from(["gd", "gd/campus-a", "gd/campus-b"])),
            day=draw(st.integers(0, 20)),
        )
        for number in range(count)
    ]


def partition(groups: list[Group]) -> set[frozenset[str]]:
    return {frozenset(member.key for member in group.members) for group in groups}


def together(groups: list[Group], left: str, right: str) -> bool:
    return any({left, right} <= block for block in partition(groups))


@quick
@given(months(), st.randoms(use_true_random=False))
def test_the_order_of_the_posts_does_not_change_the_groups(items: list[Item], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert partition(cluster(items, SCORER, MEMBERSHIP)) == partition(cluster(shuffled, SCORER, MEMBERSHIP))


@quick
@given(months())
def test_every_post_is_in_exactly_one_group(items: list[Item]) -> None:
    keys = [member.key for group in cluster(items, SCORER, MEMBERSHIP) for member in group.members]

    assert sorted(keys) == sorted(item.key for item in items)


@quick
@given(months(), st.data())
def test_posts_that_a_person_parted_are_never_joined(items: list[Item], data: st.DataObject) -> None:
    pairs = list(combinations([item.key for item in items], 2))
    parted = data.draw(st.lists(st.sampled_from(pairs), max_size=8, unique=True)) if pairs else []
    constraints = Constraints(cannot=[CannotLink(*pair) for pair in parted])

    groups = cluster(items, SCORER, MEMBERSHIP, constraints=constraints)

    assert not any(together(groups, left, right) for left, right in parted)


@quick
@given(months(), st.data())
def test_posts_that_a_person_bound_are_always_together(items: list[Item], data: st.DataObject) -> None:
    pairs = list(combinations([item.key for item in items], 2))
    bound = data.draw(st.lists(st.sampled_from(pairs), max_size=4, unique=True)) if pairs else []

    groups = cluster(
        items, SCORER, MEMBERSHIP, constraints=Constraints(must=[MustLink(*pair) for pair in bound])
    )

    assert all(together(groups, left, right) for left, right in bound)


@quick
@given(months(), st.data())
def test_a_fixed_demand_keeps_its_posts_and_never_becomes_one_with_another(
    items: list[Item], data: st.DataObject
) -> None:
    fixed = {
        item.key: demand
        for item in items
        if (demand := data.draw(st.sampled_from([None, "first", "second"]))) is not None
    }

    groups = cluster(items, SCORER, MEMBERSHIP, fixed=fixed)

    where = {member.key: group.kept for group in groups for member in group.members}
    assert {key: where[key] for key in fixed} == fixed
    kept = [group.kept for group in groups if group.kept]
    assert len(kept) == len(set(kept))


@given(st.integers(-5, 50), st.text(max_size=5))
def test_no_number_below_the_charters_bound_is_accepted(authors: int, reason: str) -> None:
    allowed = authors >= MINIMUM_AUTHORS or (authors >= LOWEST_AUTHORS and bool(reason.strip()))
    if allowed:
        assert Threshold(authors, reason).k == authors
    else:
        with pytest.raises(CharterViolation):
            Threshold(authors, reason)


@given(st.integers(-5, MINIMUM_AUTHORS - 1))
def test_no_setting_of_the_room_goes_below_ten(authors: int) -> None:
    with pytest.raises(ValueError, match="authors"):
        SentimentSettings(minimum_authors=authors)


@given(st.dictionaries(st.sampled_from(["gd", "gd/a", "gd/a/b"]), st.integers(5, 40)))
def test_the_number_of_the_nearest_node_holds(found: dict[str, int]) -> None:
    expected = next((found[path] for path in ("gd/a/b", "gd/a", "gd") if path in found), 10)

    thresholds = {path: Threshold(k, "a small place") for path, k in found.items()}
    assert nearest(thresholds, "gd/a/b").k == expected
