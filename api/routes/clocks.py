"""Reply clocks over HTTP: what runs, who is called, who answered, and where a question goes.

Neighbours: `alerts/answers.py`, `escalation.py` and `dispatch.py` do the work.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from sqlmodel import Session

from alerts import answers, clocks, dispatch, escalation
from alerts.calendar import load_calendar
from api.dependencies import Now, Reading, Transaction, require
from api.routes.demands import actor_of
from api.schemas.alerts import Identifier, Limit
from api.schemas.clocks import (
    AnswerBody,
    AnsweredBody,
    BoardOut,
    CallOut,
    ClockCardOut,
    ClockOut,
    HandOverBody,
    HandoverOut,
    ReturnBody,
    RuleFiguresOut,
    SuggestionBody,
)
from api.security import Permission, Principal, authorise_found, scopes
from models.clock import Clock
from models.errors import InvalidInput, NotFound, NotPermitted

router = APIRouter(prefix="/v1", tags=["clocks"])

Reader = Annotated[Principal, Depends(require(Permission.CLOCKS_READ))]
Answering = Annotated[Principal, Depends(require(Permission.CLOCKS_ANSWER))]
Platform = Annotated[Principal, Depends(require(Permission.ANSWERS_WRITE))]
FIGURES: Final = timedelta(days=30)


def clock_in_reach(
    session: Session, clock_id: str, principal: Principal, permission: Permission = Permission.CLOCKS_READ
) -> Clock:
    """Return a clock that the principal may see.

    Raises
    ------
    NotFound
        If there is none, or none in reach.
    """
    clock = session.get(Clock, clock_id)
    if clock is None:
        raise NotFound("no such clock, or none that you may see")
    authorise_found(principal, permission, clock.organisation)
    return clock


def own_source(principal: Principal) -> str:
    """Return the source that a key speaks for.

    Raises
    ------
    NotPermitted
        If an account is asking.
    """
    if principal.source is None:
        raise NotPermitted("this comes in by a platform's key")
    return principal.source


def aware(moment: datetime, field: str) -> datetime:
    """Return a moment that says its time zone.

    Raises
    ------
    InvalidInput
        If it does not.
    """
    if moment.tzinfo is None:
        raise InvalidInput("a time with its offset, such as +08:00", code="no_offset", field=field)
    return moment


@router.get("/clocks")
def board(principal: Reader, session: Reading, now: Now, limit: Limit = 100) -> BoardOut:
    """List the clocks in scope that run, the first to end first, with the calls and the figures."""
    scope = scopes(principal, Permission.CLOCKS_READ)
    return BoardOut(
        clocks=[ClockOut.model_validate(one) for one in escalation.board(session, scope, limit=limit)],
        calls=[CallOut.model_validate(one) for one in escalation.open_calls(session, scope)],
        figures=[
            RuleFiguresOut.model_validate(one)
            for one in escalation.figures(session, scope, since=now - FIGURES, now=now)
        ],
    )


@router.get("/clocks/{clock_id}")
def one(clock_id: Identifier, principal: Reader, session: Reading) -> ClockCardOut:
    """Show one clock, in one sentence why it ends when it does, and who had it."""
    clock = clock_in_reach(session, clock_id, principal)
    why = clocks.explain(clock.rule, clock.started_at, clock.due_at, load_calendar(session))
    return ClockCardOut(
        clock=ClockOut.model_validate(clock),
        why_zh=why.zh,
        why_en=why.en,
        handovers=[HandoverOut.model_validate(step) for step in dispatch.record_of(session, clock.id)],
    )


@router.post("/clocks/{clock_id}:answer")
def answered(
    clock_id: Identifier, body: AnsweredBody, principal: Answering, session: Transaction, now: Now
) -> ClockOut:
    """Say that a question was answered on its platform; its clock stops."""
    actor = actor_of(principal, Permission.CLOCKS_ANSWER)
    clock = clock_in_reach(session, clock_id, principal, Permission.CLOCKS_ANSWER)
    stopped = answers.answered_by_hand(
        session, clock, by=body.by, actor=actor.audit_name, version=body.version, now=now
    )
    return ClockOut.model_validate(stopped)


@router.post("/clocks/{clock_id}:hand-over")
def hand_over(
    clock_id: Identifier, body: HandOverBody, principal: Answering, session: Transaction, now: Now
) -> HandoverOut:
    """Hand a question to another organisation; its clock keeps running."""
    step = dispatch.hand_over(
        session,
        clock_id,
        actor_of(principal, Permission.CLOCKS_ANSWER),
        body.organisation,
        reason=body.reason,
        version=body.version,
        now=now,
    )
    return HandoverOut.model_validate(step)


@router.post("/clocks/{clock_id}:return")
def give_back(
    clock_id: Identifier, body: ReturnBody, principal: Answering, session: Transaction, now: Now
) -> HandoverOut:
    """Send a question back that came by mistake."""
    step = dispatch.return_question(
        session,
        clock_id,
        actor_of(principal, Permission.CLOCKS_ANSWER),
        reason=body.reason,
        version=body.version,
        now=now,
    )
    return HandoverOut.model_validate(step)


@router.post("/clock-calls/{call_id}:seen")
def seen(call_id: Identifier, principal: Answering, session: Transaction, now: Now) -> CallOut:
    """Say that somebody has taken a call up."""
    call = escalation.mark_seen(session, call_id, actor_of(principal, Permission.CLOCKS_ANSWER), now=now)
    return CallOut.model_validate(call)


@router.post("/questions/{external_id:path}/answers", status_code=201)
def answer(
    external_id: str, body: AnswerBody, principal: Platform, session: Transaction, now: Now
) -> ClockOut:
    """Take a platform's word that a question of its own was answered; the same again changes nothing."""
    clock = answers.answered(
        session,
        own_source(principal),
        external_id,
        scope=scopes(principal, Permission.ANSWERS_WRITE),
        answer=body.answer,
        by=body.by,
        at=aware(body.answered_at, "/answered_at"),
        actor=principal.actor,
        now=now,
    )
    return ClockOut.model_validate(clock)


@router.get("/dispatch")
def proposals(principal: Reader, session: Reading, limit: Limit = 100) -> list[HandoverOut]:
    """List the proposals to hand a question to the place that it names, the first to end first."""
    found = dispatch.suggestions(session, scopes(principal, Permission.CLOCKS_READ), limit=limit)
    return [HandoverOut.model_validate(step) for step, _ in found]


@router.post("/dispatch/{handover_id}")
def settle(
    handover_id: Identifier, body: SuggestionBody, principal: Answering, session: Transaction, now: Now
) -> HandoverOut:
    """Follow a proposal, or dismiss it."""
    step = dispatch.settle_suggestion(
        session, handover_id, actor_of(principal, Permission.CLOCKS_ANSWER), take=body.take, now=now
    )
    return HandoverOut.model_validate(step)
