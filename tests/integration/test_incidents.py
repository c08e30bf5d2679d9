"""Events that no demand stands behind: proposed, verified, reported; and danger that does not wait."""

from datetime import datetime, timedelta

import orjson
import pytest
from sqlmodel import Session, col, select

from alerts import events, inbox, incidents, public, reporting, surges
from alerts.incidents import Draft
from models.casework import EventPost
from models.database import Database
from models.errors import CharterViolation, Conflict, InvalidInput, NotFound, StaleVersion
from models.event import Event, InboxItem, Report, ReportExample
from models.outbox import OutboxMessage, WebhookEndpoint
from models.post import Post
from models.vocabulary import Category, DemandState, Domain, EventKind, EventState, PostState, Step, Topic
from tests.support.voices import COORDINATOR, ELSEWHERE, PROVINCE, Chorus, demand, listen, plant

DAY = timedelta(days=1)
DINNER = Draft(
    EventKind.SAFETY_INCIDENT, "gd/dongguan", Domain.HEALTH, "食堂晚饭后多人不适", "约二十人恶心，已送医"
)


def posts(session: Session, now: datetime, count: int) -> list[str]:
    chorus: Chorus = demand(session, now, state=DemandState.GATHERING)
    return chorus.many(1, count, now - timedelta(hours=2), text="吃完晚饭我们宿舍好几个人都在拉肚子怎么办")


