"""Are a handful of accounts posting in concert? Pure.

Many people who say the same, in the same words too, are a demand (charter, 2). A handful of accounts
that again and again post nearly the same text within minutes of each other are one voice: they are
flagged, and count once. It takes at least three occasions between the same two accounts, so whoever
copies a petition once, or says the same as others every day, is never meant.

It refuses to look beyond one demand and keeps nothing: who they are is not told, only how many.

Neighbours: `grouping` counts people with it; the card says how many accounts were folded.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

BURST: Final = timedelta(minutes=10)
"""Within this time two posts are one occasion."""

ALIKE: Final = 0.8
"""Share of words in common (Jaccard) from which two texts are nearly the same."""

FEWEST_WORDS: Final = 3
"""Words that both texts have at least; shorter ones are alike by chance."""

OCCASIONS: Final = 3
"""Occasions between two accounts from which they post in concert."""

HANDFUL: Final = 9
"""Accounts up to which a ring is a handful. More than that are many people."""


@dataclass(frozen=True, slots=True)
class Said:
    """One post of a demand: its author's opaque key, when, and its words."""

    author: str
    at: datetime
    words: frozenset[str]


def rings(posts: Sequence[Said]) -> list[frozenset[str]]:
    """Return the sets of 2 to 9 accounts that post in concert, in a fixed order."""
    often = {author for author, count in Counter(one.author for one in posts).items() if count >= OCCASIONS}
    ordered = sorted((one for one in posts if one.author in often), key=lambda one: (one.at, one.author))
    met: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for first, left in enumerate(ordered):
        for second in range(first + 1, len(ordered)):
            right = ordered[second]
            if right.at - left.at > BURST:
                break
            if left.author != right.author and _alike(left.words, right.words):
                pair = (first, second) if left.author < right.author else (second, first)
                met[ordered[pair[0]].author, ordered[pair[1]].author].append(pair)
    linked = [
        accounts
        for accounts, occasions in met.items()
        if min(len({one for one, _ in occasions}), len({other for _, other in occasions})) >= OCCASIONS
    ]
    return [ring for ring in _together(linked) if len(ring) <= HANDFUL]


def _alike(left: frozenset[str], right: frozenset[str]) -> bool:
    shared = len(left & right)
    return shared >= FEWEST_WORDS and shared >= ALIKE * len(left | right)


def _together(pairs: Sequence[tuple[str, str]]) -> list[frozenset[str]]:
    """Return the connected sets that the pairs make."""
    sets: list[set[str]] = []
    for pair in pairs:
        touching = [one for one in sets if one & set(pair)]
        sets = [one for one in sets if one not in touching]
        sets.append(set(pair).union(*touching))
    return sorted((frozenset(one) for one in sets), key=sorted)


def voices(posts: Sequence[Said]) -> dict[str, str]:
    """Return for each account in a ring the one account of the ring that it is counted as."""
    return {author: min(ring) for ring in rings(posts) for author in ring}
