"""Sign-ups to a station's activity: a place taken through a platform, taken back, rated.

A platform signs somebody up under a key of its own, made anew for each sign-up so that it leads to nobody,
and gets a code that they show when they come; the station learns no name. A place is taken in one statement
that the database refuses beyond the capacity. Whoever came may rate it once, through the platform.

Refuses: a sign-up to what is full, over or called off; a rating of what one did not come to.

Neighbours: `activities` plans them and says who came; `bookings` does the same for single appointments.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from alerts.activities import locked
from alerts.bookings import ALPHABET, BEST, CODE, KEY
from models import audit
from models.errors import Conflict, InvalidInput, NotFound
from models.organisation import reaches
from models.service_vocabulary import SignUpState
from models.station import ActivitySignUp, StationActivity


def sign_up(
    session: Session,
    activity_id: str,
    key: str,
    *,
    source: str,
    scope: Sequence[str],
    actor: str,
    now: datetime,
) -> tuple[ActivitySignUp, bool]:
    """Take a place for somebody; return the sign-up and whether it is new. The same key is answered alike.

    Raises
    ------
    NotFound
        If there is no such activity in reach.
    InvalidInput
        If the key is empty or too long.
    Conflict
        If the activity is full, has begun, or is called off.
    """
    activity = session.get(StationActivity, activity_id)
    if activity is None or not reaches(scope, activity.organisation):
        raise NotFound("there is no such activity")
    if not key.strip() or len(key) > KEY:
        raise InvalidInput(f"1 to {KEY} characters", field="/key")
    known = _known(session, activity.id, source, key)
    if known is not None:
        return known, False
    if activity.cancelled_at is not None or activity.starts_at <= now:
        raise Conflict("the activity is over or called off", code="activity_over")
    _take_place(session, activity.id)
    made = ActivitySignUp(
        activity_id=activity.id,
        source=source,
        key=key,
        code="".join(secrets.choice(ALPHABET) for _ in range(CODE)),
        signed_up_at=now,
    )
    if not _insert(session, made):
        # Somebody with the same key came in between: theirs stands, and our place goes back.
        _give_back(session, activity.id)
        again = _known(session, activity.id, source, key)
        if again is None:
            raise Conflict("the key is in use", code="key_in_use")
        return again, False
    _note(session, activity, made.id, actor, action="activity.signed_up", now=now)
    return session.get_one(ActivitySignUp, made.id), True


def take_back(session: Session, sign_up_id: str, *, source: str, actor: str, now: datetime) -> ActivitySignUp:
    """Take a sign-up back on the word of its platform, before the activity begins.

    Raises
    ------
    NotFound, Conflict
        If it is none of the platform's, settled, or the activity has begun.
    """
    one, activity = _own(session, sign_up_id, source)
    if one.state is not SignUpState.SIGNED_UP:
        raise Conflict(f"the sign-up is {one.state.value}", code="sign_up_settled")
    if activity.starts_at <= now:
        raise Conflict("the activity has begun", code="activity_over")
    one.state, one.settled_at = SignUpState.CANCELLED, now
    one.version += 1
    session.add(one)
    session.flush()
    _give_back(session, activity.id)
    _note(session, activity, one.id, actor, action="activity.taken_back", now=now)
    return one


def rate(
    session: Session, sign_up_id: str, stars: int, *, source: str, actor: str, now: datetime
) -> ActivitySignUp:
    """Take the rating of who came, once.

    Raises
    ------
    NotFound, Conflict, InvalidInput
        If it is none of the platform's, nobody came, it was rated before, or the rating is none.
    """
    one, activity = _own(session, sign_up_id, source)
    if not 1 <= stars <= BEST:
        raise InvalidInput(f"1 to {BEST}", field="/stars")
    if one.state is not SignUpState.CAME:
        raise Conflict(f"the sign-up is {one.state.value}", code="sign_up_settled")
    if one.rating is not None:
        raise Conflict("it was rated already", code="already_rated")
    one.rating, one.rated_at = stars, now
    one.version += 1
    session.add(one)
    session.flush()
    _note(session, activity, one.id, actor, action="activity.rated", now=now)
    return one


def _own(session: Session, sign_up_id: str, source: str) -> tuple[ActivitySignUp, StationActivity]:
    """Return a platform's own sign-up with its activity, both held."""
    one = session.get(ActivitySignUp, sign_up_id)
    if one is None or one.source != source:
        raise NotFound("no such sign-up, or none that you may see")
    activity = locked(session, one.activity_id)
    session.refresh(one)
    return one, activity


def _known(session: Session, activity_id: str, source: str, key: str) -> ActivitySignUp | None:
    return session.exec(
        select(ActivitySignUp).where(
            ActivitySignUp.activity_id == activity_id,
            ActivitySignUp.source == source,
            ActivitySignUp.key == key,
        )
    ).one_or_none()


def _take_place(session: Session, activity_id: str) -> None:
    """Count one more, if there is room and it is on, in one statement."""
    taken = session.connection().execute(
        sa.update(StationActivity)
        .where(
            col(StationActivity.id) == activity_id,
            col(StationActivity.taken) < col(StationActivity.capacity),
            col(StationActivity.cancelled_at).is_(None),
        )
        .values(taken=col(StationActivity.taken) + 1)
    )
    if taken.rowcount != 1:
        raise Conflict("the activity is full", code="activity_full")


def _give_back(session: Session, activity_id: str) -> None:
    session.connection().execute(
        sa.update(StationActivity)
        .where(col(StationActivity.id) == activity_id)
        .values(taken=col(StationActivity.taken) - 1)
    )


def _insert(session: Session, made: ActivitySignUp) -> bool:
    """Write a sign-up unless its key is taken; return whether it was written."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    table = SQLModel.metadata.tables["activity_sign_up"]
    done = session.connection().execute(
        insert(table)
        .values(made.model_dump())
        .on_conflict_do_nothing(index_elements=["activity_id", "source", "key"])
        .returning(table.c.id)
    )
    return done.first() is not None


def _note(
    session: Session, activity: StationActivity, sign_up_id: str, actor: str, *, action: str, now: datetime
) -> None:
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"activity:{activity.id}",
        organisation=activity.organisation,
        details={"sign_up": sign_up_id},
    )
    session.flush()
