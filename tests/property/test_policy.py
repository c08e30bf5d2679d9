"""Laws of the policy, for any evidence and any policy that can be made."""

import math
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from models.vocabulary import CLAUSES, Category, Verdict
from moderation.behaviour import Behaviour, BehaviourKind
from moderation.normalise import ViewName
from moderation.policy import LOWEST_REVIEW, Band, Decision, Evidence, Policy, Proof, decide
from moderation.rules import Group, Hit, Rule, RuleAction
from moderation.stakes import Stakes


def rule(name: str, category: Category, action: RuleAction, *, operator: bool = False) -> Rule:
    return Rule(
        id=name,
        pack="pack",
        category=category,
        clause=CLAUSES[category].number,
        action=action,
        rationale="a law needs a rule",
        author="test",
        views=frozenset({ViewName.PLAIN}),
        groups=(Group(terms=frozenset({0})),),
        operator=operator,
    )


ACTIONS = {
    category: [RuleAction.SIGNAL, RuleAction.HOLD]
    + ([RuleAction.REFER] if category is Category.SELF_HARM else [RuleAction.REMOVE])
    for category in Category
}
NAMES = [f"pack.{number}" for number in range(6)]
HITS = st.sampled_from(list(Category)).flatmap(
    lambda category: st.builds(
        lambda name, action, operator: Hit(rule(name, category, action, operator=operator), ((0, 1),)),
        st.sampled_from(NAMES),
        st.sampled_from(ACTIONS[category]),
        st.booleans(),
    )
)
SHARES = st.floats(0.0, 1.0)
REPETITION = Behaviour(BehaviourKind.REPETITION, at_least=3, within=timedelta(hours=1))
PROBABILITIES = st.dictionaries(st.sampled_from(list(Category)), SHARES | st.just(float("nan")))


@st.composite
def bands(draw: st.DrawFn, category: Category) -> Band:
    with_signal, review, takedown = sorted(draw(st.lists(st.floats(0.2, 1.0), min_size=3, max_size=3)))
    may_remove = category is not Category.SELF_HARM and draw(st.booleans())
    review, takedown = max(review, LOWEST_REVIEW), max(takedown, LOWEST_REVIEW)
    return Band(review, with_signal, takedown if may_remove else None)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    proven = draw(st.sets(st.sampled_from(NAMES)))
    return Policy(
        version="any",
        bands={category: draw(bands(category)) for category in Category},
        signals=draw(st.integers(2, 4)),
        proven=MappingProxyType({name: Proof(0.99, "a test") for name in proven}),
    )


@settings(deadline=None)
@given(
    found=st.lists(HITS, max_size=6),
    scores=st.none() | PROBABILITIES,
    policy=policies(),
    another=HITS,
    about_words=st.booleans(),
)
def test_another_hit_never_makes_the_verdict_milder(
    *, found: list[Hit], scores: dict[Category, float] | None, policy: Policy, another: Hit, about_words: bool
) -> None:
    before = decide(Evidence(found, scores, about_words), policy)
    after = decide(Evidence([*found, another], scores, about_words), policy)

    assert after.verdict.severity >= before.verdict.severity


@settings(deadline=None)
@given(
    found=st.lists(HITS, max_size=6),
    scores=PROBABILITIES,
    policy=policies(),
    category=st.sampled_from(list(Category)),
    rise=SHARES,
    about_words=st.booleans(),
)
def test_a_higher_probability_never_makes_the_verdict_milder(
    *,
    found: list[Hit],
    scores: dict[Category, float],
    policy: Policy,
    category: Category,
    rise: float,
    about_words: bool,
) -> None:
    raised = {**scores, category: min(1.0, scores.get(category, 0.0) + rise)}
    before = decide(Evidence(found, scores, about_words), policy)
    after = decide(Evidence(found, raised, about_words), policy)

    assert after.verdict.severity >= before.verdict.severity


@settings(deadline=None)
@given(st.lists(HITS, max_size=6), policies())
def test_without_a_classifier_the_verdict_is_at_least_hold(found: list[Hit], policy: Policy) -> None:
    assert decide(Evidence(found, None), policy).verdict.severity >= Verdict.HOLD.severity


@settings(deadline=None)
@given(st.lists(HITS, max_size=6), st.none() | PROBABILITIES, policies())
def test_every_evidence_has_a_decision_that_explains_itself(
    found: list[Hit], scores: dict[Category, float] | None, policy: Policy
) -> None:
    decision = decide(Evidence(found, scores), policy)

    if decision.verdict is Verdict.PUBLISH:
        assert decision == Decision(Verdict.PUBLISH, None, (), ())
    elif decision.category is None:
        assert (decision.verdict, scores) == (Verdict.HOLD, None)
    else:
        spoke = {hit.rule.category for hit in decision.hits} | set(decision.scored)
        assert decision.category in spoke


@settings(deadline=None)
@given(st.lists(HITS, max_size=6), st.none() | PROBABILITIES, policies())
def test_self_harm_is_referred_and_never_removed(
    found: list[Hit], scores: dict[Category, float] | None, policy: Policy
) -> None:
    decision = decide(Evidence(found, scores), policy)

    assert (decision.verdict is Verdict.REFER) == (decision.category is Category.SELF_HARM)


@settings(deadline=None)
@given(st.lists(HITS, max_size=6), policies())
def test_a_machine_removes_only_by_a_proven_rule_that_is_not_the_operators(
    found: list[Hit], policy: Policy
) -> None:
    decision = decide(Evidence(found, {}), policy)

    if decision.verdict is Verdict.REMOVE:
        assert any(policy.removes(hit) for hit in decision.hits)
        assert not any(policy.removes(hit) for hit in decision.hits if hit.rule.operator)


@settings(deadline=None)
@given(st.sampled_from(list(Category)), st.sampled_from(NAMES), policies())
def test_a_signal_alone_never_holds(category: Category, name: str, policy: Policy) -> None:
    signal = Hit(rule(name, category, RuleAction.SIGNAL), ((0, 1),))

    assert decide(Evidence([signal, signal], {}), policy).verdict is Verdict.PUBLISH


@settings(deadline=None, max_examples=300)
@given(
    found=st.lists(HITS, max_size=3),
    policy=policies(),
    scores=st.fixed_dictionaries(dict.fromkeys(Category, SHARES)),
    other=st.fixed_dictionaries(dict.fromkeys(Category, SHARES)),
    reads=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    later=st.none() | HITS,
)
def test_what_lies_below_what_is_at_stake_changes_no_decision(
    *,
    found: list[Hit],
    policy: Policy,
    scores: dict[Category, float],
    other: dict[Category, float],
    reads: tuple[bool, bool, bool],
    later: Hit | None,
) -> None:
    about_words, gathers, little = reads
    post = Evidence(found, None, about_words=about_words, gathers=gathers, little=little)
    rules = [] if later is None else [replace(later.rule, behaviour=REPETITION)]
    bars = dict(zip(Category, Stakes([policy], rules).bars(post), strict=True))
    below = {
        word: min(other[word], math.nextafter(bars[word], -1.0)) if value < bars[word] else value
        for word, value in scores.items()
    }
    hits = [*found, *(Hit(seen, ((0, 1),)) for seen in rules)]

    for heeded in (found, hits):
        full = decide(replace(post, hits=heeded, probabilities=scores), policy)
        assert decide(replace(post, hits=heeded, probabilities=below), policy) == full
