"""Turn the evidence about one post into one verdict.

The policy is the only place where evidence becomes a decision. It is pure: same evidence and same
policy, same decision, with no clock, database or model. It is total: every evidence has a verdict.
It is monotone: more evidence never makes the verdict milder (tests/property/test_policy.py holds it
to that).

What no policy file can change is here: self-harm is referred and never a strike; no classifier
loaded means that the verdict is at least hold; an operator's rule at most holds; a rule removes by
itself only if its precision is proven to the published level, and no level below 0.98 is accepted;
a rule that refers belongs to self-harm.

Neighbours: `rules` and the bundle make the evidence, `screening` records the decision.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml

from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import Category, Verdict
from moderation.rules import Hit, RuleAction

LOWEST_LEVEL: Final = 0.98
"""Charter, 3: the least precision, at its lower 95 % bound, that a removal without a person needs."""

LOWEST_REVIEW: Final = 0.5
"""A band below this would hold posts that the classifier thinks harmless."""


@dataclass(frozen=True, slots=True)
class Band:
    """Probabilities at which a category asks for review, and for takedown. All inclusive.

    `with_signal` holds where a rule of the same category has signalled; `takedown` may be None.
    """

    review: float
    with_signal: float
    takedown: float | None = None

    def __post_init__(self) -> None:
        ceiling = 1.0 if self.takedown is None else self.takedown
        if not LOWEST_REVIEW <= self.with_signal <= self.review <= ceiling <= 1.0:
            raise ValueError(f"need {LOWEST_REVIEW} <= with_signal <= review <= takedown <= 1, got {self}")


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a rule may remove by itself: the lower 95 % bound of its precision, and where it was measured."""

    lower_bound: float
    measured_on: str


@dataclass(frozen=True, slots=True)
class Policy:
    """When evidence asks for a person, and when a machine may act alone."""

    version: str
    bands: Mapping[Category, Band]
    level: float = LOWEST_LEVEL
    signals: int = 2
    proven: Mapping[str, Proof] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        missing = [category.value for category in Category if category not in self.bands]
        if missing:
            raise ValueError(f"the policy lacks a band for {', '.join(missing)}")
        if self.bands[Category.SELF_HARM].takedown is not None:
            raise CharterViolation("a post about self-harm is never taken down by a machine")
        if not LOWEST_LEVEL <= self.level <= 1.0:
            raise CharterViolation(f"the level of precision for a removal may not be below {LOWEST_LEVEL}")
        if self.signals <= 1:
            raise CharterViolation("a single signal may not hold a post")
        weak = [rule for rule, proof in self.proven.items() if proof.lower_bound < self.level]
        if weak:
            raise CharterViolation(f"not proven to the published level: {', '.join(sorted(weak))}")

    def removes(self, hit: Hit) -> bool:
        """Tell whether a hit may remove its post without a person."""
        return hit.rule.action is RuleAction.REMOVE and not hit.rule.operator and hit.rule.id in self.proven


