"""Grouping, silences, alarms and digests, on both databases, up to the receiver."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from alerts import alarms, digests, silences
from alerts.actor import Actor
from alerts.channels import channels
from alerts.delivery import deliver_due
from alerts.endpoints import Reach
from alerts.settings import AlertsSettings
from alerts.silences import Quiet
from models.database import Database
from models.errors import Conflict, InvalidInput, NotFound
from models.event import Event, Report
from models.notice import Alarm, Notice
from models.office import OfficeMessage
from models.outbox import OutboxMessage, WebhookEndpoint, tell_offices
from models.vocabulary import (
    ChannelKind,
    Domain,
    EventKind,
    EventState,
    MessageState,
    NoticeKind,
    Topic,
)
from tests.support import voices

AT = datetime(2026, 3, 16, 4, tzinfo=UTC)
SETTINGS = AlertsSettings(poll=0.02)
CITY = Actor("c" * 32, "东莞", ("gd/dongguan",))
TOP = Reach(("gd",))


def listen(
    session: Session, organisation: str, *topics: Topic, group: int = 0, repeat: int = 0
) -> WebhookEndpoint:
    """Let an office take messages in its inbox."""
    made = WebhookEndpoint(
        organisation=organisation,
        url="inbox",
        secret="whsec_MA==",
        topics=[topic.value for topic in topics],
        created_at=AT - timedelta(days=60),
        channel=ChannelKind.INBOX,
        group_seconds=group,
        repeat_seconds=repeat,
    )
    session.add(made)
    session.flush()
    return made


def tell(database: Database, number: int, at: datetime, topic: Topic = Topic.EVENT_REPORTED) -> None:
    with database.transaction() as session:
        tell_offices(
            session,
            "gd/dongguan",
            topic,
            f"{number:032x}",
            payload={"number": number},
            now=at,
            occurrence="1",
        )


def deliver(database: Database, at: datetime) -> list[OfficeMessage]:
    ways = channels(SETTINGS, database)
    deliver_due(database, ways, SETTINGS, at)
    for one in ways.values():
        one.close()
    with database.reading() as session:
        return list(session.exec(select(OfficeMessage).order_by(col(OfficeMessage.id))))


def states(database: Database) -> list[str]:
    with database.reading() as session:
        rows = session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id))).all()
        return [row.state.value for row in rows]


def test_what_comes_together_goes_together_once_and_not_again_before_its_time(database: Database) -> None:
    with database.transaction() as session:
        voices.plant(session, AT)
        listen(session, "gd", group=60, repeat=600)
    for number in range(3):
        tell(database, number, AT + timedelta(seconds=number))
    assert deliver(database, AT + timedelta(seconds=30)) == []
    first = deliver(database, AT + timedelta(seconds=61))
    tell(database, 3, AT + timedelta(seconds=70))
    tell(database, 4, AT + timedelta(seconds=71), Topic.REFERRAL_WAITING)
    second = deliver(database, AT + timedelta(seconds=200))
    third = deliver(database, AT + timedelta(seconds=661))

    assert [one.payload["count"] for one in first] == [3]
    assert [item["number"] for item in first[0].payload["items"]] == [0, 1, 2]
    assert [one.topic for one in second[1:]] == [Topic.REFERRAL_WAITING], "what must not wait did not"
    assert [item["number"] for item in third[-1].payload["items"]] == [3]
    with database.reading() as session:
        members = session.exec(
            select(OutboxMessage).where(col(OutboxMessage.grouped_into) == first[0].message_id)
        ).all()
    assert [one.state for one in members] == [MessageState.GROUPED] * 3, "every cause is on the log"


def test_a_silence_keeps_one_office_quiet_for_its_time_and_no_other(database: Database) -> None:
    with database.transaction() as session:
        voices.plant(session, AT)
        listen(session, "gd")
        listen(session, "gd/dongguan")
        quiet = silences.add_silence(
            session,
            Quiet("gd/dongguan", AT + timedelta(hours=1), (Topic.EVENT_REPORTED,)),
            reason="演练",
            actor="account:x",
            now=AT,
        )
        silence = quiet.id
    tell(database, 1, AT)
    tell(database, 2, AT, Topic.REFERRAL_WAITING)
    tell(database, 3, AT + timedelta(hours=2))
    arrived = deliver(database, AT + timedelta(hours=3))

    def got(organisation: str) -> list[int]:
        return sorted(one.payload["number"] for one in arrived if one.organisation == organisation)

    assert got("gd") == [1, 2, 3]
    assert got("gd/dongguan") == [2, 3]
    assert states(database).count("silenced") == 1
    with database.transaction() as session:
        with pytest.raises(NotFound):
            silences.end_silence(session, silence, Reach(("gd/foshan",)), actor="-", now=AT)
        silences.end_silence(session, silence, TOP, actor="account:x", now=AT + timedelta(minutes=1))
        with pytest.raises(Conflict):
            silences.end_silence(session, silence, TOP, actor="-", now=AT + timedelta(minutes=2))


@pytest.mark.parametrize(
    ("ends", "topics", "reason"),
    [
        (timedelta(days=8), (), "长"),
        (timedelta(0), (), "短"),
        (timedelta(hours=1), (), "  "),
        (timedelta(hours=1), (Topic.REFERRAL_WAITING,), "吵"),
        (timedelta(hours=1), (Topic.INCIDENT_REPORTED,), "吵"),
    ],
)
def test_silence_has_an_end_and_a_reason_and_is_never_about_what_must_not_wait(
    database: Database, ends: timedelta, topics: tuple[Topic, ...], reason: str
) -> None:
    with database.transaction() as session:
        voices.plant(session, AT)
        with pytest.raises(InvalidInput):
            silences.add_silence(session, Quiet("gd", AT + ends, topics), reason=reason, actor="-", now=AT)


def calls(database: Database) -> list[tuple[str, int]]:
    with database.reading() as session:
        rows = session.exec(
            select(OutboxMessage)
            .where(col(OutboxMessage.topic) == Topic.ALARM_ESCALATED)
            .order_by(col(OutboxMessage.id))
        ).all()
        return [(row.organisation, row.payload["call"]) for row in rows]


def test_an_alarm_goes_up_level_by_level_until_somebody_acknowledges_it(database: Database) -> None:
    with database.transaction() as session:
        voices.plant(session, AT)
        listen(session, "gd")
        listen(session, "gd/dongguan")
        tell_offices(
            session,
            "gd/dongguan/houjie",
            Topic.INCIDENT_REPORTED,
            "1" * 32,
            payload={"title": "燃气泄漏"},
            now=AT,
            occurrence="1",
        )
    rounds = []
    for minutes in (14, 15, 15, 30, 31, 271):
        alarms.escalate_due(database, SETTINGS, AT + timedelta(minutes=minutes))
        rounds.append(len(calls(database)))
    with database.transaction() as session:
        alarm = session.exec(select(Alarm)).one()
        with pytest.raises(NotFound):
            alarms.acknowledge(session, alarm.id, Actor("e" * 32, "佛山", ("gd/foshan",)), now=AT)
        alarms.acknowledge(session, alarm.id, CITY, now=AT + timedelta(hours=5))
        with pytest.raises(Conflict):
            alarms.acknowledge(session, alarm.id, CITY, now=AT + timedelta(hours=5))
    alarms.escalate_due(database, SETTINGS, AT + timedelta(days=3))

    assert rounds == [0, 1, 1, 2, 2, 3], "at its time, once, and from the top again after four hours"
    assert calls(database) == [("gd/dongguan", 1), ("gd", 2), ("gd", 3)]
    assert [one.payload["about"] for one in deliver(database, AT + timedelta(days=3))] == [
        "incident.reported"
    ] * 3


def test_an_alarm_is_over_when_what_it_was_about_is(database: Database) -> None:
    with database.transaction() as session:
        voices.plant(session, AT)
        listen(session, "gd")
        notice = Notice(
            kind=NoticeKind.REFERRAL_WAITING,
            organisation="gd/dongguan",
            subject_id="7" * 32,
            since=AT,
            raised_at=AT,
            settled_at=AT,
        )
        session.add(notice)
        session.flush()
        tell_offices(
            session,
            "gd/dongguan",
            Topic.REFERRAL_WAITING,
            notice.id,
            payload={},
            now=AT,
            occurrence="1",
        )
    report = alarms.escalate_due(database, SETTINGS, AT + timedelta(hours=1))

    assert (report.over, report.escalated) == (1, 0)
    assert calls(database) == []


def event(session: Session, title: str, authors: int, at: datetime, kind: EventKind) -> None:
    made = Event(
        kind=kind,
        organisation="gd/dongguan",
        title=title,
        domain=Domain.CAMPUS_LIFE,
        state=EventState.CLOSED,
        created_at=at,
    )
    session.add(made)
    session.flush()
    counts = {"posts": authors * 2, "authors": authors, "minimum_authors": 10}
    figures = {"title": title, "domain": "campus_life", "organisation": "gd/dongguan", "counts": counts}
    session.add(Report(event_id=made.id, sequence=1, figures=figures, reported_by="c" * 32, reported_at=at))


def test_a_digest_repeats_what_reports_told_once_for_each_period(database: Database) -> None:
    last_week = datetime(2026, 3, 11, 4, tzinfo=UTC)
    with database.transaction() as session:
        voices.plant(session, AT)
        listen(session, "gd", Topic.DIGEST_WEEKLY)
        listen(session, "gd/dongguan", Topic.DIGEST_WEEKLY, Topic.DIGEST_MONTHLY)
        listen(session, "gd/foshan", Topic.EVENT_REPORTED)
        event(session, "热水停供", 20, last_week, EventKind.COLLECTIVE_DEMAND)
        event(session, "人数不足", 4, last_week, EventKind.NEED_SURGE)
        event(session, "燃气泄漏", 30, last_week, EventKind.SAFETY_INCIDENT)
        event(session, "上上周", 50, last_week - timedelta(days=7), EventKind.COLLECTIVE_DEMAND)
    early = digests.digest_due(database, datetime(2026, 3, 15, 23, 30, tzinfo=UTC))
    made = [digests.digest_due(database, AT + timedelta(hours=hour)) for hour in (0, 1)]
    arrived = deliver(database, AT + timedelta(hours=2))

    # On Sunday night only what had been over before was due: the week of 2 March, and February.
    assert (early, made) == (3, [2, 0])
    weekly = [one.payload for one in arrived if one.payload["from"] == "2026-03-09"]
    assert len(weekly) == 2
    assert weekly[0]["to"] == "2026-03-15"
    assert (weekly[0]["events"], weekly[0]["closed"]) == (3, 3)
    assert [(one["title"], one["authors"]) for one in weekly[0]["reports"]] == [("热水停供", 20)]
    assert {one.organisation for one in arrived if one.topic is Topic.DIGEST_MONTHLY} == {"gd/dongguan"}
