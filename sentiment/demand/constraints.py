"""What a person said about which posts belong together. Pure, and above every probability.

A must-link binds two posts, a cannot-link parts them. Both are kept by every later run. Facts that
contradict each other are never settled silently: they are named, for a person to look at.

Neighbours: `clustering` obeys; `corrections` records the facts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MustLink:
    """These two belong to one demand."""

    left: str
    right: str


@dataclass(frozen=True, slots=True)
class CannotLink:
    """These two never belong to one demand."""

    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Constraints:
    """The facts of one run. Keys are those of the items that are grouped."""

    must: Sequence[MustLink] = field(default=())
    cannot: Sequence[CannotLink] = field(default=())

    def groups(self, keys: Iterable[str]) -> dict[str, str]:
        """Return for each key the first key, in the order given, of the group that must-links make."""
        leader = {key: key for key in keys}
        rank = {key: place for place, key in enumerate(leader)}

        def lead(key: str) -> str:
            while leader[key] != key:
                leader[key] = leader[leader[key]]
                key = leader[key]
            return key

        for link in self.must:
            if link.left in leader and link.right in leader:
                first, second = sorted((lead(link.left), lead(link.right)), key=rank.__getitem__)
                leader[second] = first
        return {key: lead(key) for key in leader}

    def contradictions(self, keys: Iterable[str]) -> list[CannotLink]:
        """Return the cannot-links between posts that must-links bind together."""
        groups = self.groups(keys)
        return [
            link
            for link in self.cannot
            if link.left in groups and link.right in groups and groups[link.left] == groups[link.right]
        ]
