"""Experts of the alliances 服务联盟 by field: invited to a question, answering in time, counted by field.

An invitation is a link that cannot be guessed; the officer passes it on, because the service keeps no
address of an expert. Who opens it reads the question, answers it on the platform under their own name, and
says here that they did, or that they cannot. The same 3 and 12 hours run as for a question.

Refuses: a second invitation of the same expert to the same question; a question that is not published; an
answer to an invitation that is settled or whose question is gone.

Neighbours: `clocks` has the limits, `questions` stops the question's own clock.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final

from sqlmodel import Session, col, select

from alerts import answers, clock_rows, clocks
from alerts.actor import Actor
from alerts.calendar import load_calendar
from alerts.placed import locked
from models import audit
from models.clock import Clock
from models.errors import Conflict, InvalidInput, NotFound
from models.expert import Expert, Invitation
from models.organisation import Organisation, is_under, within
from models.post import Post, PostRevision
from models.service_vocabulary import Answerer, ClockSubject, ExpertField, InvitationState
from models.vocabulary import PostKind, PostState

NAME: Final = 64
LINE: Final = 120
REASON: Final = 500


@dataclass(frozen=True, slots=True)
class ExpertPlan:
    """What is said of an expert."""

    name: str
    field: ExpertField
    title: str = ""
    alliance: str = ""


def _checked(plan: ExpertPlan) -> ExpertPlan:
    name, title, alliance = plan.name.strip(), plan.title.strip(), plan.alliance.strip()
    if not name or len(name) > NAME:
        raise InvalidInput("an expert has a name", code="empty", field="/name")
    for value, field in ((title, "/title"), (alliance, "/alliance")):
        if len(value) > LINE:
            raise InvalidInput(f"at most {LINE} characters", code="too_long", field=field)
    return ExpertPlan(name, plan.field, title, alliance)


def add_expert(
    session: Session, organisation: str, plan: ExpertPlan, actor: Actor, *, now: datetime
) -> Expert:
    """Put an expert on an organisation's list.

    Raises
    ------
    NotFound, InvalidInput
        If the place is out of reach or does not exist, or a field is wrong.
    """
    actor.require(organisation)
    if session.get(Organisation, organisation) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    checked = _checked(plan)
    expert = Expert(
        organisation=organisation,
        name=checked.name,
        title=checked.title,
        alliance=checked.alliance,
        field=checked.field,
        created_by=actor.audit_name,
        created_at=now,
    )
    session.add(expert)
    session.flush()
    _record(session, expert, actor, "expert.added", now)
    return expert


def end_expert(session: Session, expert_id: str, actor: Actor, *, version: int, now: datetime) -> Expert:
    """Take an expert off the list; open invitations end with it.

    Raises
    ------
    NotFound, StaleVersion
        If there is none within reach, or somebody changed it meanwhile.
    """
    expert = locked(session, Expert, expert_id, actor, called="expert", version=version)
    if expert.ended_at is None:
        expert.ended_at = now
        expert.version += 1
        session.add(expert)
        for one in session.exec(
            select(Invitation).where(
                Invitation.expert_id == expert.id, Invitation.state == InvitationState.OPEN
            )
        ).all():
            _settle(session, one, InvitationState.WITHDRAWN, now=now)
        _record(session, expert, actor, "expert.ended", now)
    return expert


def _record(session: Session, expert: Expert, actor: Actor, action: str, now: datetime) -> None:
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action=action,
        subject=f"expert:{expert.id}",
        organisation=expert.organisation,
        details={"field": expert.field.value},
    )
    session.flush()


def invite(
    session: Session, expert_id: str, clock_id: str, actor: Actor, *, now: datetime
) -> tuple[Invitation, str]:
    """Invite an expert to a question that runs; return the invitation and its token, shown once.

    Experts of the question's organisation and of every level above it may be invited.

    Raises
    ------
    NotFound, Conflict
        If expert or question are out of reach, the question does not wait, or the expert was invited.
    YearNotConfirmed
        If today's limit depends on a calendar that nobody has confirmed.
    """
    expert = session.get(Expert, expert_id)
    clock = session.get(Clock, clock_id)
    if expert is None or clock is None or clock.subject is not ClockSubject.QUESTION:
        raise NotFound("no such question or expert, or none that you may see")
    actor.require(clock.organisation)
    if not (actor.reaches(expert.organisation) or is_under(clock.organisation, expert.organisation)):
        raise NotFound("no such question or expert, or none that you may see")
    if clock.stopped_at or clock.withdrawn_at:
        raise Conflict("this clock does not run", code="clock_stopped")
    if expert.ended_at is not None:
        raise Conflict("the expert is not on the list any more", code="expert_ended")
    known = session.exec(
        select(Invitation.id).where(Invitation.expert_id == expert.id, Invitation.post_id == clock.subject_id)
    ).first()
    if known is not None:
        raise Conflict("the expert was invited already", code="already_invited")
    token = secrets.token_urlsafe(24)
    invitation = Invitation(
        expert_id=expert.id,
        post_id=clock.subject_id,
        organisation=clock.organisation,
        field=expert.field,
        token_hash=token_hash(token),
        invited_by=actor.audit_name,
        invited_at=now,
    )
    session.add(invitation)
    session.flush()
    rule = clocks.rule_of_invitation(now, load_calendar(session))
    clock_rows.start_for(
        session, ClockSubject.INVITATION, invitation.id, clock.organisation, rule=rule, now=now
    )
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="expert.invited",
        subject=f"invitation:{invitation.id}",
        organisation=clock.organisation,
        details={"expert": expert.id, "clock": clock.id},
    )
    return invitation, token


def token_hash(token: str) -> str:
    """Return what is kept of an invitation's token."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Opened:
    """What the holder of an invitation sees: the question as it stands, the expert, the limit."""

    invitation: Invitation
    expert: Expert
    text: str | None
    clock: Clock | None


