"""A large window at hand between two rounds: where to look for what a new post is near to."""

import numpy as np

from sentiment.demand import standing
from sentiment.demand.scoring import Item, load_scorer, profile
from sentiment.demand.standing import Standing
from tests.benchmark.demand_growth import made

SCORER = load_scorer()
ITEMS, _ = made(300)


def filled(items: list[Item], at_once: int = 7) -> Standing:
    window = Standing()
    for start in range(0, len(items), at_once):
        window.take([((item, ("热水",)), 1) for item in items[start : start + at_once]])
    return window


def test_the_nearest_posts_are_found_however_the_window_came_together() -> None:
    asked = ITEMS[100:104]
    probable = SCORER.between(profile(ITEMS), np.arange(100, 104), np.arange(300))
    expected = {
        ITEMS[row].key
        for one in probable
        for row in np.argsort(-one)[: standing.NEAREST]
        if one[row] >= standing.NEAR + 0.02
    }

    by_sevens = filled(ITEMS).near(asked, SCORER, since=0.0)
    at_once = filled(ITEMS, 300).near(asked, SCORER, since=0.0)

    # Words are weighed by those that came before them, so a post at the brink may fall on either side.
    assert len(expected - by_sevens) <= len(expected) // 20
    assert expected <= at_once
    assert {item.key for item in asked} <= by_sevens


def test_what_the_window_has_left_is_not_found_and_falls_out() -> None:
    window = filled(ITEMS, 300)
    since = ITEMS[200].day

    near = window.near(ITEMS[100:104], SCORER, since)
    assert near <= {item.key for item in ITEMS if item.day >= since}

    window.leave(ITEMS[-1].day + 1)
    assert len(window) == 0
    assert window.everywhere({"热水"}) == {"热水": 0}


def test_a_revision_is_known_once_it_was_taken() -> None:
    window = filled(ITEMS[:10])

    assert window.knows(ITEMS[0].key, 1)
    assert not window.knows(ITEMS[0].key, 2)
    assert not window.knows(ITEMS[20].key, 1)
    assert window.everywhere({"热水", "饭卡"}) == {"热水": 10, "饭卡": 0}
