"""Put an answer to a question on record, and stop its clock at the first one that stands.

Whoever may answer: the liaison or the duty officer, an expert, another young person, the official
account. It comes as a post that the service saw itself, as a platform's word, or as an officer's.

Refuses: an answer in the future or before its question; one to what is no published question.

Neighbours: `questions` watches the posts, `experts` brings what invited experts say.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from alerts import clock_rows, clocks
from alerts.calendar import load_calendar
from models import audit
from models.clock import Clock, QuestionAnswer
from models.errors import Conflict, InvalidInput, NotFound
from models.organisation import reaches
from models.post import Post
from models.service_vocabulary import Answerer, ClockSubject
from models.vocabulary import PostKind, PostState

AHEAD: Final = timedelta(minutes=5)
"""How far a platform's clock may be ahead of ours."""

BY_HAND: Final = "by-hand"


def note(
    session: Session,
    clock: Clock,
    key: str,
    answerer: Answerer,
    at: datetime,
    *,
    reported_by: str,
    now: datetime,
    post_id: str | None = None,
) -> QuestionAnswer:
    """Put an answer on record and stop the clock at the earliest one."""
    row = session.exec(
        select(QuestionAnswer).where(
            col(QuestionAnswer.clock_id) == clock.id, col(QuestionAnswer.answer_key) == key
        )
    ).one_or_none()
    if row is None:
        row = QuestionAnswer(
            clock_id=clock.id,
            answer_key=key,
            answered_by=answerer,
            answered_at=at,
            reported_by=reported_by,
            reported_at=now,
        )
    elif post_id is None and reported_by != "service":
        # The platform knows better who wrote a post that the service took for a young person's.
        row.answered_by = answerer
    row.withdrawn_at = None
    row.post_id = post_id or row.post_id
    session.add(row)
    session.flush()
    settle(session, clock)
    return row


def settle(session: Session, clock: Clock) -> None:
    """Stop a clock at its first answer that stands; let it run on if there is none."""
    first = session.exec(
        select(QuestionAnswer)
        .where(col(QuestionAnswer.clock_id) == clock.id, col(QuestionAnswer.withdrawn_at).is_(None))
        .order_by(col(QuestionAnswer.answered_at), col(QuestionAnswer.id))
    ).first()
    clock.stopped_at = first.answered_at if first else None
    clock.stopped_by = first.answered_by if first else None
    clock.next_at = None if first else clocks.next_call(clock.rule, clock.due_at, clock.stage)
    clock.version += 1
    session.add(clock)


def answered(
    session: Session,
    source: str,
    external_id: str,
    *,
    scope: Sequence[str],
    answer: str,
    by: Answerer,
    at: datetime,
    actor: str,
    now: datetime,
) -> Clock:
    """Take a platform's word that somebody answered a question of its own; return the clock.

    Parameters
    ----------
    answer
        The answer's identifier at the platform; the same again changes nothing but who answered.

    Raises
    ------
    NotFound
        If there is no such question within the scope.
    InvalidInput
        If the answer lies in the future or before the question.
    Conflict
        If the post is no question, or not published.
    """
    post = session.exec(
        select(Post).where(col(Post.source) == source, col(Post.external_id) == external_id)
    ).one_or_none()
    if post is None or not reaches(scope, post.organisation):
        raise NotFound("there is no such question")
    if post.kind is not PostKind.QUESTION or post.state is not PostState.PUBLISHED:
        raise Conflict("only a published question is answered", code="no_open_question")
    if at > now + AHEAD or at < post.created_at:
        raise InvalidInput(
            "an answer comes after its question and not in the future",
            code="answered_at",
            field="/answered_at",
        )
    clock = clock_rows.locked(session, ClockSubject.QUESTION, post.id)
    if clock is None:
        calendar, campuses = load_calendar(session), clock_rows.campuses(session)
        begun = clock_rows.clock_of_question(post, post.created_at, calendar, campuses)
        clock_rows.start(session, begun)
        clock = clock_rows.locked(session, ClockSubject.QUESTION, post.id)
    if clock is None:
        raise NotFound("there is no such question")
    note(session, clock, answer, by, max(at, clock.started_at), reported_by=actor, now=now)
    session.flush()
    return clock


def answered_by_hand(
    session: Session, clock: Clock, *, by: Answerer, actor: str, version: int, now: datetime
) -> Clock:
    """Stop a question's clock on an officer's word that it was answered on the platform.

    Raises
    ------
    Conflict
        If it does not run, or somebody changed it meanwhile.
    """
    if clock.subject is not ClockSubject.QUESTION or clock.stopped_at or clock.withdrawn_at:
        raise Conflict("this clock does not run", code="clock_stopped")
    if clock.version != version:
        raise Conflict("the clock was changed meanwhile", code="stale_version")
    note(session, clock, f"{BY_HAND}:{actor}", by, now, reported_by=actor, now=now)
    audit.record(
        session,
        now,
        actor=actor,
        action="question.answered",
        subject=f"clock:{clock.id}",
        organisation=clock.organisation,
        details={"by": by.value},
    )
    session.flush()
    return clock


def answered_by_expert(
    session: Session, post_id: str, invitation_id: str, *, by: Answerer, now: datetime
) -> None:
    """Stop a question's clock on the word of an expert who was invited to it, if it still runs."""
    clock = clock_rows.locked(session, ClockSubject.QUESTION, post_id)
    if clock is not None and clock.withdrawn_at is None:
        key = f"invitation:{invitation_id}"
        note(session, clock, key, by, now, reported_by=key, now=now)
