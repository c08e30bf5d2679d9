"""Why do these posts belong together, and what would fall out if one were not there? Pure.

One post is taken away and every other is asked again whether it belongs, by the very models that put it
there. So an officer sees whether a demand hangs on a single post before it goes up.

It refuses to change anything: it answers a question on a card.

Neighbours: `scoring`, `refining` and `cohesion` are asked; `items` gives what they compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sentiment.demand.cohesion import cohesion_parts, load_cohesion
from sentiment.demand.refining import LARGEST, Compared, load_membership, membership_parts
from sentiment.demand.scoring import Item, load_scorer, profile

FEWEST = 3
"""Posts from which leaving one out says something."""


@dataclass(frozen=True, slots=True)
class Without:
    """A demand without one of its posts.

    Attributes
    ----------
    falls_out
        Posts that belonged with it and would not belong without it.
    authors
        Distinct people who are left, those whose posts fall out taken off.
    cohesion
        Probability that what is left is one demand, in [0, 1].
    proposes
        Whether that is enough for a proposal.
    """

    post: str
    falls_out: tuple[str, ...]
    authors: int
    cohesion: float
    proposes: bool


def without(items: Sequence[Item], members: Sequence[str], gone: str) -> Without | None:
    """Return the demand of `members` without the post `gone`.

    Parameters
    ----------
    items
        The members and, so that rare words are known as rare, other posts of the window. Keys are unique.
    members
        Keys of the demand's posts; of more than 256 the newest are asked.
    gone
        The key that is left out.

    Returns
    -------
    Without or None
        None where fewer than three posts are known, or `gone` is none of them.
    """
    ordered = sorted(items, key=lambda item: (item.day, item.key))
    inside = set(members)
    rows = [row for row, item in enumerate(ordered) if item.key in inside][-LARGEST:]
    place = next((row for row in rows if ordered[row].key == gone), None)
    if place is None or len(rows) < FEWEST:
        return None
    membership, cohesion = load_membership(), load_cohesion()
    compared = Compared(profile(ordered), load_scorer())
    every = np.array(rows, dtype=np.int64)
    rest = np.array([row for row in rows if row != place], dtype=np.int64)
    before = membership.probabilities(membership_parts(compared, rest, every))
    after = membership.probabilities(membership_parts(compared, rest, rest))
    out = [
        row
        for row, was, now in zip(rest.tolist(), before.tolist(), after.tolist(), strict=True)
        if was >= membership.belongs > now
    ]
    held = cohesion.probability(cohesion_parts(compared, membership, rest.tolist()))
    left = {ordered[row].author for row in rest.tolist() if row not in out}
    return Without(
        gone, tuple(ordered[row].key for row in out), len(left), round(held, 3), held >= cohesion.proposes
    )