def open_invitation(session: Session, token: str) -> Opened:
    """Return what stands behind an invitation's link.

    Raises
    ------
    NotFound
        If there is no such invitation. The text is None once the question is not published any more.
    """
    invitation = _by_token(session, token)
    row = session.exec(
        select(PostRevision.text, Post.state)
        .join(Post, col(Post.id) == col(PostRevision.post_id))
        .where(PostRevision.post_id == invitation.post_id, col(PostRevision.revision) == col(Post.revision))
    ).one()
    clock = clock_rows.of(session, ClockSubject.INVITATION, invitation.id)
    text = row[0] if row[1] is PostState.PUBLISHED else None
    return Opened(invitation, session.get_one(Expert, invitation.expert_id), text, clock)


def _by_token(session: Session, token: str, *, locked: bool = False) -> Invitation:
    query = select(Invitation).where(Invitation.token_hash == token_hash(token))
    found = session.exec(query.with_for_update() if locked else query).one_or_none()
    if found is None:
        raise NotFound("there is no such invitation")
    return found


def reply(session: Session, token: str, *, answered: bool, reason: str = "", now: datetime) -> Invitation:
    """Take the expert's word that they answered on the platform, or that they cannot, with the reason.

    Raises
    ------
    NotFound, Conflict, InvalidInput
        If there is no such invitation, it is settled, its question is gone, or a reason is missing.
    """
    invitation = _by_token(session, token, locked=True)
    if invitation.state is not InvitationState.OPEN:
        raise Conflict("the invitation is settled", code="invitation_settled")
    post = session.get_one(Post, invitation.post_id)
    if post.kind is not PostKind.QUESTION or post.state is not PostState.PUBLISHED:
        raise Conflict("the question is not there any more", code="question_gone")
    why = reason.strip()
    if len(why) > REASON or not (answered or why):
        raise InvalidInput("say in a few words why", code="reason_needed", field="/reason")
    expert = session.get_one(Expert, invitation.expert_id)
    if answered:
        youth_work = expert.field is ExpertField.YOUTH_WORK
        answers.answered_by_expert(
            session,
            post.id,
            invitation.id,
            by=Answerer.YOUTH_EXPERT if youth_work else Answerer.EXPERT,
            now=now,
        )
    invitation.reason = why
    state = InvitationState.ANSWERED if answered else InvitationState.DECLINED
    _settle(session, invitation, state, now=now)
    audit.record(
        session,
        now,
        actor=f"expert:{expert.id}",
        action=f"expert.{state.value}",
        subject=f"invitation:{invitation.id}",
        organisation=invitation.organisation,
    )
    session.flush()
    return invitation


