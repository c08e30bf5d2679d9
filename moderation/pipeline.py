"""Screen posts: normalise, rules, classifier, policy, in batches.

One code path serves HTTP, batches, files and re-screening. It is pure: the same texts under the
same rulebook, bundle and policy have the same outcomes, in any thread and in any batch. It keeps
nothing of any text.

Where a post is disguised, the classifier also reads it without the disguise, and the higher
probability of each harm counts: a disguise never makes a post look better.

Neighbours: `intake` and `screening` call it and record what it says; `policy` decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from learning.bundle import Bundle
from models.errors import CharterViolation
from models.vocabulary import CLAUSES, Category, ReasonSource, Verdict
from moderation.context import talks_about_words
from moderation.normalise import Folded, fold
from moderation.policy import Evidence, Policy, decide, load_policy
from moderation.protected import Breach, ProtectedText, described, load_suite
from moderation.rulebook import Rulebook, activate, read_rulebook
from moderation.rules import Span
from moderation.settings import SHIPPED_RULEBOOKS, SHIPPED_SUITE, ModerationSettings

_CATEGORIES: Final = tuple(Category)
_NO_CLASSIFIER: Final = "no-classifier"


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that spoke for a verdict.

    `rule` is the rule's id, the bundle's name for a classifier, or a word of the policy. `spans` are
    in code points of the original text; a classifier's reason has none, it read the whole post.
    """

    source: ReasonSource
    rule: str
    category: Category | None
    clause: str | None
    spans: tuple[Span, ...]
    probability: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the service says about one post. `probabilities` is empty where no classifier was loaded."""

    verdict: Verdict
    category: Category | None
    reasons: tuple[Reason, ...]
    probabilities: Mapping[Category, float]
    rulebook: str
    bundle: str | None
    policy: str


class Screener:
    """Rulebook, bundle and policy together. Safe to call from any thread.

    Parameters
    ----------
    rulebook
        A rulebook that has been switched on.
    policy
        When evidence asks for a person.
    bundle
        The classifier, or None: then every verdict is at least hold.
    """

    def __init__(self, rulebook: Rulebook, policy: Policy, bundle: Bundle | None) -> None:
        self.rulebook = rulebook
        self.policy = policy
        self.bundle = bundle

    def screen(self, texts: Sequence[str]) -> list[Outcome]:
        """Return an outcome for each text, in the order of the texts."""
        folded = [fold(text) for text in texts]
        hits = [self.rulebook.hits(view) for view in folded]
        probabilities = self._probabilities(texts, folded)
        return [
            self._outcome(Evidence(found, scores, about_words=talks_about_words(view)))
            for found, scores, view in zip(hits, probabilities, folded, strict=True)
        ]

    def _probabilities(
        self, texts: Sequence[str], folded: Sequence[Folded]
    ) -> list[Mapping[Category, float] | None]:
        if self.bundle is None:
            return [None] * len(texts)
        if not texts:
            return []
        bare = {place: view.joined for place, view in enumerate(folded) if _is_disguised(view)}
        scores = self.bundle.harms([*texts, *bare.values()])
        result = np.array(scores[: len(texts)], dtype=np.float64)
        for row, place in enumerate(bare, start=len(texts)):
            result[place] = np.fmax(result[place], scores[row])
        return [dict(zip(_CATEGORIES, row, strict=True)) for row in result.tolist()]

    def _outcome(self, evidence: Evidence) -> Outcome:
        decision = decide(evidence, self.policy)
        probabilities = evidence.probabilities
        reasons = [
            Reason(ReasonSource.RULE, hit.rule.id, hit.rule.category, hit.rule.clause, hit.spans, None)
            for hit in decision.hits
        ]
        if probabilities is None:
            if not reasons:
                reasons.append(Reason(ReasonSource.POLICY, _NO_CLASSIFIER, None, None, (), None))
        else:
            name = self.bundle.name if self.bundle else ""
            reasons += [
                Reason(ReasonSource.CLASSIFIER, name, word, CLAUSES[word].number, (), probabilities[word])
                for word in decision.scored
            ]
        return Outcome(
            verdict=decision.verdict,
            category=decision.category,
            reasons=tuple(sorted(reasons, key=lambda reason: reason.category is not decision.category)),
            probabilities=MappingProxyType({}) if probabilities is None else probabilities,
            rulebook=self.rulebook.revision,
            bundle=self.bundle.name if self.bundle else None,
            policy=self.policy.version,
        )


def _is_disguised(view: Folded) -> bool:
    """Tell whether a post reads otherwise once its disguise is off: more than a few characters moved."""
    joined, plain = view.joined, view.plain
    return joined != plain and len(plain) - len(joined) >= max(2, len(plain) // 8)


def protected_breaches(screener: Screener, suite: Sequence[ProtectedText]) -> list[Breach]:
    """Return the protected texts that the screener would hold, remove or refer, and by what."""
    outcomes = screener.screen([text.text for text in suite])
    return [
        Breach(text, tuple(f"{reason.rule}/{reason.category}" for reason in outcome.reasons))
        for text, outcome in zip(suite, outcomes, strict=True)
        if outcome.verdict is not Verdict.PUBLISH
    ]


def load_screener(settings: ModerationSettings, bundle: Bundle | None) -> Screener:
    """Return a screener whose rulebook, thresholds and bundle have passed the door together.

    Raises
    ------
    ConfigurationError
        If a file cannot be used, or a rule fails a test of its own.
    CharterViolation
        If rules, thresholds or bundle would act on a protected text; the message names it.
    """
    policy = load_policy(settings.policy)
    suite = load_suite(SHIPPED_SUITE)
    operator = [settings.operator_rulebooks] if settings.operator_rulebooks else []
    screener = Screener(activate(read_rulebook([SHIPPED_RULEBOOKS], operator), policy, suite), policy, bundle)
    broken = protected_breaches(screener, suite) if bundle is not None else []
    if broken:
        raise CharterViolation("protected texts would be acted upon:\n" + described(broken))
    return screener
