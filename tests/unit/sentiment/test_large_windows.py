"""A large window is grouped by other means, and gives what a small one would."""

import numpy as np
import pytest

from sentiment.demand import clustering, edges, territory
from sentiment.demand.asking import answers, groups_of, questions
from sentiment.demand.clustering import in_order, wide
from sentiment.demand.columns import Columns, Compact, compact, logits
from sentiment.demand.constraints import CannotLink, Constraints, MustLink
from sentiment.demand.fixed_point import fixed
from sentiment.demand.joining import join_all
from sentiment.demand.refining import Compared, load_membership, membership_parts
from sentiment.demand.scoring import Item, load_scorer, profile
from sentiment.demand.starting import begin, join_pairs
from tests.benchmark.demand_growth import made
from tests.benchmark.demand_histories import history

SCORER, MEMBERSHIP = load_scorer(), load_membership()
ITEMS, _ = made(240)
DRAW = np.random.default_rng(5)
TOPICS = DRAW.random((len(ITEMS), 6)).astype(np.float32) * (DRAW.random((len(ITEMS), 1)) < 0.7)
WITH_TOPICS = [
    Item(
        item.key, item.author, item.organisation, item.day, item.terms,
        topics / max(float(np.linalg.norm(topics)), 1e-6), item.vector, item.domain, item.need, place="惠阳",
    )
    for item, topics in zip(ITEMS, TOPICS, strict=True)
]  # fmt: skip


def window(items: list[Item]) -> Compact:
    return compact(in_order(items))


def test_posts_in_columns_are_the_posts() -> None:
    columns = Columns(WITH_TOPICS)

    assert [(one.key, one.author, one.organisation, one.day, one.place) for one in columns] == [
        (one.key, one.author, one.organisation, one.day, one.place) for one in WITH_TOPICS
    ]
    for held, item in zip(columns, WITH_TOPICS, strict=True):
        assert np.array_equal(held.terms, item.terms)
        assert np.allclose(held.vector, item.vector, atol=1e-4)
        assert np.allclose(held.topics, item.topics, atol=1e-4)


@pytest.mark.parametrize("items", [ITEMS, WITH_TOPICS])
def test_rows_in_fixed_point_are_as_probable_as_in_floats(items: list[Item]) -> None:
    held, every = window(items), np.arange(len(items))

    found = 1 / (1 + np.exp(-logits(SCORER, held.side(every), held.side(every))))

    assert np.allclose(found, SCORER.between(profile(items), every, every), atol=2e-3)


@pytest.mark.parametrize("items", [ITEMS, WITH_TOPICS])
def test_many_questions_at_once_have_the_answers_of_one_at_a_time(items: list[Item]) -> None:
    held, compared = window(items), Compared(profile(items), SCORER)
    sizes = (1, 2, 3, 9, 70, 155)
    labels = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes).astype(np.int32)
    known = groups_of(labels, held.placed)
    rows = np.tile(np.arange(0, 240, 7), len(sizes))
    asked = np.unique(labels).astype(np.int64)

    told, _ = answers(
        held, SCORER, MEMBERSHIP, known, questions(asked, np.full(len(sizes), len(rows) // len(sizes)), rows)
    )

    one_by_one = [
        MEMBERSHIP.probabilities(
            membership_parts(compared, np.arange(0, 240, 7), np.flatnonzero(labels == label))
        )
        for label in asked
    ]
    assert np.allclose(told, np.concatenate(one_by_one), atol=5e-3)


def test_pairs_joined_many_at_a_time_make_the_groups_of_one_at_a_time() -> None:
    items = [item for item in ITEMS if "/" not in item.organisation or item.organisation.endswith("b0")]
    held = window(items)
    pairs = edges.pairs_of(held, SCORER)
    links: dict[int, dict[int, float]] = {row: {} for row in range(len(items))}
    for one, other, probable in zip(*(part.tolist() for part in edges.ends(pairs)), strict=True):
        links[one][other] = links[other][one] = probable

    labels = np.arange(len(items), dtype=np.int32)
    found = join_all(pairs, labels, held.placed, [], [], SCORER.join)
    state = begin(items, profile(items), links, {}, Constraints())
    join_pairs(state, SCORER.join)

    groups = {frozenset(np.flatnonzero(found == label).tolist()) for label in np.unique(found)}
    assert groups == {frozenset(rows) for rows in state.members.values()}
    assert len(groups) < len(items)


def test_the_order_of_the_pairs_does_not_change_what_joins() -> None:
    held = window(ITEMS)
    # Few kinds of probability, so that many pairs are each other's equals.
    pairs = edges.pairs_of(held, SCORER) & ~np.uint64(0x3FFF) | np.uint64(0x2000)
    labels = np.arange(len(ITEMS), dtype=np.int32)

    found = [
        join_all(some, labels, held.placed, [], [], SCORER.join)
        for some in (pairs, pairs[::-1].copy(), DRAW.permutation(pairs))
    ]

    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert len(np.unique(found[0])) < len(ITEMS) / 2


def test_the_order_of_the_posts_does_not_change_a_large_window() -> None:
    forward = wide(in_order(ITEMS), None, SCORER, MEMBERSHIP)
    backward = wide(in_order(ITEMS[::-1]), None, SCORER, MEMBERSHIP)

    assert [group.keys for group in forward] == [group.keys for group in backward]


def test_what_a_person_said_holds_in_a_large_window() -> None:
    keys = [item.key for item in ITEMS]
    said = Constraints(
        must=[MustLink(keys[row], keys[row + 50]) for row in range(0, 40, 4)],
        cannot=[CannotLink(keys[row], keys[row + 1]) for row in range(1, 160, 2)],
    )
    pinned = {keys[200]: "first", keys[201]: "second", keys[202]: "first"}

    groups = wide(in_order(ITEMS), None, SCORER, MEMBERSHIP, fixed=pinned, constraints=said)

    where = {key: number for number, group in enumerate(groups) for key in group.keys}
    assert sorted(where) == sorted(keys)
    assert all(where[link.left] == where[link.right] for link in said.must)
    assert not any(where[link.left] == where[link.right] for link in said.cannot)
    assert {key: groups[where[key]].kept for key in pinned} == pinned


def test_every_run_of_a_history_keeps_what_a_person_said_in_large_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (clustering, territory):
        monkeypatch.setattr(module, "WHOLE", 4)

    results = [history(seed) for seed in range(15)]

    assert sum(asked for asked, _ in results) > 60
    assert sum(broken for _, broken in results) == 0


def test_a_member_of_a_large_window_is_judged_as_in_a_small_one() -> None:
    groups = wide(in_order(ITEMS), None, SCORER, MEMBERSHIP)
    large = max(groups, key=lambda group: len(group.members))
    rows = [row for row, item in enumerate(ITEMS) if item.key in set(large.keys)]

    probable = SCORER.between(profile(ITEMS), np.array(rows), np.array(rows))
    np.fill_diagonal(probable, -1)
    expected = -np.sort(-probable, axis=1)[:, :3].mean(axis=1)

    assert [member.key for member in large.members] == list(large.keys)
    assert np.allclose([member.probability for member in large.members], expected, atol=5e-3)


def test_numbers_outside_of_the_unit_are_cut() -> None:
    assert fixed(np.array([-2.0, 0.0, 3.0])).tolist() == [-32767, 0, 32767]
