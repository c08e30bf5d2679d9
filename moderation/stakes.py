"""Tell from which probability on a decision about a post would be another: what is at stake in it.

A probability matters only where it reaches a band. So a classifier that knows how far its costly part
could lift a probability need not run it where no band is in reach: the decision is the same, only
cheaper. A post that rules hold is read in full, because a person will see it.

The module is pure and follows `policy`, whose words it uses; tests/property/test_policy.py holds that
whatever lies below the bars given here changes no decision. It never lets a post pass: it says what to ask.

Neighbours: `pipeline` asks it, and the bundle heeds it (`learning.encoder.SparingBundle`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from models.vocabulary import Category
from moderation.policy import Evidence, Policy, excused
from moderation.rules import Hit, Rule, RuleAction

Bars = tuple[float, ...]
"""For each category the lowest probability that may change a decision, in the order of `Category`."""

_READ_IN_FULL: Final = (0.0,) * len(Category)
_Known = tuple[bool, bool, bool, frozenset[Category]]


class Stakes:
    """Bars for posts, under some policies at once. Safe to share between threads.

    Parameters
    ----------
    policies
        The policy that decides, and any that is on trial.
    behaviours
        The rules on behaviour, which are heeded only after the classifier was asked: of their categories
        no probability is excused, and the lower band counts.
    """

    def __init__(self, policies: Sequence[Policy], behaviours: Iterable[Rule] = ()) -> None:
        self._policies = tuple(policies)
        self._later = frozenset(rule.category for rule in behaviours)
        self._known: dict[_Known, Bars] = {}

    def bars(self, evidence: Evidence) -> Bars:
        """Return the bars of a post; its probabilities are not looked at.

        Each is in [0, 1], or infinite where no probability of the category changes anything. All are 0 where
        rules alone hold the post.
        """
        hits = (*evidence.hits, *evidence.silent)
        if hits and self._held_by(hits):
            return _READ_IN_FULL
        signalled = frozenset(hit.rule.category for hit in hits)
        known = (evidence.about_words, evidence.gathers, evidence.little, signalled)
        bars = self._known.get(known)
        if bars is None:
            bars = tuple(self._bar(category, evidence, signalled) for category in Category)
            self._known[known] = bars
        return bars

    def _held_by(self, hits: Sequence[Hit]) -> bool:
        if any(hit.rule.action is not RuleAction.SIGNAL for hit in hits):
            return True
        signals = Counter(category for category, _ in {(hit.rule.category, hit.rule.id) for hit in hits})
        return max(signals.values()) >= min(policy.signals for policy in self._policies)

    def _bar(self, category: Category, evidence: Evidence, signalled: frozenset[Category]) -> float:
        bands = [policy.bands[category] for policy in self._policies]
        if category in self._later:
            return min(band.with_signal for band in bands)
        if excused(category, evidence, signalled=category in signalled):
            return math.inf
        return min(band.with_signal if category in signalled else band.review for band in bands)
