"""Start a clock for every valid question 有效提问, stop it when somebody answers, end it with its question.

A question is valid once it is published. Its clock begins when it was asked, or, if people looked at it
first, when they published it. It stops with the first answer: a published post that answers it, of
anybody but its own author; a platform's word that somebody answered; or an officer's. An answer that is
removed later stops nothing. A question that came in more than a day after it was asked was imported, and
no clock runs for it.

Refuses: a clock for a year that nobody has confirmed: the question waits for its clock, and the round
ends with the error that says so.

Neighbours: `clocks` knows the limits, `answers` stops a clock, `escalation` calls people, `dispatch` hands
questions on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from alerts import answers, clock_rows, clocks
from alerts.calendar import YearNotConfirmed, load_calendar
from models.clock import Clock, Handover, QuestionAnswer
from models.database import Database
from models.post import Post
from models.review import Decision, ReviewTask
from models.service_vocabulary import Answerer, ClockSubject
from models.vocabulary import Action, PostKind, PostState

WINDOW: Final = timedelta(days=7)
"""How far back a round looks for questions without a clock: longer than a worker may be away."""

IMPORTED: Final = timedelta(days=1)
"""A question that came in later than this after it was asked was imported."""

AT_ONCE: Final = 500
WRITTEN_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class QuestionsReport:
    """What one round did with clocks: how many it started, stopped, ran on and withdrew."""

    started: int
    stopped: int
    resumed: int
    withdrawn: int


def watch_questions(database: Database, now: datetime) -> QuestionsReport:
    """Bring the clocks of questions to where their posts are.

    What is to do is found out with no lock held, and written a few rows at a time, so that nobody
    waits for long who takes posts in meanwhile.

    Raises
    ------
    YearNotConfirmed
        At the end, if a question waits for a clock because its year is not confirmed.
    """
    with database.reading() as session:
        gone, changed = _gone(session), _has_changed(session, now)
        fresh, missing = _fresh(session, now)
        found = _answers(session)
    withdrawn = resumed = 0
    if gone:
        with database.transaction() as session:
            withdrawn = _withdraw(session, gone, now)
    if changed:
        with database.transaction() as session:
            resumed = _resume(session, now)
    for begin in range(0, len(fresh), WRITTEN_AT_ONCE):
        with database.transaction() as session:
            for clock in fresh[begin : begin + WRITTEN_AT_ONCE]:
                clock_rows.start(session, clock)
    stopped: set[str] = set()
    for begin in range(0, len(found), WRITTEN_AT_ONCE):
        with database.transaction() as session:
            stopped |= _stop(session, found[begin : begin + WRITTEN_AT_ONCE], now)
    if missing:
        raise YearNotConfirmed(min(missing))
    return QuestionsReport(len(fresh), len(stopped), resumed, withdrawn)


def _fresh(session: Session, now: datetime) -> tuple[list[Clock], set[int]]:
    """Return a clock for every question that has none, and the years that are not confirmed."""
    calendar, campuses = load_calendar(session), clock_rows.campuses(session)
    has_clock = (
        select(Clock.id)
        .where(col(Clock.subject) == ClockSubject.QUESTION, col(Clock.subject_id) == col(Post.id))
        .exists()
    )
    looked_at = select(ReviewTask.id).where(col(ReviewTask.post_id) == col(Post.id)).exists()
    found = session.exec(
        select(Post, looked_at)
        .where(
            col(Post.kind) == PostKind.QUESTION,
            col(Post.state) == PostState.PUBLISHED,
            col(Post.received_at) >= now - WINDOW,
            _is_live(session),
            ~has_clock,
        )
        .order_by(col(Post.received_at), col(Post.id))
        .limit(AT_ONCE)
    ).all()
    published = _published(session, [post.id for post, was_held in found if was_held])
    missing: set[int] = set()
    fresh: list[Clock] = []
    for post, was_held in found:
        begun = published.get(post.id, now) if was_held else min(post.created_at, now)
        try:
            fresh.append(clock_rows.clock_of_question(post, begun, calendar, campuses))
        except YearNotConfirmed as error:
            missing.add(error.year)
    return fresh, missing


def _is_live(session: Session) -> sa.ColumnElement[bool]:
    """Return the condition that a post came in within a day of being written, in the server's own words."""
    if session.get_bind().dialect.name == "sqlite":
        written, received = sa.func.julianday(Post.created_at), sa.func.julianday(Post.received_at)
        return received - written <= IMPORTED / timedelta(days=1)
    span = sa.type_coerce(col(Post.received_at), sa.DateTime(timezone=True)) - sa.type_coerce(
        col(Post.created_at), sa.DateTime(timezone=True)
    )
    return span <= sa.literal(IMPORTED, sa.Interval())


def _published(session: Session, posts: Sequence[str]) -> dict[str, datetime]:
    """Return when people published posts that they looked at first."""
    rows = session.exec(
        select(Decision.post_id, sa.func.max(Decision.decided_at))
        .where(col(Decision.post_id).in_(posts), col(Decision.action) == Action.PUBLISH)
        .group_by(col(Decision.post_id))
    ).all()
    return {post: decided for post, decided in rows if decided is not None}


@dataclass(frozen=True, slots=True)
class _Answer:
    """A published post that answers a question whose clock runs."""

    clock_id: str
    post_id: str
    key: str
    written: datetime


