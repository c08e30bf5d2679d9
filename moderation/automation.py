"""Keep removal without a person to what is proven, and take the right away by itself (charter, 3).

A rule, or the probability of a category, removes by itself only while the lower 95 % bound of its
precision is at or above the published level. The evidence is its proof at the start, displaced post by
post by what people decide about its posts later (`precision.displaced`). `review_due` looks at it; below
the level it makes an edition in which the right is gone, raises a notice to the operators, tells the
offices at the top, and writes why on the audit log. From the next batch on, what would have been removed
is held.

It never gives a right. A person does, with `prove`: from officers' decisions of the last half year alone,
for one rule and its own clause, through the door, on the audit log. Neither a file nor a setting nor a
way back to an older edition undoes a demotion.

Neighbours: `outcomes` counts, `editions` keeps, `running` picks up, the timetable calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from models.database import Database
from models.errors import CharterViolation, Conflict, NotFound
from models.organisation import Organisation
from models.outbox import tell_offices
from models.rulebook import RuleNotice
from models.vocabulary import HARMS, RuleState, Topic
from moderation import arrangement, editions
from moderation.arrangement import Base
from moderation.editions import Change, Edition, Plan
from moderation.outcomes import judgements, precisions
from moderation.policy import Policy
from moderation.precision import Precision, displaced
from moderation.rules import Rule, RuleAction

MACHINE: Final = "machine:automation"
LOOKS_BACK: Final = timedelta(days=180)
"""What people decided longer ago says little about a rule today."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known about something that may remove by itself, and whether it still may."""

    subject: str
    evidence: Precision
    reviewed: Precision
    level: float

    @property
    def holds(self) -> bool:
        """Whether the bound is at or above the published level."""
        return self.evidence.bound >= self.level


def standings(policy: Policy, reviewed: Mapping[str, Precision]) -> list[Standing]:
    """Return what is known about everything that may remove by itself under a policy. Pure."""
    found = []
    for subject, proof in sorted(policy.proven.items()):
        seen = reviewed.get(subject, Precision())
        evidence = displaced(proof.lower_bound, seen)
        found.append(Standing(subject, evidence, seen, policy.level))
    return found


@dataclass(frozen=True, slots=True)
class AutomationReport:
    """What one round looked at, and what lost its right."""

    looked_at: int
    demoted: tuple[str, ...]


def review_due(database: Database, policy: Policy, now: datetime) -> AutomationReport:
    """Look at everything that may remove by itself, and demote what is no longer proven.

    `policy` is the files' own; the newest edition is asked for here. Safe to run twice and by several
    workers: what is demoted already is not looked at.
    """
    with database.reading() as session:
        edition = editions.newest(session)
        arranged = arrangement.arranged(policy, edition)
        if not arranged.proven:
            return AutomationReport(0, ())
        found = judgements(session, now - LOOKS_BACK, now)
        looked = standings(arranged, precisions(found.values(), subjects=arranged.proven.keys()))
    # Without a review a proof stands as it was made; the policy refuses one below the level by itself.
    lost = [one for one in looked if one.reviewed.decided and not one.holds]
    for one in lost:
        with database.transaction() as session:
            demote(session, one, now=now)
    return AutomationReport(len(looked), tuple(one.subject for one in lost))


def demote(session: Session, why: Standing, *, now: datetime) -> Edition | None:
    """Take the right to remove away from one rule or category; None if it is gone already."""
    edition = editions.newest(session)
    if why.subject in edition.demoted:
        return None
    reason = (
        f"{why.reviewed.overturned} of {why.reviewed.decided} reviewed posts were overturned: the lower 95 % "
        f"bound of precision is {why.evidence.bound:.4f}, below the published level of {why.level:.2f}"
    )
    details: dict[str, Any] = {
        "lower_bound": round(why.evidence.bound, 4),
        "level": why.level,
        "confirmed": why.reviewed.confirmed,
        "overturned": why.reviewed.overturned,
        "at": now.isoformat(),
    }
    made = editions.write(
        session,
        Plan(replace(edition, demoted={**edition.demoted, why.subject: details})),
        Change(MACHINE, reason, now),
        action="automation.demoted",
        subject=why.subject,
        details=details,
    )
    for office in _top(session):
        session.add(
            RuleNotice(organisation=office, subject=why.subject, text=reason, details=details, raised_at=now)
        )
        tell_offices(
            session,
            office,
            Topic.RULE_DEMOTED,
            f"edition-{made.number}",
            payload={"subject": why.subject, "edition": made.number, **details},
            now=now,
            occurrence=office,
        )
    session.flush()
    return made


