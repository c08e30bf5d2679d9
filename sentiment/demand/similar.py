"""Find the demands that a text belongs to while it is being written.

It answers with demands and never with posts, and keeps nothing of the text. Whether a demand may be
told of at all (enough people, charter, 5) is asked by the caller, of the records as they are then.

Neighbours: `pipeline` reads the text as it would be read once published; `items` gives the members.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from sentiment.demand import naming
from sentiment.demand.grouping import item_of
from sentiment.demand.refining import Compared, load_membership, membership_parts
from sentiment.demand.scoring import Item, load_scorer, parts, profile
from sentiment.pipeline import Reader

COMPARED: Final = 48
"""Newest posts of a demand that a text is compared with."""

LOOKED_AT: Final = 5
"""Demands that are looked at closely: the nearest by single posts."""

KEY: Final = "draft"


@dataclass(frozen=True, slots=True)
class Likeness:
    """A demand and the probability, in [0, 1], that a text belongs to it."""

    demand: str
    probability: float


def item_of_text(reader: Reader, text: str, organisation: str, now: datetime) -> Item:
    """Return a text as an item, as if it were posted now by nobody known."""
    read = reader.read([text], [organisation])[0]
    return item_of(
        key=KEY,
        author=KEY,
        organisation=organisation,
        posted=now,
        text=text,
        vector=read.vector,
        domain=read.domain,
        domain_probability=read.domain_probability,
        need=read.need,
        place=read.place.name if read.place else None,
    )


def ranked(draft: Item, demands: Mapping[str, Sequence[Item]]) -> list[Likeness]:
    """Return the demands that are nearest to `draft`, the likeliest first; at most five.

    First by the mean probability with its three nearest posts, then, for the nearest, as a post and a
    whole group are compared by the grouping itself.
    """
    posts = [(demand, item) for demand, items in sorted(demands.items()) for item in items]
    if not posts:
        return []
    size = len(draft.vector)
    fitting = [item if len(item.vector) == size else _without_vector(item, size) for _, item in posts]
    profiles = profile([draft, *fitting])
    others = np.arange(1, len(posts) + 1, dtype=np.int64)
    probable = load_scorer().probabilities(parts(profiles, np.zeros(1, dtype=np.int64), others))[0]
    near: dict[str, list[float]] = {}
    for (demand, _), value in zip(posts, probable.tolist(), strict=True):
        near.setdefault(demand, []).append(value)
    first = sorted(near, key=lambda one: (-float(np.mean(sorted(near[one])[-3:])), one))[:LOOKED_AT]
    membership = load_membership()
    compared = Compared(profiles, load_scorer()) if len(posts) < COMPARED * LOOKED_AT else None
    found = []
    for demand in first:
        rows = np.array([row + 1 for row, (one, _) in enumerate(posts) if one == demand], dtype=np.int64)
        if compared is None:
            few = profile([draft, *(fitting[row - 1] for row in rows.tolist())])
            asked, group = Compared(few, load_scorer()), np.arange(1, len(rows) + 1, dtype=np.int64)
        else:
            asked, group = compared, rows
        told = membership.probabilities(membership_parts(asked, np.zeros(1, dtype=np.int64), group))
        found.append(Likeness(demand, round(float(told[0]), 4)))
    return sorted(found, key=lambda one: (-one.probability, one.demand))


def belongs(likeness: Likeness) -> bool:
    """Return whether the grouping itself would put such a post there."""
    return likeness.probability >= load_membership().belongs


def _without_vector(item: Item, size: int) -> Item:
    return Item(
        key=item.key,
        author=item.author,
        organisation=item.organisation,
        day=item.day,
        terms=item.terms,
        topics=item.topics,
        vector=np.zeros(size, dtype=np.float32),
        domain=item.domain,
        need=item.need,
        copy_of=item.copy_of,
        place=item.place,
    )


def told_title(terms: Sequence[str], said: Sequence[tuple[str, str]], k: int, otherwise: str) -> str:
    """Return a name that may be told to anybody: of words alone that at least `k` people used.

    Parameters
    ----------
    terms
        The demand's own words, the most telling first.
    said
        For each post its author and its text.
    k
        People who must have used a word, >= 1.
    otherwise
        What it is called where no word is said by so many: its domain.
    """
    people: dict[str, set[str]] = {term: set() for term in terms}
    for author, text in said:
        for term in terms:
            if term in text:
                people[term].add(author)
    return naming.title([term for term in terms if len(people[term]) >= k], None, otherwise)
