"""The board of reply clocks, and the card of one: why it ends when it does, who answers, where it goes.

The text of a question is shown on its card to those who answer for its organisation, and each such look
is on the audit log.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session, col, select

from alerts import answers, clocks, dispatch, duty, escalation, experts, stations
from alerts.calendar import Calendar, load_calendar
from api.console import page, words
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import people
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.clocks import FIGURES, clock_in_reach
from api.routes.demands import actor_of
from api.routes.experts import invitation_address
from api.security import Permission, Principal, allows, authorise_found, holds, scopes
from models import audit
from models.clock import Clock
from models.organisation import Organisation
from models.post import Post, PostRevision
from models.service_vocabulary import Answerer, ClockSubject
from models.vocabulary import PostState

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.CLOCKS_READ))]
Answering = Annotated[Principal, Depends(require(Permission.CLOCKS_ANSWER))]
Inviting = Annotated[Principal, Depends(require(Permission.EXPERTS_MANAGE))]
Referring = Annotated[Principal, Depends(require(Permission.STATIONS_REFER))]
SHOWN: Final = 200
NOVEMBER: Final = 11
Version = Annotated[int, Form()]
Why = Annotated[str, Form(max_length=2_000)]


@dataclass(frozen=True, slots=True)
class Left:
    """How long a clock still has, in the reader's words, and whether it is over."""

    words: str
    is_over: bool


