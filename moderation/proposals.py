"""Proposals: one rule, a pack, thresholds or a bundle, and what would hold with one in a state.

`planned` is pure as far as records go: it reads files, and neither switches anything on nor writes.

Neighbours: `switching` switches a plan on, `backtest` tries a proposal on stored posts.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from models.errors import InvalidInput, NotFound
from models.rulebook import ProposedPack
from models.vocabulary import Category, RuleState
from moderation.arrangement import Base, arranged, bundle_entry, read
from moderation.editions import Change, Edition, Plan, pairs_of
from moderation.rulebook import read_rulebook


class ProposalKind(StrEnum):
    """What a proposal is about."""

    RULE = "rule"
    PACK = "pack"
    BANDS = "bands"
    BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class Proposal:
    """One rule by its id, a pack by its YAML, thresholds by category, or a bundle by its folder."""

    kind: ProposalKind
    rule: str = ""
    source: str = ""
    bands: Mapping[Category, tuple[float, float]] = field(default_factory=dict)
    bundle: str = ""

    def document(self) -> dict[str, Any]:
        """Return the proposal as a record holds it."""
        return {
            "kind": self.kind.value,
            "rule": self.rule,
            "source": self.source,
            "bands": {word.value: list(pair) for word, pair in self.bands.items()},
            "bundle": self.bundle,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Proposal":
        """Return the proposal that a record holds."""
        return cls(
            ProposalKind(document["kind"]),
            document["rule"],
            document["source"],
            pairs_of(document["bands"]),
            document["bundle"],
        )

    @property
    def digest(self) -> str:
        """SHA-256 of a pack's YAML."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @property
    def subject(self) -> str:
        """What the audit log calls it."""
        if self.kind is ProposalKind.RULE:
            return self.rule
        if self.kind is ProposalKind.PACK:
            return f"pack:{self.digest[:12]}"
        if self.kind is ProposalKind.BUNDLE:
            return f"bundle:{Path(self.bundle).name}"
        return "bands:" + ",".join(word.value for word in self.bands)


def state_of(edition: Edition, proposal: Proposal) -> RuleState | None:
    """Return how a proposal stands under an edition; None where it is not in it, or only in part."""
    if proposal.kind is ProposalKind.RULE:
        return edition.state_of(proposal.rule)
    counts, tries = False, False
    if proposal.kind is ProposalKind.PACK and proposal.digest in edition.packs:
        states = {edition.state_of(rule) for rule in pack_rules(proposal.source)[1]}
        counts, tries = states == {RuleState.ACTIVE}, states == {RuleState.SHADOW}
    elif proposal.kind is ProposalKind.BANDS:
        counts = all(edition.bands.get(word) == pair for word, pair in proposal.bands.items())
        tries = dict(edition.trial_bands) == dict(proposal.bands)
    elif proposal.kind is ProposalKind.BUNDLE:
        counts = (edition.bundle or {}).get("folder") == proposal.bundle
        tries = (edition.trial_bundle or {}).get("folder") == proposal.bundle
    if counts:
        return RuleState.ACTIVE
    return RuleState.SHADOW if tries else None


def planned(base: Base, plan: Plan, proposal: Proposal, state: RuleState, change: Change) -> Plan:
    """Return what would hold with a proposal in a state. Nothing is switched on or written.

    Raises
    ------
    NotFound
        If there is no such rule.
    InvalidInput
        If thresholds are none that a policy can have.
    ConfigurationError, CharterViolation
        If a pack or a bundle cannot be read.
    """
    if proposal.kind is ProposalKind.RULE:
        return _with_rule(base, plan, proposal.rule, state)
    if proposal.kind is ProposalKind.PACK:
        return _with_pack(base, plan, proposal, state, change)
    edition = plan.edition
    if proposal.kind is ProposalKind.BANDS:
        return replace(plan, edition=_with_bands(base, edition, proposal, state))
    entry = None if state is RuleState.RETIRED else bundle_entry(Path(proposal.bundle))
    if state is RuleState.SHADOW:
        return replace(plan, edition=replace(edition, trial_bundle=entry))
    return replace(plan, edition=replace(edition, bundle=entry, trial_bundle=None))


def _with_rule(base: Base, plan: Plan, rule: str, state: RuleState) -> Plan:
    edition = plan.edition
    if rule not in {one.id for one in read(base, plan.packs).rules}:
        raise NotFound("there is no such rule")
    states = {name: held for name, held in edition.states.items() if name != rule}
    if state is not RuleState.ACTIVE:
        states[rule] = state
    return replace(plan, edition=replace(edition, states=states))


def _with_pack(base: Base, plan: Plan, proposal: Proposal, state: RuleState, change: Change) -> Plan:
    """Put a pack, all its rules in one state, in the place of its older self."""
    edition = plan.edition
    name, rules = pack_rules(proposal.source)
    others = tuple(one for one in plan.packs if one.name != name)
    made = ProposedPack(
        digest=proposal.digest,
        name=name,
        source=proposal.source,
        proposed_by=change.actor,
        proposed_at=change.now,
    )
    packs = others if state is RuleState.RETIRED else (*others, made)
    read(base, packs)  # refuses the name, or an id, of something that is there already
    states = {rule: held for rule, held in edition.states.items() if not rule.startswith(f"{name}.")}
    if state is RuleState.SHADOW:
        states |= dict.fromkeys(rules, state)
    # A rule that was reworded is another rule: what officers proved of the old one says nothing of it.
    return Plan(
        replace(
            edition,
            packs=tuple(one.digest for one in packs),
            states=states,
            automatic={rule: proof for rule, proof in edition.automatic.items() if rule not in rules},
        ),
        packs,
    )


def pack_rules(source: str, file: str = "proposal.yaml") -> tuple[str, tuple[str, ...]]:
    """Return the name of an operator's pack and the ids of its rules.

    Raises
    ------
    ConfigurationError, CharterViolation
        If it cannot be used; the message names file, line, rule and reason.
    """
    (pack,) = read_rulebook([], [], [(file, source)]).packs
    return pack.name, tuple(rule.id for rule in pack.rules)


def _with_bands(base: Base, edition: Edition, proposal: Proposal, state: RuleState) -> Edition:
    words = set(proposal.bands)
    kept = {word: pair for word, pair in edition.bands.items() if word not in words}
    if state is RuleState.SHADOW:
        wanted = replace(edition, trial_bands=proposal.bands)
    elif state is RuleState.ACTIVE:
        wanted = replace(edition, bands={**kept, **proposal.bands}, trial_bands={})
    else:
        wanted = replace(edition, bands=kept, trial_bands={})
    try:
        arranged(base.policy, wanted, trial=True)
    except ValueError as error:
        raise InvalidInput(f"these thresholds cannot be: {error}", field="/bands") from error
    return wanted
