"""An office's feed (Atom): what was reported at and under it, for a reader that cannot sign in.

Whoever has the key reads the feed, so it holds what a report may tell and nothing else: titles, figures,
states. The key is made here, shown once, kept as a hash, and can be revoked. Incidents stand in it only
if that was asked for when the key was made, without figures and with a link to their message (`cap`).

Refuses: a key that does not hold, without saying why.

Neighbours: `digests` tells the same figures by mail; `api/routes/feeds.py` hands the document out.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts.cap import HEAD, KINDS, MEDIA_TYPE, UNSAFE
from alerts.channels.channel import Envelope
from alerts.composer import compose
from alerts.endpoints import Reach
from models import audit
from models.errors import Conflict, InvalidInput, NotFound
from models.event import Event, Report
from models.office import FeedKey
from models.organisation import Organisation, is_under, under, within
from models.vocabulary import Topic

PREFIX: Final = "tjf_"
MOST_KEYS: Final = 20
ENTRIES: Final = 50
ATOM: Final = "http://www.w3.org/2005/Atom"
TITLE: Final = {"zh": "听见 · {office}", "en": "Tingjian: {office}"}


@dataclass(frozen=True, slots=True)
class Feed:
    """A document and the moment of its newest entry."""

    document: bytes
    updated: datetime


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def add_key(
    session: Session,
    organisation: str,
    *,
    name: str,
    language: str,
    actor: str,
    now: datetime,
    incidents: bool = False,
) -> tuple[FeedKey, str]:
    """Make a key and return it beside its record; it cannot be shown again.

    Raises
    ------
    InvalidInput
        If there is no such office, or the key has no name.
    Conflict
        If the office has too many.
    """
    if session.get(Organisation, organisation) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    if not name.strip():
        raise InvalidInput("a key needs a name", code="missing", field="/name")
    live = session.exec(
        select(FeedKey.id).where(FeedKey.organisation == organisation, col(FeedKey.revoked_at).is_(None))
    ).all()
    if len(live) >= MOST_KEYS:
        raise Conflict(f"at most {MOST_KEYS} keys", code="too_many_keys")
    key = PREFIX + secrets.token_urlsafe(32)
    record = FeedKey(
        organisation=organisation,
        name=name.strip()[:120],
        language=language,
        incidents=incidents,
        key_hash=_hash(key),
        created_by=actor,
        created_at=now,
    )
    session.add(record)
    _audit(session, record, "feed.key_added", actor, now)
    return record, key


def revoke_key(session: Session, key_id: str, reach: Reach, *, actor: str, now: datetime) -> FeedKey:
    """End a key at once.

    Raises
    ------
    NotFound
        If there is none within reach.
    """
    record = session.exec(
        select(FeedKey).where(col(FeedKey.id) == key_id, _within(reach)).with_for_update()
    ).one_or_none()
    if record is None:
        raise NotFound("no such key, or none that you may see")
    if record.revoked_at is None:
        record.revoked_at = now
        session.add(record)
        _audit(session, record, "feed.key_revoked", actor, now)
    return record


def list_keys(session: Session, reach: Reach) -> list[FeedKey]:
    """Return the keys within reach that hold, newest first."""
    return list(
        session.exec(
            select(FeedKey)
            .where(_within(reach), col(FeedKey.revoked_at).is_(None))
            .order_by(col(FeedKey.id).desc())
        )
    )


def _within(reach: Reach) -> sa.ColumnElement[bool]:
    """Return the reach as a condition over keys; a source's key reaches none."""
    if reach.source is not None:
        return sa.false()
    own = col(FeedKey.organisation).in_(reach.own)
    return sa.or_(own, within(FeedKey.organisation, reach.scope))


def key_of(session: Session, key: str) -> FeedKey:
    """Return the record of a key that holds.

    Raises
    ------
    NotFound
        If it does not.
    """
    record = session.exec(
        select(FeedKey).where(FeedKey.key_hash == _hash(key), col(FeedKey.revoked_at).is_(None))
    ).one_or_none()
    if record is None or not key.startswith(PREFIX):
        raise NotFound("no such feed")
    return record


