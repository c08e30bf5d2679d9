"""Group a stored window under other settings beside the present ones, night by night. Pure.

A candidate is a table in the form of `sentiment/tables/grouping.json`. Both go over the same posts, each
night over those of the window that had come by then, and what either would have proposed, and in which
night, is set side by side. Nothing that people corrected is used, so that both begin alike.

It changes nothing: a candidate is taken by shipping its table.

Neighbours: `api/commands/backtest_demands.py` reads the posts and shows the result; `clustering` groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentiment.demand.clustering import Group, cluster
from sentiment.demand.cohesion import Cohesion, load_cohesion, read_cohesion
from sentiment.demand.refining import Membership, load_membership, read_membership
from sentiment.demand.scoring import Item, Scorer, load_scorer, read_scorer


@dataclass(frozen=True, slots=True)
class Models:
    """What the grouping decides by."""

    scorer: Scorer
    membership: Membership
    cohesion: Cohesion


@dataclass(frozen=True, slots=True)
class Run:
    """What one side did: how many posts stand in groups of three people at the end, and its proposals.

    `proposed` has for each proposal of the last night its posts, `nights` the first night in which most of
    them were proposed, counted from 0. `kept` is the share of pairs of posts that stood together in a
    night and still do in the next, over all nights; None where there were none.
    """

    grouped: int
    proposed: tuple[frozenset[str], ...]
    nights: tuple[int, ...]
    kept: float | None


def present_models() -> Models:
    """Return the models in force."""
    return Models(load_scorer(), load_membership(), load_cohesion())


def read_models(path: Path) -> Models:
    """Return the models of a table.

    Raises
    ------
    OSError, KeyError, ValueError
        If it cannot be read or is not in the form of the one that ships.
    """
    return Models(read_scorer(path), read_membership(path), read_cohesion(path))


def backtest(
    items: Sequence[Item], models: Models, *, nights: Sequence[float], window: float, people: int
) -> Run:
    """Return what `models` would have done with `items`.

    Parameters
    ----------
    nights
        When the window was grouped, in days since the epoch, increasing.
    window
        Days that a post stays in the window.
    people
        Distinct authors from which a group is proposed.
    """
    author = {item.key: item.author for item in items}
    proposed: list[frozenset[str]] = []
    first: dict[str, int] = {}
    before: dict[str, int] = {}
    stood = together = grouped = 0
    for number, night in enumerate(nights):
        there = [
            item for item in items if night - window < item.day <= night and item.need >= models.scorer.need
        ]
        groups = cluster(there, models.scorer, models.membership, cohesion=models.cohesion)
        now = {
            member.key: place
            for place, group in enumerate(groups)
            if len(group.members) > 1
            for member in group.members
        }
        old, still = _pairs_kept(before, now, {item.key for item in there})
        stood, together, before = stood + old, together + still, now
        large = [group for group in groups if _people(group, author) >= people]
        proposed = [
            frozenset(member.key for member in group.members)
            for group in large
            if group.cohesion >= models.cohesion.proposes
        ]
        for posts in proposed:
            for key in posts:
                first.setdefault(key, number)
        grouped = sum(len(group.members) for group in groups if _people(group, author) > 2)  # noqa: PLR2004
    nights_of = tuple(sorted(first[key] for key in posts)[len(posts) // 2] for posts in proposed)
    return Run(grouped, tuple(proposed), nights_of, together / stood if stood else None)


def _people(group: Group, author: Mapping[str, str]) -> int:
    return len({author[member.key] for member in group.members})


def _pairs_kept(before: Mapping[str, int], now: Mapping[str, int], there: set[str]) -> tuple[int, int]:
    """Return how many pairs of posts that are still there stood together, and how many of them do now."""
    held: dict[int, list[str]] = {}
    for key, group in before.items():
        if key in there:
            held.setdefault(group, []).append(key)
    stood = together = 0
    for keys in held.values():
        stood += len(keys) * (len(keys) - 1) // 2
        sizes: dict[int, int] = {}
        for key in keys:
            if key in now:
                sizes[now[key]] = sizes.get(now[key], 0) + 1
        together += sum(size * (size - 1) // 2 for size in sizes.values())
    return stood, together


def shared(one: Sequence[frozenset[str]], other: Sequence[frozenset[str]]) -> int:
    """Return how many proposals of `one` are in `other` too: half of the posts of either are in both."""
    return sum(any(2 * len(left & right) >= len(left | right) for right in other) for left in one)
