"""How much harm was missed among published posts, from a stratified sample. Pure.

Strata are bands of the classifier's highest probability of harm, so that a small sample looks more often
where something is to be found; the weights undo that.

Refuses: to guess where nobody looked. A band with posts and no answer widens the interval to all that is
possible there.

Neighbours: `quality` brings the counts; `precision` has the interval of one share.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from moderation.precision import Precision


@dataclass(frozen=True, slots=True)
class Stratum:
    """One band: the posts in it, those of them that were judged, and those that were harmful. Unit: posts.

    Raises
    ------
    ValueError
        Unless 0 <= harmful <= judged <= posts.
    """

    name: str
    posts: int
    judged: int
    harmful: int

    def __post_init__(self) -> None:
        if not 0 <= self.harmful <= self.judged <= self.posts:
            raise ValueError(f"need 0 <= harmful <= judged <= posts, got {self}")

    @property
    def share(self) -> float:
        """Harmful posts among the judged, in [0, 1]; 0 where nobody looked."""
        return self.harmful / self.judged if self.judged else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share by Wilson; all of [0, 1] where nobody looked."""
        return Precision(self.harmful, self.judged - self.harmful).interval or (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Missed:
    """An estimate of the harmful share of all posts, in [0, 1], with its 95 % interval.

    `covered` is the share of the posts that lie in bands in which somebody looked.
    """

    posts: int
    judged: int
    share: float
    low: float
    high: float
    covered: float


def missed_harm(strata: Iterable[Stratum]) -> Missed | None:
    """Return the estimate over all strata; None where there are no posts.

    The interval of the weighted sum is put together from the strata's own by the method of variance
    estimates recovery, which holds where a band had no harmful post at all.

    Source
    ------
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.
    """
    found = [one for one in strata if one.posts]
    posts = sum(one.posts for one in found)
    if posts == 0:
        return None
    share = below = above = covered = 0.0
    for one in found:
        weight = one.posts / posts
        low, high = one.interval
        share += weight * one.share
        if one.judged:
            covered += weight
            below += (weight * (one.share - low)) ** 2
            above += (weight * (high - one.share)) ** 2
    unseen = 1.0 - covered
    return Missed(
        posts=posts,
        judged=sum(one.judged for one in found),
        share=share,
        low=max(0.0, share - math.sqrt(below)),
        high=min(1.0, share + math.sqrt(above) + unseen),
        covered=covered,
    )