def event_of(session: Session, record: FeedKey, event_id: str) -> Event:
    """Return an event that stands in the feed.

    Raises
    ------
    NotFound
        If there is none at or under the key's office.
    """
    event = session.get(Event, event_id)
    hidden = event is not None and event.kind in KINDS and not record.incidents
    if event is None or hidden or not is_under(event.organisation, record.organisation):
        raise NotFound("no such incident, or none that was reported")
    return event


def feed_of(session: Session, record: FeedKey, key: str, public_url: str) -> Feed:
    """Return the feed of a key's office, the newest report of each event first."""
    shown = [under(Event.organisation, record.organisation)]
    if not record.incidents:
        shown.append(col(Event.kind).not_in(KINDS))
    rows = session.exec(
        select(Event, Report)
        .join(Report, col(Report.event_id) == col(Event.id))
        .where(*shown)
        .order_by(col(Report.reported_at).desc(), col(Report.id).desc())
        .limit(ENTRIES * 4)
    ).all()
    newest: dict[str, tuple[Event, Report]] = {}
    for event, report in rows:
        newest.setdefault(event.id, (event, report))
    chosen = list(newest.values())[:ENTRIES]
    office = session.get(Organisation, record.organisation)
    name = record.organisation
    if office is not None:
        name = office.name_en if record.language == "en" and office.name_en else office.name
    updated = max((report.reported_at for _, report in chosen), default=record.created_at)
    home = f"{public_url}/v1/feeds/{key}"
    root = _head(record, name, home, updated)
    for event, report in chosen:
        root.append(_entry(event, report, record.language, home=home, public_url=public_url))
    return Feed(HEAD + bytes(ET.tostring(root, encoding="utf-8")), updated)


def _head(record: FeedKey, office: str, home: str, updated: datetime) -> ET.Element:
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": "zh-CN" if record.language == "zh" else "en"})
    _add(root, "id", f"urn:uuid:{_uuid(record.id)}")
    _add(root, "title", TITLE[record.language].format(office=office))
    _add(root, "updated", updated.isoformat())
    _add(ET.SubElement(root, "author"), "name", office)
    ET.SubElement(root, "link", {"rel": "self", "href": f"{home}/atom", "type": "application/atom+xml"})
    return root


def _entry(event: Event, report: Report, language: str, *, home: str, public_url: str) -> ET.Element:
    letter = compose(_envelope(event, report, language), public_url)
    entry = ET.Element("entry")
    _add(entry, "id", f"urn:uuid:{_uuid(event.id)}")
    _add(entry, "title", event.title)
    _add(entry, "updated", report.reported_at.isoformat())
    _add(entry, "published", event.created_at.isoformat())
    ET.SubElement(entry, "category", {"term": event.kind.value})
    ET.SubElement(entry, "link", {"rel": "alternate", "href": f"{public_url}/events/{event.id}"})
    if event.kind in KINDS:
        address = f"{home}/cap/{event.id}"
        ET.SubElement(entry, "link", {"rel": "enclosure", "href": address, "type": MEDIA_TYPE})
    _add(entry, "summary", "\n".join(letter.lines[:-2]))
    return entry


def _envelope(event: Event, report: Report, language: str) -> Envelope:
    """Return a report as a message whose words the summary takes."""
    is_incident = event.kind in KINDS
    return Envelope(
        id=event.id,
        topic=(Topic.INCIDENT_REPORTED if is_incident else Topic.EVENT_REPORTED).value,
        created_at=report.reported_at,
        payload={"title": event.title} if is_incident else {"figures": report.figures},
        address="",
        secret="",
        language=language,
    )


def _add(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, name).text = UNSAFE.sub("", value)


def _uuid(identifier: str) -> str:
    return "-".join((identifier[:8], identifier[8:12], identifier[12:16], identifier[16:20], identifier[20:]))


def _audit(session: Session, record: FeedKey, action: str, actor: str, now: datetime) -> None:
    session.flush()
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"feed:{record.id}",
        organisation=record.organisation,
        details={"name": record.name},
    )
