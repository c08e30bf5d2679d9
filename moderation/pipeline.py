"""Screen posts: normalise, rules, classifier, policy, in batches.

One code path serves HTTP, batches, files and re-screening. It is pure: the same texts under the
same rulebook, bundle and policy have the same outcomes, in any thread and in any batch. It keeps
nothing of any text.

Where a post is disguised, the classifier also reads it without the disguise, and the higher
probability of each harm counts: a disguise never makes a post look better.

A classifier that can be spared is asked closely only where its answer could change the decision (`stakes`).
The other probabilities of such a post come from its first stage; decisions and reasons are the same.

Neighbours: `intake` and `screening` call it and record what it says; `policy` decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeGuard

import numpy as np

from learning.bundle import Bundle
from learning.encoder import SparingBundle
from models.errors import CharterViolation
from models.vocabulary import CLAUSES, Category, ReasonSource, Verdict
from moderation.context import gathers, says_little, talks_about_words
from moderation.door import activate
from moderation.normalise import Folded, fold
from moderation.policy import Evidence, Policy, decide, load_policy
from moderation.protected import Breach, ProtectedText, described, load_suite
from moderation.rulebook import Rulebook, read_rulebook
from moderation.rules import Hit, Rule, Span
from moderation.settings import SHIPPED_RULEBOOKS, SHIPPED_SUITE, ModerationSettings
from moderation.stakes import Bars, Stakes

BANDS: Final = "bands"
BUNDLE: Final = "bundle"
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
class Standing:
    """What holds on top of rulebook, policy and bundle: an edition (`editions`), as a screener needs it.

    `retired` rules are not heeded at all. `silent` rules, `policy` and `bundle` run in shadow: they are
    asked about every post, and no verdict heeds them. `mark` names the edition in every screening.
    """

    mark: str = ""
    retired: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    policy: Policy | None = None
    bundle: Bundle | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What something that runs in shadow would have answered about a post. It changed nothing.

    `subject` is a rule's id, `BANDS` for thresholds, or `BUNDLE` for a classifier.
    """

    subject: str
    verdict: Verdict


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
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    """What the policy was given; it goes no further than intake."""
    trials: tuple[Trial, ...] = field(default=(), repr=False, compare=False)

    @property
    def hits(self) -> Sequence[Hit]:
        """The rules that hit, the signals among them."""
        return self.evidence.hits if self.evidence else ()


def _unheeded(view: Folded) -> Evidence:
    """Return what a post itself is evidence of, before any rule is heeded and the classifier asked."""
    return Evidence(
        (),
        None,
        about_words=talks_about_words(view),
        gathers=gathers(view),
        little=says_little(view),
    )


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
    standing
        Which rules are retired, and what runs in shadow.
    sparing
        Whether the classifier may be spared where no decision hangs on it. Without, every probability is
        the full one: that is for measuring.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        policy: Policy,
        bundle: Bundle | None,
        standing: Standing | None = None,
        *,
        sparing: bool = True,
    ) -> None:
        self.rulebook = rulebook
        self.policy = policy
        self.bundle = bundle
        self.standing = standing or Standing()
        trial = self.standing.policy
        self._stakes = (
            Stakes([policy] if trial is None else [policy, trial], rulebook.behaviours) if sparing else None
        )

    @property
    def revision(self) -> str:
        """Names exactly the rules that run: the packs' content, and the edition on top of it."""
        return f"{self.rulebook.revision}{self.standing.mark}"

    def pinned(self) -> "Screener":
        """Return a screener that stays the same for the whole of a batch. This one does anyway."""
        return self

    def screen(self, texts: Sequence[str]) -> list[Outcome]:
        """Return an outcome for each text, in the order of the texts."""
        folded, evidence, bars = self._heeded(texts, self._stakes)
        evidence = _scored(evidence, _probabilities(self.bundle, texts, folded, bars))
        outcomes = [self._outcome(one) for one in evidence]
        trial = self.standing.bundle
        if trial is None:
            return outcomes
        scores = _probabilities(trial, texts, folded, bars)
        return [
            replace(
                outcome,
                trials=(
                    *outcome.trials,
                    Trial(BUNDLE, decide(replace(one, probabilities=found), self.policy).verdict),
                ),
            )
            for outcome, one, found in zip(outcomes, evidence, scores, strict=True)
        ]

    def evidence(self, texts: Sequence[str]) -> list[Evidence]:
        """Return what any policy would be given about each text, with every probability in full."""
        folded, evidence, _ = self._heeded(texts, None)
        return _scored(evidence, _probabilities(self.bundle, texts, folded, None))

    def _heeded(
        self, texts: Sequence[str], stakes: Stakes | None
    ) -> tuple[list[Folded], list[Evidence], list[Bars] | None]:
        """Return the texts folded, all evidence but the probabilities, and the bars for these."""
        folded = [fold(text) for text in texts]
        evidence = [self._heeding(_unheeded(view), self.rulebook.hits(view)) for view in folded]
        return folded, evidence, None if stakes is None else [stakes.bars(one) for one in evidence]

    def _heeding(self, evidence: Evidence, hits: Sequence[Hit]) -> Evidence:
        """Return the evidence with further hits: of retired rules none, of silent ones set apart."""
        standing = self.standing
        if not hits:
            return evidence
        if not (standing.retired or standing.silent):
            return replace(evidence, hits=(*evidence.hits, *hits))
        left = [hit for hit in hits if hit.rule.id not in standing.retired]
        return replace(
            evidence,
            hits=(*evidence.hits, *(hit for hit in left if hit.rule.id not in standing.silent)),
            silent=(*evidence.silent, *(hit for hit in left if hit.rule.id in standing.silent)),
        )

    @property
    def behaviours(self) -> tuple[Rule, ...]:
        """The rules that look at how posts come."""
        return self.rulebook.behaviours

    def reconsidered(self, outcome: Outcome, hits: Sequence[Hit]) -> Outcome:
        """Return the outcome with further hits in evidence. An outcome without evidence stays as it is."""
        if outcome.evidence is None:
            return outcome
        seen = self._outcome(self._heeding(outcome.evidence, hits))
        kept = tuple(trial for trial in outcome.trials if trial.subject == BUNDLE)
        return replace(seen, trials=(*seen.trials, *kept)) if kept else seen

    def _trials(self, evidence: Evidence) -> tuple[Trial, ...]:
        """Return what the silent rules, one by one, and the thresholds on trial would have answered."""
        standing = self.standing
        if not evidence.silent and standing.policy is None:
            return ()
        found = [
            Trial(hit.rule.id, decide(replace(evidence, hits=(*evidence.hits, hit)), self.policy).verdict)
            for hit in evidence.silent
        ]
        if standing.policy is not None:
            found.append(Trial(BANDS, decide(evidence, standing.policy).verdict))
        return tuple(found)

    def _outcome(self, evidence: Evidence) -> Outcome:
        decision = decide(evidence, self.policy)
        probabilities = evidence.probabilities
        reasons = [
            Reason(_source(hit), hit.rule.id, hit.rule.category, hit.rule.clause, hit.spans, None)
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
            rulebook=self.revision,
            bundle=self.bundle.name if self.bundle else None,
            policy=self.policy.version,
            evidence=evidence,
            trials=self._trials(evidence),
        )