def _top(session: Session) -> list[str]:
    """Return the organisations above which there is none."""
    return [path for path in session.exec(select(Organisation.path)).all() if "/" not in path]


def evidence_for(session: Session, subject: str, now: datetime) -> Precision:
    """Return what people decided about one subject in the time that counts."""
    found = judgements(session, now - LOOKS_BACK, now)
    return precisions(found.values(), subjects={subject}).get(subject, Precision())


def prove(database: Database, base: Base, rule_id: str, change: Change) -> Edition:
    """Let a rule remove by itself, because officers' decisions have proven it for its clause.

    Raises
    ------
    NotFound
        If there is no such rule.
    Conflict
        `not_proven`, if the bound is below the level.
    CharterViolation
        `never_removes`, if it is a rule that may not remove at all; `regression`, if it would remove a
        post that an objection restored.
    """
    with database.reading() as session:
        plan = editions.standing_plan(session)
        evidence = evidence_for(session, rule_id, change.now)
    rule = next((one for one in arrangement.read(base, plan.packs).rules if one.id == rule_id), None)
    if rule is None:
        raise NotFound("there is no such rule")
    _refuse_unless_it_may(rule, plan.edition)
    if evidence.bound < base.policy.level:
        raise Conflict(
            f"{evidence.confirmed} of {evidence.decided} reviewed posts were confirmed: the lower 95 % bound "
            f"is {evidence.bound:.4f}, and the published level is {base.policy.level:.2f}",
            code="not_proven",
        )
    proof = {
        "lower_bound": round(evidence.bound, 6),
        "confirmed": evidence.confirmed,
        "overturned": evidence.overturned,
        "measured_on": f"officers' decisions until {change.now:%Y-%m-%d}",
    }
    edition = replace(
        plan.edition,
        automatic={**plan.edition.automatic, rule_id: proof},
        demoted={name: why for name, why in plan.edition.demoted.items() if name != rule_id},
    )
    wanted = replace(plan, edition=edition)
    arrangement.admit_over(database, base, plan, wanted)
    with database.transaction() as session:
        return editions.write(
            session, wanted, change, action="automation.proven", subject=rule_id, details=proof
        )


def _refuse_unless_it_may(rule: Rule, edition: Edition) -> None:
    if rule.category not in HARMS or rule.behaviour is not None:
        raise CharterViolation("a rule on self-harm or on how posts come never removes", code="never_removes")
    if rule.action is RuleAction.SIGNAL:
        raise CharterViolation("a signal never acts alone", code="never_removes")
    if edition.state_of(rule.id) is not RuleState.ACTIVE:
        raise CharterViolation("only a rule that is active can be proven", code="never_removes")


def open_notices(session: Session) -> list[RuleNotice]:
    """Return the notices that nobody has seen yet, newest first."""
    return list(
        session.exec(
            select(RuleNotice)
            .where(col(RuleNotice.seen_at).is_(None))
            .order_by(col(RuleNotice.raised_at).desc(), col(RuleNotice.id).desc())
        )
    )


def see(session: Session, notice_id: str, *, actor: str, now: datetime) -> RuleNotice:
    """Put on record that somebody has seen a notice. Doing it twice changes nothing.

    Raises
    ------
    NotFound
        If there is none.
    """
    notice = session.get(RuleNotice, notice_id)
    if notice is None:
        raise NotFound("there is no such notice")
    if notice.seen_at is None:
        notice.seen_at, notice.seen_by = now, actor
        session.add(notice)
        session.flush()
    return notice