def _answers(session: Session) -> list[_Answer]:
    """Return the published posts that answer a running question and are not on record as answers."""
    question, answer = aliased(Post), aliased(Post)
    known = (
        select(QuestionAnswer.id)
        .where(
            col(QuestionAnswer.clock_id) == col(Clock.id),
            col(QuestionAnswer.post_id) == answer.id,
            col(QuestionAnswer.withdrawn_at).is_(None),
        )
        .exists()
    )
    rows = session.exec(
        select(Clock.id, answer.id, answer.external_id, answer.created_at)
        .join(question, col(Clock.subject_id) == col(question.id))
        .join(
            answer,
            sa.and_(
                col(answer.source) == col(question.source),
                col(answer.parent) == col(question.external_id),
                col(answer.kind) == PostKind.ANSWER,
                col(answer.state) == PostState.PUBLISHED,
                col(answer.author) != col(question.author),
            ),
        )
        .where(col(Clock.subject) == ClockSubject.QUESTION, *clock_rows.running(), ~known)
        .order_by(col(answer.created_at), col(answer.id))
        .limit(AT_ONCE)
    ).all()
    return [_Answer(*row) for row in rows]


def _stop(session: Session, found: Sequence[_Answer], now: datetime) -> set[str]:
    """Stop the clocks of questions that posts answer; return which."""
    running = {
        clock.id: clock
        for clock in session.exec(
            select(Clock)
            .where(col(Clock.id).in_([one.clock_id for one in found]), col(Clock.withdrawn_at).is_(None))
            .order_by(col(Clock.id))
            .with_for_update()
        )
    }
    for one in found:
        clock = running.get(one.clock_id)
        if clock is not None:
            at = max(one.written, clock.started_at)
            answers.note(
                session,
                clock,
                one.key,
                Answerer.YOUNG_PERSON,
                at,
                reported_by="service",
                now=now,
                post_id=one.post_id,
            )
    session.flush()
    return set(running)


def _removed_answers(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(QuestionAnswer.reported_at) >= now - WINDOW,
        col(QuestionAnswer.withdrawn_at).is_(None),
        col(Post.state) == PostState.REMOVED,
    )


def _questions_back(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(Clock.subject) == ClockSubject.QUESTION,
        col(Clock.stopped_at).is_(None),
        col(Clock.withdrawn_at) >= now - WINDOW,
        col(Post.state) == PostState.PUBLISHED,
    )


def _has_changed(session: Session, now: datetime) -> bool:
    """Return whether an answer was removed, or a question is back."""
    removed = (
        select(QuestionAnswer.id)
        .join(Post, col(Post.id) == col(QuestionAnswer.post_id))
        .where(*_removed_answers(now))
    )
    back = select(Clock.id).join(Post, col(Post.id) == col(Clock.subject_id)).where(*_questions_back(now))
    return any(session.exec(query.limit(1)).first() is not None for query in (removed, back))


def _resume(session: Session, now: datetime) -> int:
    """Take back the answers that were removed, and let clocks run again whose question is back."""
    gone = session.exec(
        select(QuestionAnswer, Clock)
        .join(Clock, col(Clock.id) == col(QuestionAnswer.clock_id))
        .join(Post, col(Post.id) == col(QuestionAnswer.post_id))
        .where(*_removed_answers(now))
    ).all()
    for answer, clock in gone:
        answer.withdrawn_at = now
        session.add(answer)
        session.flush()
        answers.settle(session, clock)
    back = session.exec(
        select(Clock, Post).join(Post, col(Post.id) == col(Clock.subject_id)).where(*_questions_back(now))
    ).all()
    if back:
        calendar, campuses = load_calendar(session), clock_rows.campuses(session)
        for clock, post in back:
            anew = clock_rows.clock_of_question(post, now, calendar, campuses)
            clock.rule, clock.started_at, clock.due_at = anew.rule, anew.started_at, anew.due_at
            clock.withdrawn_at = clock.stage = None
            clock.next_at = clocks.next_call(clock.rule, clock.due_at, None)
            clock.version += 1
            session.add(clock)
    session.flush()
    return len({clock.id for _, clock in gone}) + len(back)


def _lost() -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(Clock.subject) == ClockSubject.QUESTION,
        *clock_rows.running(),
        col(Post.state) != PostState.PUBLISHED,
    )


def _gone(session: Session) -> Sequence[str]:
    """Return the running clocks of questions that are not published any more."""
    return session.exec(
        select(Clock.id).join(Post, col(Post.id) == col(Clock.subject_id)).where(*_lost()).limit(AT_ONCE)
    ).all()


def _withdraw(session: Session, clocks_of: Sequence[str], now: datetime) -> int:
    """End the clocks of questions that are still not published."""
    rows = session.exec(
        select(Clock)
        .join(Post, col(Post.id) == col(Clock.subject_id))
        .where(col(Clock.id).in_(clocks_of), *_lost())
    ).all()
    for clock in rows:
        clock.withdrawn_at, clock.next_at = now, None
        clock.version += 1
        session.add(clock)
    session.flush()
    # What a question named goes with its clock: the steps stay, the place does not (charter, 10).
    session.connection().execute(
        sa.update(Handover).where(col(Handover.clock_id).in_([clock.id for clock in rows])).values(place=None)
    )
    return len(rows)
