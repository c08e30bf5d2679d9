"""Editions of the rulebook: what holds on top of the files, changed at run time and rolled back.

An edition names the rules that run in shadow or are retired, the proposed packs that run beside the
files, thresholds, a bundle, what is on trial, and which rules won or lost the right to remove by
themselves. A change is one new row, with who made it and why, and an entry in the audit log in the same
transaction. The newest row holds; `running` picks it up in every process.

Nothing is switched on but through the door: `admit` builds what would run and asks `pipeline.admitted`,
which refuses with the texts that would be hit; then nothing is written. `admit_over` also asks about every
post that a granted objection restored (`regression`). The door takes seconds, so it stands outside any
transaction; a change that another one has overtaken is refused.

What no change can do is here: going back to an older edition never gives a rule back the right to remove
by itself, nor does any file or setting. Only `automation.prove` does, with the decisions that prove it.

Neighbours: `running` runs an edition, `automation` takes rights away, `backtest` tries a proposal.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from learning.bundle import Bundle
from models import audit
from models.database import Database
from models.errors import ConfigurationError, Conflict, InvalidInput, NotFound
from models.rulebook import ProposedPack, RulebookEdition
from models.vocabulary import Category, RuleState
from moderation import regression
from moderation.pipeline import Screener, Standing, admitted
from moderation.policy import Band, Policy, Proof
from moderation.protected import ProtectedText, load_suite
from moderation.rulebook import Rulebook, read_rulebook
from moderation.settings import SHIPPED_RULEBOOKS, SHIPPED_SUITE

MANIFEST: Final = "manifest.json"
REASON_LIMIT: Final = 1_000

BundleOpener = Callable[[Path], Bundle]


@dataclass(frozen=True, slots=True)
class Edition:
    """What holds on top of the files. The empty edition, number 0, is the files alone.

    `states` has the rules that are not active; `packs` the digests of proposed packs; `bands` thresholds
    for review, by category; `bundle` a folder and the SHA-256 of its manifest; `trial_bands` and
    `trial_bundle` the same in shadow. `automatic` are proofs that officers' decisions gave, `demoted`
    what lost the right to remove by itself, and why.
    """

    number: int = 0
    states: Mapping[str, RuleState] = field(default_factory=dict)
    packs: tuple[str, ...] = ()
    bands: Mapping[Category, tuple[float, float]] = field(default_factory=dict)
    bundle: Mapping[str, str] | None = None
    trial_bands: Mapping[Category, tuple[float, float]] = field(default_factory=dict)
    trial_bundle: Mapping[str, str] | None = None
    automatic: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    demoted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """Return the edition as its row holds it."""
        return {
            "states": {rule: state.value for rule, state in sorted(self.states.items())},
            "packs": list(self.packs),
            "bands": {word.value: list(pair) for word, pair in self.bands.items()},
            "bundle": dict(self.bundle) if self.bundle else None,
            "trial_bands": {word.value: list(pair) for word, pair in self.trial_bands.items()},
            "trial_bundle": dict(self.trial_bundle) if self.trial_bundle else None,
            "automatic": {subject: dict(proof) for subject, proof in self.automatic.items()},
            "demoted": {subject: dict(why) for subject, why in self.demoted.items()},
        }

    @classmethod
    def of(cls, row: RulebookEdition) -> "Edition":
        """Return the edition that a row holds."""
        content = row.content
        return cls(
            number=row.number,
            states={rule: RuleState(state) for rule, state in content["states"].items()},
            packs=tuple(content["packs"]),
            bands=_pairs(content["bands"]),
            bundle=content["bundle"],
            trial_bands=_pairs(content["trial_bands"]),
            trial_bundle=content["trial_bundle"],
            automatic=content["automatic"],
            demoted=content["demoted"],
        )

    def state_of(self, rule: str) -> RuleState:
        """Return whether a rule counts; one that nobody changed does."""
        return self.states.get(rule, RuleState.ACTIVE)

    @property
    def tries_more(self) -> bool:
        """Whether it lets anything act, or try to, that the files alone do not."""
        return bool(self.packs or self.bands or self.bundle or self.trial_bands or self.trial_bundle)

    @property
    def mark(self) -> str:
        """What names this edition in a screening, behind the names of rulebook and policy."""
        return f"+{self.number}" if self.number else ""


def _pairs(content: Mapping[str, Sequence[float]]) -> dict[Category, tuple[float, float]]:
    return {Category(word): (float(pair[0]), float(pair[1])) for word, pair in content.items()}


def newest_number(session: Session) -> int:
    """Return the number of the edition that holds; one cheap query."""
    return session.exec(select(func.max(RulebookEdition.number))).one() or 0


def newest(session: Session) -> Edition:
    """Return the edition that holds."""
    row = session.exec(select(RulebookEdition).order_by(col(RulebookEdition.number).desc()).limit(1)).first()
    return Edition.of(row) if row else Edition()


def history(session: Session, *, limit: int = 50) -> list[RulebookEdition]:
    """Return the editions, newest first."""
    return list(
        session.exec(select(RulebookEdition).order_by(col(RulebookEdition.number).desc()).limit(limit))
    )


def packs_of(session: Session, edition: Edition) -> list[ProposedPack]:
    """Return the proposed packs of an edition, by name."""
    rows = session.exec(select(ProposedPack).where(col(ProposedPack.digest).in_(edition.packs))).all()
    return sorted(rows, key=lambda row: row.name)


def file_of(pack: ProposedPack) -> str:
    """Return what a proposed pack is called in messages."""
    return f"{pack.name}.yaml"


# --- Building what an edition stands for.


@dataclass(frozen=True, slots=True)
class Base:
    """What the files give: folders, the policy and the bundle, and how further bundles are opened."""

    policy: Policy
    bundle: Bundle | None
    operator_rulebooks: tuple[Path, ...] = ()
    rulebooks: tuple[Path, ...] = (SHIPPED_RULEBOOKS,)
    suite: Path = SHIPPED_SUITE
    open_bundle: BundleOpener | None = None

    def protected(self) -> tuple[ProtectedText, ...]:
        """Return the protected suite."""
        return load_suite(self.suite)


@dataclass(frozen=True, slots=True)
class Plan:
    """An edition with the packs that it names."""

    edition: Edition
    packs: tuple[ProposedPack, ...] = ()


def standing_plan(session: Session) -> Plan:
    """Return what holds."""
    edition = newest(session)
    return Plan(edition, tuple(packs_of(session, edition)))


def read(base: Base, packs: Iterable[ProposedPack]) -> Rulebook:
    """Return the rulebook of the files and of proposed packs, compiled but not switched on."""
    return read_rulebook(
        base.rulebooks, base.operator_rulebooks, [(file_of(pack), pack.source) for pack in packs]
    )


def arranged(base: Policy, edition: Edition, *, trial: bool = False) -> Policy:
    """Return the policy that holds under an edition: thresholds, and who may remove by itself.

    A proof below the published level proves nothing, and what was demoted stays demoted whatever the
    policy's file says.
    """
    bands = dict(base.bands)
    for word, (review, with_signal) in {**edition.bands, **(edition.trial_bands if trial else {})}.items():
        takedown = bands[word].takedown
        bands[word] = Band(review, with_signal, takedown if takedown is None else max(takedown, review))
    won = {
        subject: Proof(float(proof["lower_bound"]), str(proof["measured_on"]))
        for subject, proof in edition.automatic.items()
        if float(proof["lower_bound"]) >= base.level
    }
    proven = {
        subject: proof for subject, proof in {**base.proven, **won}.items() if subject not in edition.demoted
    }
    return replace(
        base,
        version=f"{base.version}{edition.mark}",
        bands=MappingProxyType(bands),
        proven=MappingProxyType(proven),
        lifted=frozenset(won) & frozenset(proven),
    )


def bundle_entry(folder: Path) -> dict[str, str]:
    """Return how an edition names a bundle: its folder, and the SHA-256 of its manifest.

    Raises
    ------
    ConfigurationError
        If there is no manifest that can be read.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{folder / MANIFEST}:1: cannot be read: {error.strerror}") from error
    return {"folder": str(folder.resolve()), "manifest": hashlib.sha256(content).hexdigest()}


