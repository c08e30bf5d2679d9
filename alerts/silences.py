"""Silences: an office asks for quiet about some topics, for a time and with a reason.

What is silenced is written all the same, with the silence that kept it, and can be sent again. A silence
holds for the one office that asked: those above hear of everything as before.

Refuses: silence about what must not wait, silence without an end or for longer than a week, and silence
without a reason.

Neighbours: `models/notice.py` says what is quiet when a message is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts.endpoints import Reach
from models import audit
from models.errors import Conflict, InvalidInput, NotFound
from models.notice import URGENT, Silence
from models.organisation import Organisation, within
from models.vocabulary import Topic

LONGEST: Final = timedelta(days=7)
SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Quiet:
    """What somebody asks for: from now until `ends_at`, about `topics`, or about all that may wait."""

    organisation: str
    ends_at: datetime
    topics: Sequence[Topic] = ()


def add_silence(session: Session, quiet: Quiet, *, reason: str, actor: str, now: datetime) -> Silence:
    """Keep an office quiet from now on.

    Raises
    ------
    InvalidInput
        If it would silence what must not wait, or has no reason or no near end, or no such office.
    """
    if set(quiet.topics) & URGENT:
        raise InvalidInput("what must not wait is never silenced", code="urgent_topic", field="/topics")
    if not now < quiet.ends_at <= now + LONGEST:
        raise InvalidInput("an end within a week from now", code="silence_end", field="/ends_at")
    if not reason.strip():
        raise InvalidInput("a silence needs its reason", code="reason_needed", field="/reason")
    if session.get(Organisation, quiet.organisation) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    silence = Silence(
        organisation=quiet.organisation,
        topics=sorted({topic.value for topic in quiet.topics}),
        begins_at=now,
        ends_at=quiet.ends_at,
        reason=reason.strip(),
        created_by=actor,
        created_at=now,
    )
    session.add(silence)
    _audit(session, silence, "silence.added", actor, now)
    return silence


def end_silence(session: Session, silence_id: str, reach: Reach, *, actor: str, now: datetime) -> Silence:
    """End a silence before its time.

    Raises
    ------
    NotFound
        If there is none within reach.
    Conflict
        If it is over already.
    """
    silence = session.exec(
        select(Silence).where(col(Silence.id) == silence_id, _within(reach)).with_for_update()
    ).one_or_none()
    if silence is None:
        raise NotFound("no such silence, or none that you may see")
    if silence.ends_at <= now:
        raise Conflict("the silence is over already", code="over")
    silence.ends_at, silence.ended_by = now, actor
    session.add(silence)
    _audit(session, silence, "silence.ended", actor, now)
    return silence


def list_silences(session: Session, reach: Reach, *, now: datetime | None = None) -> list[Silence]:
    """Return the silences within reach, newest first; with `now`, those that hold then."""
    query = select(Silence).where(_within(reach))
    if now is not None:
        query = query.where(col(Silence.ends_at) > now)
    return list(session.exec(query.order_by(col(Silence.id).desc()).limit(SHOWN)))


def _within(reach: Reach) -> sa.ColumnElement[bool]:
    """Return the reach as a condition over silences; a source's key reaches none."""
    if reach.source is not None:
        return sa.false()
    own = col(Silence.organisation).in_(reach.own)
    return sa.or_(own, within(Silence.organisation, reach.scope))


def _audit(session: Session, silence: Silence, action: str, actor: str, now: datetime) -> None:
    session.flush()
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"silence:{silence.id}",
        organisation=silence.organisation,
        details={
            "topics": list(silence.topics),
            "until": silence.ends_at.isoformat(),
            "reason": silence.reason,
        },
    )