Probabilities = Mapping[Category, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one post.

    `probabilities` is None where no classifier was loaded. `about_words` says that the post talks about
    harmful words (`context`): then no probability acts on it, alone or with a signal, except to refer it
    to help.
    """

    hits: Sequence[Hit]
    probabilities: Probabilities | None
    about_words: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, the category that it cites, and what spoke for it.

    `hits` are the rules that count, `scored` the categories whose probability counts. `category` is
    None where the post is published, or held only because no classifier was loaded.
    """

    verdict: Verdict
    category: Category | None
    hits: tuple[Hit, ...]
    scored: tuple[Category, ...]


_MOST_SPECIFIC_FIRST: Final = (
    Category.SELF_HARM,
    Category.DOXXING,
    Category.THREAT,
    Category.ILLEGAL_GOODS,
    Category.SEXUAL,
    Category.MALICIOUS_LINK,
    Category.SCAM,
    Category.HATE,
    Category.HARASSMENT,
    Category.SPAM,
)
"""Between categories with rules of their own: an advertisement for forged papers is about the papers."""


def _asked(category: Category, evidence: Evidence, policy: Policy) -> tuple[Verdict, tuple[bool, float]]:
    """Return what the evidence asks for under one category, and how certain it is.

    Certainty is compared first by whether a rule acts, then by how specific the category is where one
    does, and by the probability where none does.
    """
    hits = [hit for hit in evidence.hits if hit.rule.category is category]
    signals = len({hit.rule.id for hit in hits if hit.rule.action is RuleAction.SIGNAL})
    acting = [hit for hit in hits if hit.rule.action is not RuleAction.SIGNAL]
    probability = _probability(evidence.probabilities, category)
    band = policy.bands[category]
    speaks = bool(acting) or not evidence.about_words or category is Category.SELF_HARM
    by_score = speaks and probability >= (band.with_signal if hits else band.review)
    verdict = Verdict.PUBLISH
    if acting or by_score or signals >= policy.signals:
        verdict = Verdict.REFER if category is Category.SELF_HARM else Verdict.HOLD
    removable = speaks and band.takedown is not None and probability >= band.takedown
    if verdict is Verdict.HOLD and (removable or any(policy.removes(hit) for hit in acting)):
        verdict = Verdict.REMOVE
    if acting:
        return verdict, (True, -float(_MOST_SPECIFIC_FIRST.index(category)))
    return verdict, (False, probability)


def _probability(probabilities: Probabilities | None, category: Category) -> float:
    """Return a probability; one that is no number counts as certain, so that a person looks."""
    if probabilities is None:
        return 0.0
    value = probabilities.get(category, 0.0)
    return 1.0 if math.isnan(value) else value


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Return the decision about one post.

    The verdict is the most severe that any category asks for. Under one verdict the category is the
    one with the most certain evidence; between equals, the first of `Category`.
    """
    concerned = {hit.rule.category for hit in evidence.hits}
    if evidence.probabilities:
        bands = policy.bands
        concerned.update(
            word
            for word in evidence.probabilities
            if not _probability(evidence.probabilities, word) < bands[word].review
        )
    asked = (
        {word: _asked(word, evidence, policy) for word in Category if word in concerned} if concerned else {}
    )
    verdict = max(
        (found for found, _ in asked.values()), key=lambda found: found.severity, default=Verdict.PUBLISH
    )
    if verdict is Verdict.PUBLISH:
        held = evidence.probabilities is None
        return Decision(Verdict.HOLD if held else Verdict.PUBLISH, None, (), ())
    category = max((word for word in asked if asked[word][0] is verdict), key=lambda word: asked[word][1])
    spoke = {word for word in asked if asked[word][0] is not Verdict.PUBLISH}
    hits = tuple(hit for hit in evidence.hits if hit.rule.category in spoke)
    scored = tuple(
        word
        for word in Category
        if word in spoke and _probability(evidence.probabilities, word) >= policy.bands[word].with_signal
    )
    return Decision(verdict, category, hits, scored)


def _band(name: str, value: object) -> Band:
    if not isinstance(value, dict) or not {"review", "with_signal"} <= set(value) <= {
        "review",
        "with_signal",
        "takedown",
    }:
        raise ConfigurationError(f"the band of {name} needs review and with_signal, and may have takedown")
    takedown = value.get("takedown")
    return Band(
        float(value["review"]), float(value["with_signal"]), None if takedown is None else float(takedown)
    )


def load_policy(path: Path) -> Policy:
    """Return the policy in a file.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or says something that no policy says.
    CharterViolation
        If it would undo a bound of the charter.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        known = {"version", "level", "signals", "bands", "proven"}
        unknown = set(content) - known
        if unknown:
            raise ConfigurationError(f"{path.name}: no policy has {', '.join(sorted(map(str, unknown)))}")
        names = {word.value for word in Category}
        strange = set(content["bands"]) - names
        if strange:
            raise CharterViolation(
                f"{path.name}: the list of harms is closed; it has no {', '.join(sorted(strange))}"
            )
        counted = Counter(entry["rule"] for entry in content.get("proven", ()))
        if any(count > 1 for count in counted.values()):
            raise ConfigurationError(f"{path.name}: a rule is proven twice")
        return Policy(
            version=str(content["version"]),
            bands=MappingProxyType(
                {Category(name): _band(name, value) for name, value in content["bands"].items()}
            ),
            level=float(content.get("level", LOWEST_LEVEL)),
            signals=int(content.get("signals", 2)),
            proven=MappingProxyType(
                {
                    entry["rule"]: Proof(float(entry["lower_bound"]), str(entry["measured_on"]))
                    for entry in content.get("proven", ())
                }
            ),
        )
    except (
        OSError,
        UnicodeDecodeError,
        yaml.YAMLError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        raise ConfigurationError(f"the policy {path.name} cannot be used: {error}") from error