def opened(base: Base, entry: Mapping[str, str] | None) -> Bundle | None:
    """Return the bundle that an edition names, or None if it names none.

    Raises
    ------
    ConfigurationError
        If it is not there, or not the one that passed the door.
    """
    if entry is None:
        return None
    folder = Path(entry["folder"])
    if bundle_entry(folder)["manifest"] != entry["manifest"]:
        raise ConfigurationError(
            f"{folder / MANIFEST}:1: the manifest differs from the hash that passed the door"
        )
    if base.open_bundle is None:
        raise ConfigurationError("no further bundle can be opened here")
    return base.open_bundle(folder)


def standing(base: Base, edition: Edition, trial_bundle: Bundle | None = None) -> Standing:
    """Return what a screener must know of an edition."""
    by_state = {
        state: frozenset(rule for rule, held in edition.states.items() if held is state)
        for state in (RuleState.RETIRED, RuleState.SHADOW)
    }
    return Standing(
        mark=edition.mark,
        retired=by_state[RuleState.RETIRED],
        silent=by_state[RuleState.SHADOW],
        policy=arranged(base.policy, edition, trial=True) if edition.trial_bands else None,
        bundle=trial_bundle,
    )


def screener_of(base: Base, edition: Edition, rulebook: Rulebook) -> Screener:
    """Return the screener that an edition stands for, not switched on yet."""
    bundle = opened(base, edition.bundle) or base.bundle
    return Screener(
        rulebook,
        arranged(base.policy, edition),
        bundle,
        standing(base, edition, opened(base, edition.trial_bundle)),
    )


