import numpy as np

from sentiment.demand.clustering import Group, cluster
from sentiment.demand.cohesion import load_cohesion, together
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import Item, load_scorer
from tests.support.wording import an_item


def grouped(items: list[Item], fixed: dict[str, str] | None = None) -> list[Group]:
    return cluster(items, load_scorer(), load_membership(), fixed=fixed, cohesion=load_cohesion())


def test_posts_of_one_matter_hold_together() -> None:
    [group] = grouped([an_item(f"p{number:02}", day=number / 10) for number in range(12)])

    assert group.cohesion >= load_cohesion().proposes


def test_posts_that_share_only_their_board_and_week_do_not_hold_together() -> None:
    items = [an_item(f"p{number:02}", topic=number % 6, day=number / 10) for number in range(12)]

    [group] = grouped(items, fixed={item.key: "one" for item in items})

    assert len(group.members) == 12
    assert group.cohesion < load_cohesion().proposes


def test_a_post_alone_is_not_asked() -> None:
    [group] = grouped([an_item("p01")])

    assert group.cohesion == 1


def test_weeks_between_posts_speak_against_a_group_and_hours_do_not() -> None:
    each = np.full(12, 0.5, dtype=np.float32)

    def probability(days: float) -> float:
        return load_cohesion().probability(together(each, each, np.linspace(0.0, days, 12)))

    assert probability(0.01) == probability(0.9)
    assert probability(28.0) < probability(2.0)
