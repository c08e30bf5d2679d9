"""Editions of the rulebook: what holds on top of the files, changed at run time and rolled back.

An edition names the rules that run in shadow or are retired, the proposed packs that run beside the
files, thresholds, a bundle, what is on trial, and which rules won or lost the right to remove by
themselves. A change is one new row, with who made it and why, and an entry in the audit log in the same
transaction. The newest row holds; `running` picks it up in every process.

Refuses: a change without a reason, and one that another change has overtaken.

Neighbours: `arrangement` builds what an edition stands for, `switching` goes through the door to a new
one, `automation` takes rights away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.errors import Conflict, InvalidInput
from models.rulebook import ProposedPack, RulebookEdition
from models.vocabulary import Category, RuleState

REASON_LIMIT: Final = 1_000


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
            bands=pairs_of(content["bands"]),
            bundle=content["bundle"],
            trial_bands=pairs_of(content["trial_bands"]),
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


def pairs_of(content: Mapping[str, Sequence[float]]) -> dict[Category, tuple[float, float]]:
    """Return the thresholds that a record holds, by category."""
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


@dataclass(frozen=True, slots=True)
class Plan:
    """An edition with the packs that it names."""

    edition: Edition
    packs: tuple[ProposedPack, ...] = ()


def standing_plan(session: Session) -> Plan:
    """Return what holds."""
    edition = newest(session)
    return Plan(edition, tuple(packs_of(session, edition)))


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
