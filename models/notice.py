"""What calls people, and what keeps quiet: notices, alarms, silences. Identifiers, times, no text, no author.

An alarm is raised with a message that somebody must take up. Until an office acknowledges it, it goes
to the level above, and from the top it comes again (`alerts/alarms.py`). A silence keeps messages from
one office, for a time and with a reason. It holds for no other office, so that what one does not want
to hear still reaches those above; and what must not wait (`URGENT`) knows no silence.

Neighbours: `outbox` asks here before it enqueues.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa
from sqlmodel import Field, Session, UniqueConstraint, col, select

from models.base import Record, document, moment, word
from models.organisation import ancestors, place_in_tree
from models.vocabulary import NoticeKind, Topic

URGENT: Final = frozenset(
    {
        Topic.REFERRAL_WAITING,
        Topic.INCIDENT_REPORTED,
        Topic.ALARM_ESCALATED,
        Topic.WEBHOOK_TEST,
        Topic.CASE_SHARED,
        Topic.CONSENT_REVOKED,
    }
)
"""Goes at once and by itself, whatever a receiver asked for.

What an author lets be known is among these, because a revocation has to find it in one place, and the
revocation itself, because it must arrive.
"""

NAMED_ONLY: Final = frozenset({Topic.INCIDENT_REPORTED, Topic.CASE_SHARED})
"""Goes only to who asked for this very topic: no topics, which means all, does not mean these."""

ALARMS: Final[Mapping[Topic, timedelta]] = MappingProxyType(
    {Topic.REFERRAL_WAITING: timedelta(minutes=15), Topic.INCIDENT_REPORTED: timedelta(minutes=15)}
)
"""What somebody must acknowledge, and how long it may wait before it goes a level up."""


class Notice(Record, table=True):
    """One thing that waits at a place. Settled when somebody has taken it up."""

    __table_args__ = (
        UniqueConstraint("kind", "subject_id"),
        sa.Index("ix_notice_open", "settled_at", "organisation"),
    )

    kind: NoticeKind = word(NoticeKind)
    organisation: str = place_in_tree(index=False)
    subject_id: str = Field(max_length=32)
    since: datetime = moment()
    raised_at: datetime = moment()
    settled_at: datetime | None = moment(nullable=True)


class Alarm(Record, table=True):
    """One message that an office must acknowledge. `level` is the highest office that was called so far."""

    __table_args__ = (
        UniqueConstraint("topic", "subject_id", "occurrence"),
        sa.Index("ix_alarm_open", "acknowledged_at", "escalate_at"),
    )

    topic: Topic = word(Topic)
    subject_id: str = Field(max_length=32)
    occurrence: str = Field(max_length=100)
    organisation: str = place_in_tree()
    level: str = place_in_tree(index=False)
    raised_at: datetime = moment()
    escalate_at: datetime = moment()
    calls: int = 0
    acknowledged_at: datetime | None = moment(nullable=True)
    acknowledged_by: str | None = Field(default=None, max_length=120)


class Silence(Record, table=True):
    """Quiet at one office, from one time to another. No topics means all but the urgent ones."""

    __table_args__ = (sa.Index("ix_silence_holds", "organisation", "ends_at"),)

    organisation: str = place_in_tree(index=False)
    topics: list[str] = document(factory=list)
    begins_at: datetime = moment()
    ends_at: datetime = moment()
    reason: str = Field(max_length=1000)
    created_by: str = Field(max_length=120)
    created_at: datetime = moment()
    ended_by: str | None = Field(default=None, max_length=120)


def raise_alarm(
    session: Session, organisation: str, topic: Topic, subject_id: str, *, occurrence: str, now: datetime
) -> Alarm:
    """Ask for an acknowledgement, at first of the office at `organisation`."""
    alarm = Alarm(
        topic=topic,
        subject_id=subject_id,
        occurrence=occurrence,
        organisation=organisation,
        level=organisation,
        raised_at=now,
        escalate_at=now + ALARMS.get(topic, timedelta(hours=1)),
    )
    session.add(alarm)
    return alarm


def silences(session: Session, organisation: str, topic: Topic, now: datetime) -> dict[str, str]:
    """Return which offices at and above `organisation` want quiet now, each with the silence's id."""
    if topic in URGENT:
        return {}
    found = session.exec(
        select(Silence)
        .where(
            col(Silence.organisation).in_(ancestors(organisation)),
            col(Silence.begins_at) <= now,
            col(Silence.ends_at) > now,
        )
        .order_by(col(Silence.id))
    )
    return {one.organisation: one.id for one in found if not one.topics or topic.value in one.topics}
