"""The one door through which rules are switched on.

`activate` runs each rule's own tests, the protected suite and the words of public life, and refuses with
the texts that would be acted upon. What runs stays as it is. A rule in shadow passes like one that counts;
one that is retired need not.

Neighbours: `rulebook` loads what comes to the door, `protected` has the texts, `pipeline.admitted` asks
about the bundle as well.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import Category, Verdict
from moderation.behaviour import MOST, Memory, Sighting, fingerprints, sells
from moderation.normalise import fold
from moderation.policy import Evidence, Policy, by_probability, decide
from moderation.protected import Breach, ProtectedText, described, public_matters
from moderation.rulebook import Rulebook
from moderation.rules import Hit, Scene


def failing_tests(rulebook: Rulebook) -> list[str]:
    """Return, for each of the rules' own tests that fails, the rule and the text."""
    failures: list[str] = []
    for pack in rulebook.packs:
        for rule in pack.rules:
            tests = [
                *((True, text, rule.id in _ids(rulebook.hits(fold(text)))) for text in rule.must_hit),
                *((False, text, rule.id in _ids(rulebook.hits(fold(text)))) for text in rule.must_miss),
                *(
                    (scene.must_hit, scene.say[0], rule.id in _ids(_played(rulebook, scene)))
                    for scene in rule.scenes
                ),
            ]
            for expected, text, found in tests:
                if found is not expected:
                    wish = "must hit" if expected else "must not hit"
                    failures.append(f"{pack.source}:{rule.line}: rule {rule.id} {wish}: {text}")
    return failures


def _ids(hits: Iterable[Hit]) -> set[str]:
    return {hit.rule.id for hit in hits}


_SALT: Final = b"scenes"
_BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)


def _played(rulebook: Rulebook, scene: Scene) -> tuple[Hit, ...]:
    """Return the rules on behaviour that the last post of a scene breaks."""
    folded = [fold(text) for text in scene.say]
    traits = [
        (copy, sells(view, rulebook.hits(view)))
        for view, copy in zip(folded, fingerprints(folded, _SALT), strict=True)
    ]
    memory = Memory(_SALT)
    hits: tuple[Hit, ...] = ()
    for number in range(scene.times):
        place = number % len(folded)
        at = _BEGIN + timedelta(minutes=scene.minutes) * number / max(1, scene.times - 1)
        post = Sighting(number % scene.authors, traits[place][0], at, traits[place][1])
        hits = rulebook.conspicuous(folded[place], post, memory.near(post))
        memory.add(post)
    return hits


def breaches(
    rulebook: Rulebook, policy: Policy, suite: Iterable[ProtectedText], *, without: Collection[str] = ()
) -> list[Breach]:
    """Return the protected texts that the rules alone would act upon, said once or by very many people.

    `without` are ids of rules that are retired.
    """
    found: list[Breach] = []
    for text in suite:
        view = fold(text.text)
        hits = rulebook.hits(view)
        if rulebook.behaviours and sells(view, hits):
            scene = Scene((text.text,), times=MOST, minutes=60, authors=MOST, must_hit=False)
            hits = (*hits, *_played(rulebook, scene))
        if without:
            hits = tuple(hit for hit in hits if hit.rule.id not in without)
        decision = decide(Evidence(hits, {}), policy)
        if decision.verdict is not Verdict.PUBLISH:
            found.append(Breach(text, tuple(dict.fromkeys(hit.rule.id for hit in decision.hits))))
    return found


def activate(
    rulebook: Rulebook, policy: Policy, suite: Iterable[ProtectedText], *, without: Collection[str] = ()
) -> Rulebook:
    """Return the rulebook once it has passed: the one door through which rules are switched on.

    `without` are ids of rules that are retired. A rule in shadow passes like one that counts.

    Raises
    ------
    ConfigurationError
        If a rule fails a test of its own, or the policy proves a rule that there is not.
    CharterViolation
        If a rule would act on a protected text, or on the bare word for a matter of public life;
        the message names rules and texts.
    """
    failures = failing_tests(rulebook)
    if failures:
        raise ConfigurationError("rules fail tests of their own:\n" + "\n".join(failures))
    known = {rule.id for rule in rulebook.rules if not rule.operator or rule.id in policy.lifted}
    known |= {by_probability(category) for category in Category}
    strange = sorted(set(policy.proven) - known)
    if strange:
        raise ConfigurationError(f"the policy proves rules that there are not: {', '.join(strange)}")
    broken = breaches(rulebook, policy, [*suite, *public_matters()], without=without)
    if broken:
        places = {
            rule.id: f"{pack.source}:{rule.line}: rule {rule.id}"
            for pack in rulebook.packs
            for rule in pack.rules
        }
        placed = [replace(one, by=tuple(places.get(name, name) for name in one.by)) for one in broken]
        raise CharterViolation("protected texts would be acted upon:\n" + described(placed))
    return rulebook