def _settle(session: Session, invitation: Invitation, state: InvitationState, *, now: datetime) -> None:
    invitation.state, invitation.settled_at = state, now
    session.add(invitation)
    stopped = None if state is InvitationState.WITHDRAWN else now
    clock_rows.end_clock(session, ClockSubject.INVITATION, invitation.id, stopped=stopped, now=now)


def list_experts(session: Session, scope: Sequence[str], *, limit: int = 500) -> list[Expert]:
    """Return the experts of a scope who are on the list, by field and name."""
    return list(
        session.exec(
            select(Expert)
            .where(col(Expert.ended_at).is_(None), within(Expert.organisation, scope))
            .order_by(col(Expert.field), col(Expert.name))
            .limit(limit)
        )
    )


def for_question(session: Session, clock: Clock) -> list[Expert]:
    """Return whom a question's organisation may invite: its own experts and those of every level above."""
    rows = session.exec(
        select(Expert).where(col(Expert.ended_at).is_(None)).order_by(col(Expert.field), col(Expert.name))
    ).all()
    return [one for one in rows if is_under(clock.organisation, one.organisation)]


def invitations_of(session: Session, post_id: str) -> list[tuple[Invitation, str]]:
    """Return the invitations to one question with the experts' names, first one first."""
    rows = session.exec(
        select(Invitation, Expert.name)
        .join(Expert, col(Expert.id) == col(Invitation.expert_id))
        .where(Invitation.post_id == post_id)
        .order_by(col(Invitation.id))
    ).all()
    return [(invitation, name) for invitation, name in rows]


@dataclass(frozen=True, slots=True)
class FieldFigures:
    """What came of the invitations in one field. `hours` is the median time to an answer, in hours."""

    field: ExpertField
    invited: int
    answered: int
    in_time: int
    declined: int
    hours: float | None


def figures(session: Session, scope: Sequence[str], *, since: datetime) -> list[FieldFigures]:
    """Return what came of the invitations since a moment, by field and never by person."""
    rows = session.exec(
        select(Invitation, Clock)
        .join(Clock, col(Clock.subject_id) == col(Invitation.id))
        .where(
            Clock.subject == ClockSubject.INVITATION,
            col(Invitation.invited_at) >= since,
            within(Invitation.organisation, scope),
        )
    ).all()
    found = []
    for field in ExpertField:
        of_field = [(one, clock) for one, clock in rows if one.field is field]
        answered = [
            (one, clock)
            for one, clock in of_field
            if one.state is InvitationState.ANSWERED and one.settled_at
        ]
        waits = [
            (one.settled_at - one.invited_at).total_seconds() / 3600 for one, _ in answered if one.settled_at
        ]
        if of_field:
            found.append(
                FieldFigures(
                    field,
                    invited=len(of_field),
                    answered=len(answered),
                    in_time=sum(
                        clock.stopped_at is not None and clock.stopped_at <= clock.due_at
                        for _, clock in answered
                    ),
                    declined=sum(one.state is InvitationState.DECLINED for one, _ in of_field),
                    hours=round(median(waits), 1) if waits else None,
                )
            )
    return found