def admit(base: Base, plan: Plan) -> Screener:
    """Return the screener that a plan stands for, through the one door.

    Raises
    ------
    ConfigurationError, CharterViolation
        With what the door refuses, and why.
    """
    return admitted(screener_of(base, plan.edition, read(base, plan.packs)), base.protected())


def admit_over(database: Database, base: Base, before: Plan, wanted: Plan) -> Screener:
    """Return the screener of a plan, through the one door, and past the posts that objections restored.

    Raises
    ------
    ConfigurationError, CharterViolation
        With what the door refuses, and why; `regression`, if it would act again on a restored post.
    """
    made = admit(base, wanted)
    with database.reading() as session:
        if regression.is_asked(session):
            present = screener_of(base, before.edition, read(base, before.packs))
            regression.refuse_worse(regression.ask(session, present), regression.ask(session, made))
    return made


# --- Proposing a change.


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
            _pairs(document["bands"]),
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


def planned(base: Base, plan: Plan, proposal: Proposal, state: RuleState, change: "Change") -> Plan:
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


def _with_pack(base: Base, plan: Plan, proposal: Proposal, state: RuleState, change: "Change") -> Plan:
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


# --- Changing the edition.


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes the rulebook, why, and when."""

    actor: str
    reason: str
    now: datetime

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise InvalidInput(
                "a change of the rulebook needs its reason", code="no_change_reason", field="/reason"
            )
        if len(self.reason) > REASON_LIMIT:
            raise InvalidInput(f"a reason has at most {REASON_LIMIT} characters", field="/reason")


def write(
    session: Session,
    plan: Plan,
    change: Change,
    *,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
) -> Edition:
    """Put a new edition on record, and on the audit log. It follows the one that `plan` was made from.

    Raises
    ------
    Conflict
        `edition_changed`, if another edition came meanwhile.
    """
    number = plan.edition.number + 1
    # The audit log's head is locked from here on, so two changes come one after the other.
    audit.record(
        session,
        change.now,
        actor=change.actor,
        action=action,
        subject=subject[:120],
        details={"edition": number, "reason": change.reason.strip(), **(details or {})},
    )
    if newest_number(session) != plan.edition.number:
        raise Conflict("the rulebook was changed meanwhile", code="edition_changed")
    for pack in plan.packs:
        if session.get(ProposedPack, pack.digest) is None:
            session.add(ProposedPack(**pack.model_dump()))
    made = replace(plan.edition, number=number)
    session.add(
        RulebookEdition(
            number=number,
            content=made.content(),
            action=action,
            subject=subject[:120],
            actor=change.actor,
            reason=change.reason.strip(),
            made_at=change.now,
        )
    )
    session.flush()
    return made


ACTIONS: Final = MappingProxyType(
    {RuleState.ACTIVE: "promoted", RuleState.SHADOW: "shadowed", RuleState.RETIRED: "retired"}
)


def switch(database: Database, base: Base, proposal: Proposal, state: RuleState, change: Change) -> Edition:
    """Promote a proposal, put it in shadow or retire it, in one step and through the one door.

    Raises
    ------
    NotFound, InvalidInput
        As `planned` says.
    Conflict
        `same_state`, if nothing would change; `edition_changed`, if somebody else was faster.
    ConfigurationError, CharterViolation
        If the door refuses; what runs stays as it is.
    """
    with database.reading() as session:
        before = standing_plan(session)
    wanted = planned(base, before, proposal, state, change)
    if wanted.edition.content() == before.edition.content():
        raise Conflict("that is how it is already", code="same_state")
    if proposal.kind is not ProposalKind.RULE or state is not RuleState.RETIRED:
        # A rule less only makes verdicts milder; whatever else goes through the door.
        admit_over(database, base, before, wanted)
    with database.transaction() as session:
        return write(
            session,
            wanted,
            change,
            action=f"{proposal.kind.value}.{ACTIONS[state]}",
            subject=proposal.subject,
            details=_details(before.edition, proposal, state),
        )


def _details(before: Edition, proposal: Proposal, state: RuleState) -> dict[str, Any]:
    details: dict[str, Any] = {"to": state.value}
    if proposal.kind is ProposalKind.RULE:
        details["from"] = before.state_of(proposal.rule).value
    elif proposal.kind is ProposalKind.PACK:
        details["pack"] = proposal.digest
    elif proposal.kind is ProposalKind.BANDS:
        details["bands"] = proposal.document()["bands"]
    return details


def roll_back(database: Database, base: Base, number: int | None, change: Change) -> Edition:
    """Go back to an earlier edition, by default the one before; a new edition with the old content.

    No rule gets the right to remove by itself back: what is demoted stays demoted, and a proof that came
    later is given up.

    Raises
    ------
    NotFound
        If there is no such edition.
    Conflict
        `nothing_to_undo`, if it is the one that holds; `edition_changed`, if somebody else was faster.
    ConfigurationError, CharterViolation
        If the door refuses the old content by now.
    """
    with database.reading() as session:
        edition = newest(session)
        wanted = edition.number - 1 if number is None else number
        if wanted >= edition.number or wanted < 0:
            raise Conflict("there is nothing to go back to", code="nothing_to_undo")
        row = session.get(RulebookEdition, wanted)
        if row is None and wanted != 0:
            raise NotFound("there is no such edition")
        target = Edition.of(row) if row else Edition()
        back = replace(
            target,
            number=edition.number,
            automatic={
                subject: proof for subject, proof in edition.automatic.items() if subject in target.automatic
            },
            demoted=edition.demoted,
        )
        plan = Plan(back, tuple(packs_of(session, back)))
        before = Plan(edition, tuple(packs_of(session, edition)))
    admit_over(database, base, before, plan)
    with database.transaction() as session:
        return write(
            session,
            plan,
            change,
            action="rulebook.rolled_back",
            subject=f"edition:{wanted}",
            details={"from": edition.number, "to": wanted},
        )
