"""Hand a question to the organisation that it belongs to 问题分办, and take back what came by mistake.

A question asked on the provincial board that names a place is proposed for that place's organisation, or
handed to it at once where the setting says so. Whoever got it by mistake sends it back, with the reason,
and the service does not propose the same again. The clock keeps running, whoever has it, and every
hand-over stays on the record. The post itself stays on the board where it was asked.

Refuses: a hand-over without a reason, out of the actor's scope, to the same organisation, to one that
does not exist, or of a clock that has stopped; a return of what was never handed.

Neighbours: `sentiment` leaves the place of a post in its reading; `questions` starts the clocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from alerts.actor import Actor
from alerts.clock_rows import running
from models import audit
from models.clock import Clock, Handover
from models.database import Database
from models.demand import Setting
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion
from models.organisation import Organisation, ancestors, is_under, within
from models.outbox import tell_office
from models.reading import Reading
from models.service_vocabulary import ClockSubject, HandoverState
from models.vocabulary import OrganisationKind, Topic

AUTOMATIC_KEY: Final = "dispatch_automatic"
"""The setting: 1 hands provincial questions about a place over at once, 0 proposes it to an officer."""

SERVICE: Final = "service"
BY_PLACE: Final = "帖子提到这个地方。"
REASON: Final = 500
AT_ONCE: Final = 500
WINDOW: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DispatchReport:
    """How many questions one round proposed for another organisation, and how many it handed over."""

    suggested: int
    handed: int


def dispatch_due(database: Database, now: datetime) -> DispatchReport:
    """Propose or hand over the running questions of the provincial board that name a place."""
    with database.transaction() as session:
        return dispatch(session, now)


def dispatch(session: Session, now: datetime) -> DispatchReport:
    """Do one round inside a transaction."""
    provinces = select(Organisation.path).where(Organisation.kind == OrganisationKind.PROVINCE)
    settled = select(Handover.id).where(col(Handover.clock_id) == col(Clock.id)).exists()
    rows = session.exec(
        select(Clock, Reading.place)
        .join(Reading, col(Reading.post_id) == col(Clock.subject_id))
        .where(
            col(Clock.subject) == ClockSubject.QUESTION,
            *running(),
            col(Clock.started_at) >= now - WINDOW,
            col(Clock.organisation).in_(provinces),
            col(Reading.place).is_not(None),
            ~settled,
        )
        .order_by(col(Clock.due_at), col(Clock.id))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True, of=Clock)
    ).all()
    if not rows:
        return DispatchReport(0, 0)
    nodes = _nodes_by_name(session)
    automatic = _automatic(session)
    suggested = handed = 0
    for clock, place in rows:
        target = _target(nodes, place or "", clock.organisation)
        if target is None:
            continue
        if next((automatic[path] for path in ancestors(clock.organisation) if path in automatic), False):
            _hand(session, clock, target, BY_PLACE, by=SERVICE, place=place, now=now)
            handed += 1
        else:
            session.add(
                Handover(
                    clock_id=clock.id,
                    from_organisation=clock.organisation,
                    to_organisation=target,
                    state=HandoverState.SUGGESTED,
                    place=place,
                    reason=BY_PLACE,
                    made_by=SERVICE,
                    made_at=now,
                )
            )
            suggested += 1
    session.flush()
    return DispatchReport(suggested, handed)


def _nodes_by_name(session: Session) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for path, name, names in session.exec(
        select(Organisation.path, Organisation.name, Organisation.names).where(
            Organisation.kind != OrganisationKind.DEPARTMENT
        )
    ).all():
        for one in {name, *names}:
            named.setdefault(one, []).append(path)
    return named


def _target(nodes: dict[str, list[str]], place: str, board: str) -> str | None:
    """Return the one organisation under a board that a place names; None if none or several do."""
    found = [path for path in nodes.get(place, ()) if path != board and is_under(path, board)]
    return found[0] if len(found) == 1 else None


def _automatic(session: Session) -> dict[str, bool]:
    rows = session.exec(
        select(Setting).where(Setting.key == AUTOMATIC_KEY).order_by(col(Setting.changed_at), col(Setting.id))
    )
    return {row.organisation: row.value == 1 for row in rows}


def _hand(
    session: Session,
    clock: Clock,
    to: str,
    reason: str,
    *,
    by: str,
    now: datetime,
    place: str | None = None,
    state: HandoverState = HandoverState.HANDED,
) -> Handover:
    """Write a step to another organisation, and take it."""
    step = Handover(
        clock_id=clock.id,
        from_organisation=clock.organisation,
        to_organisation=to,
        state=state,
        place=place,
        reason=reason,
        made_by=by,
        made_at=now,
    )
    return _take(session, clock, step, by=by, now=now)


def _take(session: Session, clock: Clock, step: Handover, *, by: str, now: datetime) -> Handover:
    """Move a clock as a step says, and put it on record. Its limit stays as it is."""
    step.settled_by, step.settled_at = by, now
    clock.organisation = step.to_organisation
    clock.version += 1
    session.add_all([step, clock])
    session.flush()
    audit.record(
        session,
        now,
        actor=by,
        action=f"question.{step.state.value}",
        subject=f"clock:{clock.id}",
        organisation=step.to_organisation,
        details={"handover": step.id, "from": step.from_organisation, "to": step.to_organisation},
    )
    tell_office(
        session,
        step.to_organisation,
        Topic.QUESTION_HANDED,
        clock.id,
        payload={
            "clock": clock.id,
            "from": step.from_organisation,
            "to": step.to_organisation,
            "state": step.state.value,
            "due_at": clock.due_at.isoformat(),
        },
        now=now,
        occurrence=step.id,
    )
    return step


def _reason(reason: str) -> str:
    text = reason.strip()
    if not text or len(text) > REASON:
        raise InvalidInput("a hand-over needs its reason", code="reason_needed", field="/reason")
    return text


def _locked(session: Session, clock_id: str, actor: Actor, version: int | None) -> Clock:
    clock = session.exec(select(Clock).where(col(Clock.id) == clock_id).with_for_update()).one_or_none()
    if clock is None or clock.subject is not ClockSubject.QUESTION:
        raise NotFound("no such question, or none that you may see")
    actor.require(clock.organisation)
    if clock.stopped_at or clock.withdrawn_at:
        raise Conflict("this clock does not run", code="clock_stopped")
    if version is not None and clock.version != version:
        raise StaleVersion("the question was handed on meanwhile")
    return clock


def hand_over(
    session: Session,
    clock_id: str,
    actor: Actor,
    to: str,
    *,
    reason: str,
    now: datetime,
    version: int | None = None,
) -> Handover:
    """Hand a running question to another organisation anywhere in the tree.

    Raises
    ------
    NotFound, Conflict, StaleVersion
        If it is not in the actor's scope, does not run, or was handed on meanwhile.
    InvalidInput
        If there is no reason or no such organisation, or it has the question already.
    """
    clock = _locked(session, clock_id, actor, version)
    if session.get(Organisation, to) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    if to == clock.organisation:
        raise InvalidInput("it has the question already", code="same_organisation", field="/organisation")
    step = _hand(session, clock, to, _reason(reason), by=actor.audit_name, now=now)
    for open_one in _suggestions_of(session, clock.id):
        open_one.state, open_one.settled_by, open_one.settled_at = (
            HandoverState.DISMISSED,
            actor.audit_name,
            now,
        )
        session.add(open_one)
    session.flush()
    return step


def return_question(
    session: Session, clock_id: str, actor: Actor, *, reason: str, now: datetime, version: int | None = None
) -> Handover:
    """Send a question back to where it came from.

    Raises
    ------
    Conflict
        If it was not handed to the organisation that has it.
    """
    clock = _locked(session, clock_id, actor, version)
    last = next(
        (
            step
            for step in reversed(record_of(session, clock.id))
            if step.state in {HandoverState.HANDED, HandoverState.RETURNED}
        ),
        None,
    )
    if last is None or last.state is not HandoverState.HANDED or last.to_organisation != clock.organisation:
        raise Conflict("it was not handed to you", code="not_handed")
    return _hand(
        session,
        clock,
        last.from_organisation,
        _reason(reason),
        by=actor.audit_name,
        now=now,
        state=HandoverState.RETURNED,
    )


def settle_suggestion(
    session: Session, handover_id: str, actor: Actor, *, take: bool, now: datetime
) -> Handover:
    """Follow a proposal of the service, or dismiss it.

    Raises
    ------
    NotFound, Conflict
        If it is not in the actor's scope, or was settled already.
    """
    found = session.get(Handover, handover_id)
    if found is None:
        raise NotFound("no such suggestion, or none that you may see")
    clock = session.exec(select(Clock).where(col(Clock.id) == found.clock_id).with_for_update()).one()
    session.refresh(found)
    actor.require(found.from_organisation)
    if found.state is not HandoverState.SUGGESTED or clock.stopped_at or clock.withdrawn_at:
        raise Conflict("it is settled already", code="suggestion_settled")
    if take and clock.organisation != found.from_organisation:
        raise Conflict("it is settled already", code="suggestion_settled")
    if take:
        found.state = HandoverState.HANDED
        return _take(session, clock, found, by=actor.audit_name, now=now)
    found.state = HandoverState.DISMISSED
    found.settled_by, found.settled_at = actor.audit_name, now
    session.add(found)
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="question.suggestion_dismissed",
        subject=f"clock:{clock.id}",
        organisation=clock.organisation,
        details={"handover": found.id},
    )
    session.flush()
    return found


def _suggestions_of(session: Session, clock_id: str) -> Sequence[Handover]:
    return session.exec(
        select(Handover).where(
            col(Handover.clock_id) == clock_id, col(Handover.state) == HandoverState.SUGGESTED
        )
    ).all()


def record_of(session: Session, clock_id: str) -> list[Handover]:
    """Return every step of a question between organisations, first one first."""
    return list(
        session.exec(select(Handover).where(col(Handover.clock_id) == clock_id).order_by(col(Handover.id)))
    )


def suggestions(session: Session, scope: Sequence[str], *, limit: int = 100) -> list[tuple[Handover, Clock]]:
    """Return the open proposals for questions of a scope, the first to end first."""
    rows = session.exec(
        select(Handover, Clock)
        .join(Clock, col(Clock.id) == col(Handover.clock_id))
        .where(
            col(Handover.state) == HandoverState.SUGGESTED,
            *running(),
            within(Handover.from_organisation, scope),
        )
        .order_by(col(Clock.due_at), col(Handover.id))
        .limit(limit)
    ).all()
    return [(step, clock) for step, clock in rows]


def recent(session: Session, scope: Sequence[str], *, limit: int = 100) -> list[Handover]:
    """Return the newest hand-overs and returns from or to the organisations of a scope."""
    return list(
        session.exec(
            select(Handover)
            .where(
                col(Handover.state).in_([HandoverState.HANDED, HandoverState.RETURNED]),
                within(Handover.from_organisation, scope) | within(Handover.to_organisation, scope),
            )
            .order_by(col(Handover.id).desc())
            .limit(limit)
        )
    )
