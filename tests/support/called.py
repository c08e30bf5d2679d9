"""An alarm, a silence, a message in an inbox, a feed and an incident at a place, to walk by."""

from datetime import datetime, timedelta

from sqlmodel import Session

from alerts import feeds
from models.base import new_id
from models.event import Event, Report
from models.notice import Silence, raise_alarm
from models.office import OfficeMessage
from models.outbox import OutboxMessage
from models.vocabulary import Domain, EventKind, EventState, MessageState, Topic


def call(session: Session, now: datetime, place: str, *, reporter: str, word: str = "") -> dict[str, str]:
    """Put one of each at a place and return what they are called."""
    alarm = raise_alarm(session, place, Topic.REFERRAL_WAITING, new_id(), occurrence="1", now=now)
    silence = Silence(
        organisation=place,
        begins_at=now,
        ends_at=now + timedelta(hours=1),
        reason=f"{word}演练",
        created_by="-",
        created_at=now,
    )
    told = OutboxMessage(
        key=f"told {place}",
        channel="inbox",
        organisation=place,
        topic=Topic.EVENT_REPORTED,
        subject_id=new_id(),
        state=MessageState.DELIVERED,
        due_at=now,
        created_at=now,
    )
    incident = Event(
        kind=EventKind.SAFETY_INCIDENT,
        organisation=place,
        title=f"{word}燃气泄漏",
        domain=Domain.CAMPUS_LIFE,
        state=EventState.REPORTED,
        created_at=now,
    )
    session.add_all([silence, told, incident])
    session.flush()
    message = OfficeMessage(
        message_id=told.id,
        organisation=place,
        topic=told.topic,
        payload={"title": f"{word}热水"},
        arrived_at=now,
    )
    report = Report(event_id=incident.id, sequence=1, figures={}, reported_by=reporter, reported_at=now)
    session.add_all([message, report])
    feed, token = feeds.add_key(
        session, place, name=f"{word}大屏", language="zh", actor="-", now=now, incidents=True
    )
    session.flush()
    return {
        "alarm_id": alarm.id,
        "silence_id": silence.id,
        "office_message_id": message.id,
        "incident_id": incident.id,
        "feed_id": feed.id,
        "feed_token": token,
    }
