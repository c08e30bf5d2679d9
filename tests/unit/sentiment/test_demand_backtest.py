"""Grouping a stored window under other settings beside the present ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from api.commands.backtest_demands import compared
from sentiment.demand.backtest import Models, backtest, present_models, read_models, shared
from sentiment.demand.beside import first_story
from sentiment.demand.measures import board_auc
from sentiment.demand.scoring import TABLE
from tests.support.wording import an_item

NOW = datetime(2026, 3, 31, tzinfo=UTC)
TODAY = NOW.timestamp() / 86_400
ITEMS = [
    an_item(f"{topic}-{number}", topic=topic, day=TODAY - number, author=f"author-{number}")
    for topic in range(2)
    for number in range(12)
]


def test_a_candidate_that_never_joins_proposes_nothing_beside_the_present_settings() -> None:
    present = present_models()
    strict = Models(
        replace(present.scorer, join=1.1),
        replace(present.membership, belongs=1.1, merges=1.1),
        present.cohesion,
    )

    figures = compared(
        ITEMS,
        {"present": present, "candidate": strict},
        NOW,
        nights=3,
        window=timedelta(days=30),
        people=10,
    )

    assert figures["candidate"]["proposed"] == 0
    assert figures["present"]["proposed"] >= figures["present"]["in_both"] == 0
    assert figures["present"]["grouped"] > figures["candidate"]["grouped"] == 0


def test_the_shipped_table_as_a_candidate_does_what_the_present_settings_do() -> None:
    figures = compared(
        ITEMS,
        {"present": present_models(), "candidate": read_models(TABLE)},
        NOW,
        nights=2,
        window=timedelta(days=30),
        people=10,
    )

    assert figures["candidate"] == figures["present"]
    assert figures["present"]["proposed"] == figures["present"]["in_both"]


def test_a_post_that_the_window_has_left_is_not_grouped() -> None:
    old = backtest(ITEMS, present_models(), nights=[TODAY + 100], window=30, people=10)

    assert (old.grouped, old.proposed, old.kept) == (0, (), None)


def test_a_table_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")

    with pytest.raises(KeyError):
        read_models(tmp_path / "other.json")


def test_proposals_are_shared_if_half_of_their_posts_are() -> None:
    one = [frozenset("abcd"), frozenset("xy")]

    assert shared(one, [frozenset("abc"), frozenset("xz")]) == 1


def test_the_first_story_of_a_post_is_the_one_it_says_the_same_as() -> None:
    said = [
        replace(item, terms=np.array([8 + 8 * int(item.key[0])], dtype=np.uint32), key=item.key)
        for item in ITEMS
    ]
    ordered = sorted(said, key=lambda item: (item.day, item.key))

    found = first_story(ordered, 0.9)

    assert len({label for item, label in zip(ordered, found, strict=True) if item.key[0] == "0"}) == 1
    assert len(set(found)) == 2


def test_the_area_of_a_board_by_hand() -> None:
    gold = ["a", "a", "b", "b", None]
    boards = ["x", "x", "x", "y", "x"]
    alike = np.zeros((5, 5), dtype=np.float32)
    alike[0, 1] = alike[1, 0] = 0.5
    alike[0, 2] = alike[2, 0] = 0.1
    alike[1, 2] = alike[2, 1] = 0.9

    assert board_auc(gold, boards, alike) == pytest.approx(0.5)
    assert board_auc(["a", None], ["x", "x"], alike[:2, :2]) is None
