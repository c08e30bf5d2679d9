"""Two verdicts of the present rules on the same text: without a proposal, and with it.

`compare` builds both sides, and the proposal goes through the door first: a rule that may not act on a
protected text may not search for such texts either.

Neighbours: `arrangement` and `proposals` say what holds and what would hold; `backtest_counts` counts what
is compared here, `backtest` reads the posts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.vocabulary import Category, RuleState, Verdict
from moderation import arrangement, proposals
from moderation.arrangement import Base
from moderation.editions import Change, Plan
from moderation.pipeline import Screener, Standing
from moderation.policy import Decision, Evidence, Policy, decide
from moderation.proposals import Proposal, ProposalKind
from moderation.rules import Span


@dataclass(frozen=True, slots=True)
class Compared:
    """What is tried, and against what.

    `wide` finds whatever either side heeds; each side ignores some rules and has its policy. `present`
    finds on its own what holds now, where one pass cannot serve both: with another bundle, or beside an
    older self of the same pack. What counts as a hit is one of `rules`, a probability of `categories`, or
    else any verdict that is not to publish.
    """

    wide: Screener
    now: Policy
    then: Policy
    now_ignores: frozenset[str] = frozenset()
    then_ignores: frozenset[str] = frozenset()
    present: Screener | None = None
    rules: frozenset[str] = frozenset()
    categories: frozenset[Category] = frozenset()

    def pairs(self, texts: Sequence[str]) -> list[tuple[Evidence, Decision, Decision]]:
        """Return for each text all evidence, and the decisions without and with the proposal."""
        evidence = self.wide.evidence(texts)
        present = self.present.evidence(texts) if self.present else evidence
        return [
            (
                one,
                decide(_without(old, self.now_ignores), self.now),
                decide(_without(one, self.then_ignores), self.then),
            )
            for one, old in zip(evidence, present, strict=True)
        ]

    def hit(self, evidence: Evidence, decision: Decision) -> tuple[tuple[Span, ...], tuple[str, ...]] | None:
        """Return where and by what the proposal hits a post, or None where it does not."""
        if self.rules:
            found = [hit for hit in evidence.hits if hit.rule.id in self.rules]
            if not found:
                return None
            return (
                tuple(span for hit in found for span in hit.spans),
                tuple(dict.fromkeys(hit.rule.id for hit in found)),
            )
        if self.categories:
            scored = [word for word in decision.scored if word in self.categories]
            return ((), tuple(word.value for word in scored)) if scored else None
        if decision.verdict is Verdict.PUBLISH:
            return None
        return (), ()

    def clauses(self, evidence: Evidence, after: Decision) -> frozenset[Category]:
        """Return the clauses under which the proposal speaks against a post."""
        if self.rules:
            return frozenset(hit.rule.category for hit in evidence.hits if hit.rule.id in self.rules)
        if self.categories:
            return self.categories & frozenset(after.scored)
        return frozenset({after.category} if after.category else ())


def _without(evidence: Evidence, rules: frozenset[str]) -> Evidence:
    if not rules:
        return evidence
    return replace(evidence, hits=[hit for hit in evidence.hits if hit.rule.id not in rules])


def compare(base: Base, plan: Plan, proposal: Proposal, change: Change) -> Compared:
    """Return the screener as it is and the one with a proposal. The proposal goes through the door.

    A rule that is active already is tried the other way round: what if it were retired.

    Raises
    ------
    NotFound, InvalidInput, ConfigurationError, CharterViolation
        If there is no such thing, it cannot be read, or the door refuses it.
    """
    wanted = proposals.planned(base, plan, proposal, RuleState.ACTIVE, change)
    whole = arrangement.admit(base, wanted)
    ignored = whole.standing.retired | whole.standing.silent
    wide = _heeding_all_but(whole, ignored)
    now = arrangement.arranged(base.policy, plan.edition)
    made = Compared(wide, now, whole.policy)
    if proposal.kind is ProposalKind.RULE:
        rules = frozenset({proposal.rule})
        if plan.edition.state_of(proposal.rule) is RuleState.ACTIVE:
            return replace(made, rules=rules, then_ignores=rules)
        return replace(made, rules=rules, now_ignores=rules)
    if proposal.kind is ProposalKind.PACK:
        name, ids = proposals.pack_rules(proposal.source)
        made = replace(made, rules=frozenset(ids))
        if all(pack.name != name for pack in plan.packs):
            return replace(made, now_ignores=frozenset(ids))
        return replace(made, present=_present(base, plan))
    if proposal.kind is ProposalKind.BANDS:
        return replace(made, categories=frozenset(proposal.bands))
    return replace(made, present=_present(base, plan))


def _heeding_all_but(screener: Screener, ignored: frozenset[str]) -> Screener:
    """Return a screener without its trials, which no comparison needs."""
    return Screener(screener.rulebook, screener.policy, screener.bundle, Standing(retired=ignored))


def _present(base: Base, plan: Plan) -> Screener:
    found = arrangement.screener_of(base, plan.edition, arrangement.read(base, plan.packs))
    return _heeding_all_but(found, found.standing.retired | found.standing.silent)
