"""The roster as an iCalendar feed, for the telephones of those who are on duty.

The link is its own key: it cannot be guessed, only its hash is kept, and whoever made it can end it. It
tells days and the names of people on duty, and nothing else.

Refuses: an unknown or ended link, as if there were nothing.

Neighbours: `duty` keeps the turns.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from icalendar import Calendar, Event, vDuration
from sqlmodel import Session, col, select

from alerts import duty
from alerts.actor import Actor
from alerts.calendar import DAY
from models import audit
from models.duty import DutyFeed, DutyLayer
from models.errors import InvalidInput, NotFound
from models.organisation import Organisation, within

BACK: Final = timedelta(days=31)
REFRESH: Final = timedelta(hours=6)
PRODUCT: Final = "-//Tingjian//duty roster//ZH"


def token_hash(token: str) -> str:
    """Return what is kept of a link's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def make_feed(session: Session, organisation: str, actor: Actor, *, now: datetime) -> tuple[DutyFeed, str]:
    """Make a link to an organisation's roster; return its row and the token, which is shown once.

    Raises
    ------
    NotFound, InvalidInput
        If the place is out of reach or does not exist.
    """
    actor.require(organisation)
    if session.get(Organisation, organisation) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    token = secrets.token_urlsafe(32)
    feed = DutyFeed(
        organisation=organisation,
        token_hash=token_hash(token),
        created_by=actor.audit_name,
        created_at=now,
    )
    session.add(feed)
    session.flush()
    _record(session, feed, actor, "duty.feed_made", now)
    return feed, token


def end_feed(session: Session, feed_id: str, actor: Actor, *, now: datetime) -> DutyFeed:
    """End a link.

    Raises
    ------
    NotFound
        If there is none within reach.
    """
    feed = session.get(DutyFeed, feed_id)
    if feed is None:
        raise NotFound("no such feed, or none that you may see")
    actor.require(feed.organisation)
    if feed.revoked_at is None:
        feed.revoked_at = now
        session.add(feed)
        session.flush()
        _record(session, feed, actor, "duty.feed_ended", now)
    return feed


def _record(session: Session, feed: DutyFeed, actor: Actor, action: str, now: datetime) -> None:
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action=action,
        subject=f"duty_feed:{feed.id}",
        organisation=feed.organisation,
    )


def live_feeds(session: Session, scope: Sequence[str]) -> list[DutyFeed]:
    """Return the links of a scope that hold, newest first."""
    return list(
        session.exec(
            select(DutyFeed)
            .where(col(DutyFeed.revoked_at).is_(None), within(DutyFeed.organisation, scope))
            .order_by(col(DutyFeed.id).desc())
        )
    )


def feed(session: Session, token: str, *, now: datetime) -> bytes:
    """Return the roster behind a link as iCalendar (RFC 5545): a day an event.

    Raises
    ------
    NotFound
        If the link does not hold.
    """
    row = session.exec(
        select(DutyFeed).where(DutyFeed.token_hash == token_hash(token), col(DutyFeed.revoked_at).is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound("there is no such feed")
    place = session.get_one(Organisation, row.organisation)
    day = duty.today(now)
    turns = duty.turns_between(session, row.organisation, day - BACK, day + duty.HORIZON)
    names = duty.names_of(session, {turn.account_id for turn in turns})
    layers = {
        layer.id: layer.name
        for layer in session.exec(select(DutyLayer).where(DutyLayer.organisation == row.organisation))
    }
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"{place.name}值班")
    calendar.add("refresh-interval", vDuration(REFRESH), parameters={"VALUE": "DURATION"})
    for turn in turns:
        event = Event()
        event.add("uid", f"{turn.id}@tingjian")
        event.add("dtstamp", turn.changed_at)
        event.add("dtstart", turn.day)
        event.add("dtend", turn.day + DAY)
        event.add("summary", f"值班：{names.get(turn.account_id, '')}（{layers[turn.layer_id]}）")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical())
