"""Run random histories of posts and corrections, and count the corrections that a run did not keep.

    python -m tests.benchmark.demand_histories [--histories 1000]

A history is a few dozen posts that come in turns, with what a person says between them: these two belong
together, those two do not. Every turn is grouped as the live job does it, on what stood before; every
fact said so far must hold in it. What the person says follows a truth that has nothing to do with what
the posts are like, so that the facts go against the probabilities. The last line is one JSON object.
"""

import argparse
import json
import random
import sys

from sentiment.demand import territory
from sentiment.demand.clustering import Group
from sentiment.demand.cohesion import load_cohesion
from sentiment.demand.constraints import CannotLink, Constraints, MustLink
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import Item, load_scorer
from tests.support.wording import an_item

BOARDS = ["gd", "gd/campus-a", "gd/campus-b"]
TURNS = 5
LIKELY = 0.4


def history(seed: int) -> tuple[int, int]:
    """Return how many facts were asked after over all turns of one history, and how many were not kept."""
    draw = random.Random(seed)  # noqa: S311 - drawn with a seed on purpose
    items: list[Item] = []
    truth: dict[str, int] = {}
    must: list[MustLink] = []
    cannot: list[CannotLink] = []
    stands: dict[str, str] = {}
    asked = broken = 0
    for _ in range(TURNS):
        fresh = _posts(draw, len(items))
        items += fresh
        truth |= {item.key: draw.randrange(3) for item in fresh}
        for _ in range(draw.randrange(4)):
            left, right = draw.sample(sorted(truth), 2)
            if truth[left] == truth[right]:
                must.append(MustLink(left, right))
            else:
                cannot.append(CannotLink(left, right))
        fixed = (
            {key: demand for key, demand in stands.items() if demand == "d0"}
            if draw.random() < LIKELY
            else {}
        )
        groups = territory.regroup(
            items,
            load_scorer(),
            load_membership(),
            stands=stands,
            fresh=[item.key for item in fresh],
            fixed=_free_of(fixed, must, cannot),
            constraints=Constraints(must, cannot),
            cohesion=load_cohesion(),
        )
        stands = _standing(groups)
        where = {member.key: number for number, group in enumerate(groups) for member in group.members}
        broken += sum(where[link.left] != where[link.right] for link in must)
        broken += sum(where[link.left] == where[link.right] for link in cannot)
        asked += len(must) + len(cannot)
    return asked, broken


def _posts(draw: random.Random, begun: int) -> list[Item]:
    return [
        an_item(
            f"p{begun + number:03}",
            topic=draw.randrange(3),
            organisation=draw.choice(BOARDS),
            day=draw.randrange(21),
        )
        for number in range(draw.randrange(2, 6))
    ]


def _free_of(fixed: dict[str, str], must: list[MustLink], cannot: list[CannotLink]) -> dict[str, str]:
    """Return the posts of a verified demand that no fact speaks of: facts take posts out of it first."""
    links: list[MustLink | CannotLink] = [*must, *cannot]
    said = {key for link in links for key in (link.left, link.right)}
    return {key: demand for key, demand in fixed.items() if key not in said}


def _standing(groups: list[Group]) -> dict[str, str]:
    return {
        member.key: group.kept or f"d{number}"
        for number, group in enumerate(groups)
        if len(group.members) > 1
        for member in group.members
    }


def main() -> None:
    """Run the histories and write what was kept."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--histories", type=int, default=1000)
    count = reader.parse_args().histories
    results = [history(seed) for seed in range(count)]
    asked, broken = sum(asked for asked, _ in results), sum(broken for _, broken in results)
    sys.stdout.write(
        json.dumps({"histories": count, "asked": asked, "kept": 1 - broken / max(asked, 1)}) + "\n"
    )


if __name__ == "__main__":
    main()
