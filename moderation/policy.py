"""Turn the evidence about one post into one verdict.

The policy is the only place where evidence becomes a decision. It is pure: same evidence and same
policy, same decision, with no clock, database or model. It is total: every evidence has a verdict.
It is monotone: more evidence never makes the verdict milder (tests/property/test_policy.py holds it
to that).

What no policy file can change is here: self-harm is referred and never a strike; no classifier
loaded means that the verdict is at least hold; an operator's rule at most holds until officers' decisions
have proven it; a rule, or a probability, removes by itself only if its precision is proven to the
published level, and no level below 0.98 is accepted; a rule that refers belongs to self-harm.

Neighbours: `rules` and the bundle make the evidence, `stakes` tells which of it matters, `screening`
records the decision.
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
from models.vocabulary import HARMS, Category, Verdict
from moderation.rules import Hit, RuleAction

LOWEST_LEVEL: Final = 0.98
"""Charter, 3: the least precision, at its lower 95 % bound, that a removal without a person needs."""

LOWEST_REVIEW: Final = 0.4
"""A probability alone never holds below this. Probabilities are for a stream in which few posts are harms and
heads are held down for the sake of protected texts, so this is already far above what ordinary posts reach;
the door holds every band against the protected suite."""

LOWEST_WITH_SIGNAL: Final = 0.2
"""The same beside a rule that has signalled."""


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
        if (
            self.review < LOWEST_REVIEW
            or not LOWEST_WITH_SIGNAL <= self.with_signal <= self.review <= ceiling <= 1
        ):
            raise ValueError(
                f"need review >= {LOWEST_REVIEW} and "
                f"{LOWEST_WITH_SIGNAL} <= with_signal <= review <= takedown <= 1, got {self}"
            )


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a rule may remove by itself: the lower 95 % bound of its precision, and where it was measured."""

    lower_bound: float
    measured_on: str


def by_probability(category: Category) -> str:
    """Return the name under which removal by a category's probability alone is proven."""
    return f"category:{category.value}"


@dataclass(frozen=True, slots=True)
class Policy:
    """When evidence asks for a person, and when a machine may act alone.

    `proven` has an entry for each rule, and for each `by_probability` of a category, that may remove
    without a person. `lifted` names those of the rules that ask for less than removal themselves, an
    operator's among them, and that officers' decisions have proven.
    """

    version: str
    bands: Mapping[Category, Band]
    level: float = LOWEST_LEVEL
    signals: int = 2
    proven: Mapping[str, Proof] = field(default_factory=lambda: MappingProxyType({}))
    lifted: frozenset[str] = frozenset()

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
        rule = hit.rule
        if rule.id not in self.proven or rule.category not in HARMS or rule.behaviour is not None:
            return False
        if rule.id in self.lifted:
            return rule.action is not RuleAction.SIGNAL
        return rule.action is RuleAction.REMOVE and not rule.operator


Probabilities = Mapping[Category, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one post.

    `probabilities` is None where no classifier was loaded. `about_words` says that the post talks about
    harmful words (`context`): then no probability acts on it, alone or with a signal, except to refer it
    to help. `gathers` says that it gives a contact for people to meet, to find what was lost or to reach
    an office (`context`): then no probability of an advertisement or of exposure acts on it. `little` says
    that it is very short: then a probability needs a signal beside it, except to refer it to help. `silent`
    are hits of rules that run in shadow: no decision heeds them.
    """

    hits: Sequence[Hit]
    probabilities: Probabilities | None
    about_words: bool = False
    silent: Sequence[Hit] = ()
    gathers: bool = False
    little: bool = False


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
    # What a post says can add up; how often something is said cannot, or a demand would be held for it.
    signals = len(
        {hit.rule.id for hit in hits if hit.rule.action is RuleAction.SIGNAL and hit.rule.behaviour is None}
    )
    acting = [hit for hit in hits if hit.rule.action is not RuleAction.SIGNAL]
    probability = _probability(evidence.probabilities, category)
    band = policy.bands[category]
    speaks = bool(acting) or not excused(category, evidence, signalled=bool(hits))
    by_score = speaks and probability >= (band.with_signal if hits else band.review)
    verdict = Verdict.PUBLISH
    if acting or by_score or signals >= policy.signals:
        verdict = Verdict.REFER if category is Category.SELF_HARM else Verdict.HOLD
    removable = (
        speaks
        and band.takedown is not None
        and probability >= band.takedown
        and by_probability(category) in policy.proven
    )
    if verdict is Verdict.HOLD and (removable or any(policy.removes(hit) for hit in acting)):
        verdict = Verdict.REMOVE
    if acting:
        return verdict, (True, -float(_MOST_SPECIFIC_FIRST.index(category)))
    return verdict, (False, probability)


def excused(category: Category, evidence: Evidence, *, signalled: bool) -> bool:
    """Tell whether no probability of a category acts on a post by itself; `signalled` if a rule hit."""
    if evidence.gathers and category in {Category.SPAM, Category.DOXXING}:
        return True
    if category is Category.SELF_HARM:
        return False
    return evidence.about_words or (evidence.little and not signalled)


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
            # A probability that is no number is below nothing, so it counts as certain.
            word
            for word, value in evidence.probabilities.items()
            if not value < bands[word].review
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
        bands = {Category(name): _band(name, value) for name, value in content["bands"].items()}
        unproven = sorted(
            word.value
            for word, band in bands.items()
            if band.takedown is not None and by_probability(word) not in counted
        )
        if unproven and Category.SELF_HARM.value not in unproven:
            raise CharterViolation(
                f"{path.name}: no probability removes before it is proven: {', '.join(unproven)}"
            )
        return Policy(
            version=str(content["version"]),
            bands=MappingProxyType(bands),
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
