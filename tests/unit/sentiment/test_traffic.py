"""How busy a board is, and what that says of two posts which stand there side by side."""

import numpy as np
import pytest

from sentiment.demand import clustering, refining
from sentiment.demand.clustering import cluster
from sentiment.demand.cohesion import load_cohesion
from sentiment.demand.columns import Columns, compact
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import Item, load_scorer, profile
from sentiment.demand.traffic import QUIET_ALL, QUIET_BOARD, Traffic
from tests.support.wording import an_item

SCORER, MEMBERSHIP, COHESION = load_scorer(), load_membership(), load_cohesion()
MATTER = [an_item(f"one-{number:02}", day=100 + number / 1000) for number in range(12)]


def strangers(count: int, day: float = 100.0, organisation: str = "gd/campus-a") -> list[Item]:
    """Return posts of one board and hour, each about something else."""
    draw = np.random.default_rng(count)
    found = []
    for number in range(count):
        one = an_item(f"other-{number:03}", topic=1 + number, organisation=organisation, day=day)
        vector, topics = draw.normal(size=(2, len(one.vector))).astype(np.float32)
        domain = np.roll(an_item("any").domain, number % 10)
        found.append(
            Item(
                one.key, one.author, one.organisation, one.day + number / 10_000, one.terms,
                topics / np.linalg.norm(topics), vector / np.linalg.norm(vector), domain, one.need,
            )
        )  # fmt: skip
    return found


def proposed(items: list[Item]) -> list[set[str]]:
    """Return the groups of ten people and more that hold together."""
    return [
        {member.key for member in group.members}
        for group in cluster(items, SCORER, MEMBERSHIP, cohesion=COHESION)
        if len(group.members) >= 10 and group.cohesion >= COHESION.proposes
    ]


def test_a_quiet_board_is_not_busy() -> None:
    profiles = profile([*MATTER, *strangers(3)])

    assert not profiles.board_busy[: len(MATTER)].any()
    assert not profiles.all_busy.any()


def test_how_busy_a_board_is_follows_from_the_posts_of_other_domains_a_day() -> None:
    items = strangers(100)
    board = 90 * 2 / 3  # Nine of ten are of another domain; three half days are looked at.

    profiles = profile(items)

    assert np.allclose(profiles.board_busy, np.log(board / QUIET_BOARD), atol=0.02)
    assert np.allclose(profiles.all_busy, np.log(board / QUIET_ALL), atol=0.02)


def test_a_demand_of_which_everybody_speaks_does_not_make_its_own_board_busy() -> None:
    burst = [an_item(f"p{number:03}", day=100.0) for number in range(300)]

    assert not profile(burst).board_busy.any()


def test_what_came_days_before_or_stands_elsewhere_makes_no_board_busy() -> None:
    before, elsewhere = strangers(100, day=90.0), strangers(101, organisation="gd/campus-b")

    for others in (before, elsewhere):
        assert not profile([*others, *MATTER]).board_busy[-len(MATTER) :].any()


def test_what_is_let_go_is_not_counted_any_more() -> None:
    traffic, marks = Traffic(), Traffic.marks(strangers(100))
    traffic.add(marks)
    traffic.add(marks, -1)

    assert not np.concatenate(traffic.busy(marks)).any()


@pytest.mark.parametrize("whole", [True, False], ids=["every pair", "a large window"])
def test_strangers_of_a_busy_board_and_hour_are_not_proposed(
    whole: bool,  # noqa: FBT001 - one case each
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not whole:
        monkeypatch.setattr(clustering, "WHOLE", 10)
        monkeypatch.setattr(refining, "WHOLE", 10)

    assert proposed(strangers(120)) == []


@pytest.mark.parametrize("whole", [True, False], ids=["every pair", "a large window"])
def test_a_matter_among_them_still_is(
    whole: bool,  # noqa: FBT001 - one case each
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not whole:
        monkeypatch.setattr(clustering, "WHOLE", 10)
        monkeypatch.setattr(refining, "WHOLE", 10)

    [found] = proposed([*MATTER, *strangers(120)])

    assert {item.key for item in MATTER} <= found
    assert len(found) <= len(MATTER) + 2


def test_a_part_of_a_window_knows_how_busy_the_whole_is() -> None:
    whole = Columns([*MATTER, *strangers(100)])
    traffic = Traffic()
    traffic.add(whole.marks())

    part = compact(Columns(MATTER), lambda terms: np.ones(len(terms), dtype=np.float32), traffic)

    assert np.array_equal(part.board_busy, compact(whole).board_busy[: len(MATTER)])
    assert part.board_busy.min() > 1