def _scored(
    evidence: Sequence[Evidence], probabilities: Sequence[Mapping[Category, float] | None]
) -> list[Evidence]:
    """Return the evidence with its probabilities."""
    return [
        Evidence(one.hits, scores, one.about_words, one.silent, one.gathers, one.little)
        for one, scores in zip(evidence, probabilities, strict=True)
    ]


def _probabilities(
    bundle: Bundle | None, texts: Sequence[str], folded: Sequence[Folded], bars: Sequence[Bars] | None
) -> list[Mapping[Category, float] | None]:
    if bundle is None:
        return [None] * len(texts)
    if not texts:
        return []
    bare = {place: view.joined for place, view in enumerate(folded) if _is_disguised(view)}
    asked = [*texts, *bare.values()]
    if bars is not None and _can_be_spared(bundle):
        scores = bundle.harms_from(asked, np.array([*bars, *(bars[place] for place in bare)]))
    else:
        scores = bundle.harms(asked)
    result = np.array(scores[: len(texts)], dtype=np.float64)
    for row, place in enumerate(bare, start=len(texts)):
        result[place] = np.fmax(result[place], scores[row])
    return [dict(zip(_CATEGORIES, row, strict=True)) for row in result.tolist()]


def _can_be_spared(bundle: Bundle) -> TypeGuard[SparingBundle]:
    # Asked of every batch; the protocol itself would look at each of its members every time.
    return hasattr(bundle, "harms_from")


def _source(hit: Hit) -> ReasonSource:
    return ReasonSource.RULE if hit.rule.behaviour is None else ReasonSource.BEHAVIOUR


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


def admitted(screener: Screener, suite: Sequence[ProtectedText]) -> Screener:
    """Return a screener once its rules, thresholds and bundle have passed the door together.

    What runs in shadow passes as if it counted: a rule that may not hold a text may not look for it either.

    Raises
    ------
    ConfigurationError
        If a rule fails a test of its own.
    CharterViolation
        If rules, thresholds or bundle would act on a protected text; the message names it.
    """
    standing = screener.standing
    policies = [screener.policy] + ([standing.policy] if standing.policy else [])
    for policy in policies:
        activate(screener.rulebook, policy, suite, without=standing.retired)
        # Whatever may come to hold together later has passed together.
        for bundle in [screener.bundle] + ([standing.bundle] if standing.bundle else []):
            if bundle is None:
                continue
            whole = Screener(screener.rulebook, policy, bundle, Standing(retired=standing.retired))
            broken = protected_breaches(whole, suite)
            if broken:
                raise CharterViolation("protected texts would be acted upon:\n" + described(broken))
    return screener


def load_screener(
    settings: ModerationSettings, bundle: Bundle | None, *, has_passed: bool = False
) -> Screener:
    """Return a screener whose rulebook, thresholds and bundle have passed the door together.

    `has_passed` says that the very same have passed before (`api/passes.py` knows), and spares it.

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
    screener = Screener(read_rulebook([SHIPPED_RULEBOOKS], operator), policy, bundle)
    return screener if has_passed else admitted(screener, suite)