def left(clock: Clock, now: datetime, language: str) -> Left:
    """Return how long a clock still has, or how long it is over."""
    rest = (clock.stopped_at or now) - clock.due_at
    minutes = int(abs(rest).total_seconds() // 60)
    is_over = rest > timedelta(0)
    key = "clocks.over" if is_over else "clocks.left"
    return Left(words.phrase(key, language, hours=minutes // 60, minutes=minutes % 60), is_over)


def unconfirmed(calendar: Calendar, now: datetime) -> list[int]:
    """Return the years that nobody has confirmed though they are here, or about to come."""
    day = duty.today(now)
    years = [day.year, *([day.year + 1] if day.month >= NOVEMBER else [])]
    return [year for year in years if year not in calendar.years]


@router.get("/clocks")
def board(request: Request, principal: Reader, session: Reading, now: Now) -> Response:
    """Show what runs, the first to end first, and whom it calls."""
    scope = scopes(principal, Permission.CLOCKS_READ)
    language = page.language_of(request, principal)
    calendar = load_calendar(session)
    running = escalation.board(session, scope, limit=SHOWN)
    calls = escalation.open_calls(session, scope)
    places = {one.organisation for one in running} | {one.about for one in calls}
    return page.render(
        request,
        "clocks.html",
        principal=principal,
        clocks=running,
        calls=calls,
        seeing={call.id for call in calls if allows(principal, Permission.CLOCKS_ANSWER, call.organisation)},
        left={one.id: left(one, now, language) for one in running},
        why={
            one.id: getattr(clocks.explain(one.rule, one.started_at, one.due_at, calendar), language)
            for one in running
        },
        figures=escalation.figures(session, scope, since=now - FIGURES, now=now),
        names=organisation_names(session, places),
        on_duty=duty.on_duty(session, places, now=now),
        years=unconfirmed(calendar, now),
    )


@router.post("/clocks/calls/{call_id}")
def seen(call_id: str, principal: Answering, session: Transaction, now: Now) -> Response:
    """Put on record that somebody follows a call up."""
    escalation.mark_seen(session, call_id, actor_of(principal, Permission.CLOCKS_ANSWER), now=now)
    return page.go("/clocks", "call_seen")


def question_text(session: Session, post_id: str) -> str | None:
    """Return the text of a published question."""
    return session.exec(
        select(PostRevision.text)
        .join(Post, col(Post.id) == col(PostRevision.post_id))
        .where(
            PostRevision.post_id == post_id,
            col(PostRevision.revision) == col(Post.revision),
            Post.state == PostState.PUBLISHED,
        )
    ).one_or_none()


@router.get("/clocks/{clock_id}")
def card(request: Request, clock_id: str, principal: Reader, session: Transaction, now: Now) -> Response:
    """Show one clock with what can be done about it."""
    return _card(request, clock_id, principal, session, now=now)


def _card(
    request: Request,
    clock_id: str,
    principal: Principal,
    session: Session,
    *,
    now: datetime,
    link: str | None = None,
) -> Response:
    clock = clock_in_reach(session, clock_id, principal)
    is_question = clock.subject is ClockSubject.QUESTION
    runs = clock.stopped_at is None and clock.withdrawn_at is None
    answering = is_question and allows(principal, Permission.CLOCKS_ANSWER, clock.organisation)
    if answering:
        audit.record(
            session,
            now,
            actor=principal.actor,
            action="question.viewed",
            subject=f"post:{clock.subject_id}",
            organisation=clock.organisation,
        )
    steps = dispatch.record_of(session, clock.id) if is_question else []
    language = page.language_of(request, principal)
    why = clocks.explain(clock.rule, clock.started_at, clock.due_at, load_calendar(session))
    named = {
        clock.organisation,
        *(path for one in steps for path in (one.from_organisation, one.to_organisation)),
    }
    return page.render(
        request,
        "clock.html",
        principal=principal,
        clock=clock,
        is_question=is_question,
        left=left(clock, now, language),
        why=getattr(why, language),
        text=question_text(session, clock.subject_id) if answering else None,
        answers=answering,
        may_answer=answering and runs,
        may_return=answering and runs and bool(steps) and steps[-1].to_organisation == clock.organisation,
        answerers=list(Answerer),
        places=_places(session, clock) if answering else [],
        experts=experts.for_question(session, clock)
        if runs and is_question and holds(principal, Permission.EXPERTS_MANAGE)
        else [],
        invited=experts.invitations_of(session, clock.subject_id) if is_question else [],
        stations=stations.list_stations(session, None)
        if answering and allows(principal, Permission.STATIONS_REFER, clock.organisation)
        else [],
        referred=stations.referrals_of(session, clock.subject_id) if is_question else [],
        steps=steps,
        people=people(session, [one.made_by for one in steps]),
        names=organisation_names(session, named),
        link=link,
    )


def _places(session: Session, clock: Clock) -> list[Organisation]:
    """Return where a question may go: every other organisation, because what belongs elsewhere goes there."""
    rows = session.exec(select(Organisation).order_by(col(Organisation.path))).all()
    return [one for one in rows if one.path != clock.organisation]


@router.post("/clocks/{clock_id}/answer")
def answered(
    *,
    clock_id: str,
    principal: Answering,
    session: Transaction,
    now: Now,
    by: Annotated[Answerer, Form()],
    version: Version,
) -> Response:
    """Say that the question was answered on its platform."""
    clock = clock_in_reach(session, clock_id, principal, Permission.CLOCKS_ANSWER)
    answers.answered_by_hand(session, clock, by=by, actor=principal.actor, version=version, now=now)
    return page.go("/clocks", "answered")


@router.post("/clocks/{clock_id}/hand-over")
def hand_over(
    *,
    clock_id: str,
    principal: Answering,
    session: Transaction,
    now: Now,
    organisation: Annotated[str, Form(max_length=200)],
    version: Version,
    reason: Why = "",
) -> Response:
    """Hand the question to another organisation."""
    actor = actor_of(principal, Permission.CLOCKS_ANSWER)
    dispatch.hand_over(session, clock_id, actor, organisation, reason=reason, version=version, now=now)
    return page.go("/clocks", "handed")


@router.post("/clocks/{clock_id}/return")
def give_back(
    *, clock_id: str, principal: Answering, session: Transaction, now: Now, version: Version, reason: Why = ""
) -> Response:
    """Send the question back."""
    actor = actor_of(principal, Permission.CLOCKS_ANSWER)
    dispatch.return_question(session, clock_id, actor, reason=reason, version=version, now=now)
    return page.go("/clocks", "given_back")


@router.post("/clocks/{clock_id}/invite")
def invite(
    *,
    request: Request,
    clock_id: str,
    principal: Inviting,
    session: Transaction,
    now: Now,
    service: TheService,
    expert: Annotated[str, Form(max_length=32)],
) -> Response:
    """Invite an expert, and show the link once."""
    actor = actor_of(principal, Permission.EXPERTS_MANAGE)
    _, token = experts.invite(session, expert, clock_id, actor, now=now)
    address = invitation_address(service.settings.public_url, token)
    return _card(request, clock_id, principal, session, now=now, link=address)


@router.post("/clocks/{clock_id}/refer")
def refer(
    *,
    clock_id: str,
    principal: Referring,
    session: Transaction,
    now: Now,
    station: Annotated[str, Form(max_length=120)],
) -> Response:
    """Refer the question's author to a station; the form sends the station and the service."""
    clock = clock_in_reach(session, clock_id, principal)
    authorise_found(principal, Permission.STATIONS_REFER, clock.organisation)
    station_id, _, service = station.partition(":")
    actor = actor_of(principal, Permission.STATIONS_REFER)
    stations.refer(session, station_id, actor, service=service, post_id=clock.subject_id, now=now)
    return page.go(f"/clocks/{clock_id}", "referred")