def test_an_incident_is_proposed_verified_and_reported_like_every_event(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        told = tuple(posts(session, now, 12))
        with pytest.raises(InvalidInput):
            incidents.raise_event(
                session,
                Draft(
                    DINNER.kind,
                    DINNER.organisation,
                    DINNER.domain,
                    "吃完晚饭我们宿舍好几个人都在拉肚子",
                    posts=told,
                ),
                COORDINATOR,
                now=now,
            )
        for draft, error in (
            (Draft(EventKind.COLLECTIVE_DEMAND, "gd/dongguan", Domain.HEALTH, "热水"), InvalidInput),
            (Draft(EventKind.NEED_SURGE, "gd/dongguan", Domain.HEALTH, "多", immediate=True), InvalidInput),
            (Draft(DINNER.kind, "gd/dongguan", Domain.NONE, "不适"), CharterViolation),
            (Draft(DINNER.kind, "gd/foshan", Domain.HEALTH, "不适"), NotFound),
            (Draft(DINNER.kind, "gd/dongguan", Domain.HEALTH, "找我叫王小明的同学"), InvalidInput),
        ):
            with pytest.raises(error):
                incidents.raise_event(session, draft, COORDINATOR, now=now)
        draft = Draft(
            DINNER.kind, DINNER.organisation, DINNER.domain, DINNER.title, DINNER.summary, posts=told
        )
        event = incidents.raise_event(session, draft, COORDINATOR, now=now)
        assert event.state is EventState.PROPOSED
        with pytest.raises(Conflict):
            reporting.report_up(session, event.id, COORDINATOR, now=now)
        with pytest.raises(StaleVersion):
            incidents.settle_proposal(session, event.id, COORDINATOR, Step.VERIFY, "属实", version=9, now=now)
        incidents.settle_proposal(session, event.id, COORDINATOR, Step.VERIFY, "属实", version=1, now=now)
        with pytest.raises(InvalidInput) as repeated, session.begin_nested():
            reporting.report_up(
                session,
                event.id,
                COORDINATOR,
                now=now,
                paraphrases={told[1]: "吃完晚饭我们宿舍好几个人都在拉肚子怎么办"},
            )
        assert repeated.value.problem_code == "paraphrase_repeats"
        report = reporting.report_up(
            session, event.id, COORDINATOR, now=now, paraphrases={told[0]: "晚饭后同寝室多人腹泻。"}
        )
        assert report.figures["counts"]["authors"] == 12
        (example,) = session.exec(select(ReportExample)).all()
        assert (example.text, example.paraphrased) == ("晚饭后同寝室多人腹泻。", True)


def test_danger_goes_up_at_once_to_few_and_says_nobody(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        listen(session, now, source=None, organisation="gd")
        asked = session.get_one(WebhookEndpoint, listen(session, now, source=None, organisation="gd"))
        asked.topics = [Topic.INCIDENT_REPORTED.value]
        session.add(asked)
        told = tuple(posts(session, now, 3))
        draft = Draft(
            DINNER.kind,
            DINNER.organisation,
            DINNER.domain,
            DINNER.title,
            DINNER.summary,
            posts=told,
            immediate=True,
        )
        event = incidents.raise_event(session, draft, COORDINATOR, now=now)
        assert event.state is EventState.REPORTED
        report = session.exec(select(Report)).one()
        assert report.figures["counts"] is None
        sent = session.exec(select(OutboxMessage).where(col(OutboxMessage.subject_id) == event.id)).all()
        assert [(one.endpoint_id, one.topic) for one in sent] == [(asked.id, Topic.INCIDENT_REPORTED)]
        outgoing = orjson.dumps([one.payload for one in sent]).decode()
        assert "hash-" not in outgoing
        assert not [one for one in told if one in outgoing]
        assert session.exec(select(ReportExample)).all() == []
        item = session.exec(select(InboxItem)).one()
        assert inbox.list_items(session, ["gd"]) == []
        assert [one.id for one in inbox.list_items(session, ["gd"], incidents=["gd"])] == [item.id]
        with pytest.raises(NotFound):
            inbox.open_item(session, item.id, PROVINCE, now=now)
        assert inbox.open_item(session, item.id, PROVINCE, now=now, incidents=["gd"]).event.id == event.id
        assert events.list_events(session, ["gd"]) == []
        assert [one.id for one in events.list_events(session, ["gd"], incidents=["gd"])] == [event.id]
        assert public.listed(session) == []
        with pytest.raises(NotFound):
            public.one(session, event.id)
        # Once ten people tell of it, a later report has a number.
        for post in posts(session, now, 14)[3:]:
            session.add(EventPost(event_id=event.id, post_id=post, joined_at=now + DAY))
        events.take_step(session, event.id, COORDINATOR, Step.ACT, "已封存留样", now=now + DAY)
        again = reporting.report_up(session, event.id, COORDINATOR, now=now + DAY)
        assert again.figures["counts"]["authors"] >= 10
        with pytest.raises(NotFound):
            incidents.raise_event(session, DINNER, ELSEWHERE, now=now)


def test_far_more_people_than_usual_propose_an_event_once(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now, state=DemandState.GATHERING)
        for day in range(2, 12):
            chorus.many(1, 2, now - day * DAY, organisation="gd/dongguan")
        chorus.many(20, 44, now - timedelta(hours=5), organisation="gd/dongguan")
        scams = demand(session, now, state=DemandState.GATHERING)
        scams.many(1, 1, now - 9 * DAY, organisation="gd/foshan", state=PostState.REMOVED)
        scams.many(50, 70, now - timedelta(hours=3), organisation="gd/foshan", state=PostState.REMOVED)
        for post in session.exec(select(Post).where(col(Post.state) == PostState.REMOVED)):
            post.category = Category.SCAM
            session.add(post)
    assert surges.watch_surges(database, now).proposed == 2
    assert surges.watch_surges(database, now + timedelta(hours=1)).proposed == 0
    with database.reading() as session:
        found = {one.kind: one for one in session.exec(select(Event))}
        assert set(found) == {EventKind.NEED_SURGE, EventKind.PLATFORM_INTEGRITY}
        assert found[EventKind.NEED_SURGE].state is EventState.PROPOSED
        assert found[EventKind.NEED_SURGE].title == "住房诉求激增"
    with database.transaction() as session:
        wave = session.get_one(Event, found[EventKind.PLATFORM_INTEGRITY].id)
        incidents.settle_proposal(session, wave.id, ELSEWHERE, Step.VERIFY, "属实", version=1, now=now)
        report = reporting.report_up(session, wave.id, ELSEWHERE, now=now, examples=())
        assert report.figures["counts"]["authors"] == 21
