"""Cases from the form to the archive: who may do what, who has it, what the authors get and say."""

from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from alerts import cases, consent, events, handling, helping, loop
from alerts.desks import Desk, Worker
from alerts.forgetting import Forgotten, forget_due
from alerts.handling import Named
from alerts.settings import AlertsSettings
from models import audit
from models.audit import AuditEntry
from models.casework import CaseConsent, CaseRating, CaseUnit
from models.database import Database
from models.errors import Conflict, InvalidInput, NotFound, NotPermitted, StaleVersion, TingjianError
from models.event import Case, DisposalEntry, FormVersion
from models.outbox import OutboxMessage
from models.post import Post
from models.vocabulary import (
    CaseState,
    ConsentItem,
    DemandState,
    Domain,
    MessageState,
    Rating,
    Step,
    Topic,
    UnitPart,
)
from moderation import deletion
from tests.support.voices import COORDINATION, COORDINATOR, LINKS, OPERATIONS, UNIT, demand, listen, plant

DAY = timedelta(days=1)
CITY = Named(unit="gd/foshan", due_on=date(2026, 4, 10))
WAY = [
    (OPERATIONS, Step.FIRST_RESPONSE, "已收到，正在核实。", handling.NOTHING),
    (OPERATIONS, Step.SUBMITTED, "建议交佛山办理。", handling.NOTHING),
    (COORDINATION, Step.ASSIGNED, "请佛山牵头。", CITY),
    (UNIT, Step.ACCEPTED, "", handling.NOTHING),
    (UNIT, Step.PLANNED, "两周内更换水泵。", handling.NOTHING),
    (UNIT, Step.INTERIM, "水泵已到货。", handling.NOTHING),
    (OPERATIONS, Step.TELL_USERS, "水泵已到货，本周更换。", handling.NOTHING),
    (UNIT, Step.RESULT, "已更换，水温正常。", handling.NOTHING),
    (OPERATIONS, Step.FEED_BACK_USERS, "已更换，请评价。", handling.NOTHING),
]


def opened(session: Session, now: datetime, *, authors: int = 12, title: str = "宿舍热水") -> Case:
    chorus = demand(session, now, title=title)
    chorus.many(1, authors, now - DAY)
    event = events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
    case = cases.case_of_event(session, event.id)
    assert case is not None
    return case


def take(
    session: Session, case: Case, worker: Worker, step: Step, text: str, *, named: Named, now: datetime
) -> DisposalEntry:
    return handling.take_step(
        session, case.id, worker, step, text, version=case.version, now=now, links=LINKS, named=named
    )


def walk(session: Session, case: Case, now: datetime, until: Step = Step.FEED_BACK_USERS) -> None:
    for worker, step, text, named in WAY:
        take(session, case, worker, step, text, named=named, now=now)
        if step is until:
            return


def refused(session: Session, case: Case, worker: Worker, step: Step, now: datetime, **given: object) -> str:
    named = Named(**given)  # type: ignore[arg-type]
    with pytest.raises(TingjianError) as error, session.begin_nested():
        take(session, case, worker, step, "为什么", named=named, now=now)
    session.refresh(case)
    return error.value.problem_code


def rating_links(session: Session, case: Case) -> list[str]:
    messages = session.exec(
        select(OutboxMessage)
        .where(OutboxMessage.subject_id == case.id, OutboxMessage.topic == Topic.CASE_TOLD)
        .order_by(col(OutboxMessage.id))
    ).all()
    return [one["rate"].rsplit("/", 1)[1] for one in messages[-1].payload["posts"]]


def test_a_demand_is_handled_told_rated_begun_anew_and_archived(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        listen(session, now, source="forum", organisation="gd")
        case = opened(session, now)
        walk(session, case, now)
        assert case.state is CaseState.RESULT_GIVEN
        assert loop.coverage(session, case).authors == 10
        covered = loop.coverage(session, case, exact=True)
        assert [(one.step, one.authors, one.of) for one in covered.told] == [
            (Step.FIRST_RESPONSE, 12, 12),
            (Step.TELL_USERS, 12, 12),
            (Step.FEED_BACK_USERS, 12, 12),
        ]
        links = rating_links(session, case)
        assert len(set(links)) == 12
        for link in links[:9]:
            loop.rate(session, LINKS, link, Rating.SOLVED, now=now)
        assert loop.coverage(session, case).rated is None
        for link in links[:9]:  # a second word of the same people counts as theirs, not as more
            loop.rate(session, LINKS, link, Rating.NOT_SOLVED, now=now)
        assert loop.coverage(session, case).answers is None
        due = case.due_at
        loop.rate(session, LINKS, links[9], Rating.NOT_SOLVED, now=now)
        assert (case.state, case.round, case.due_at) == (CaseState.ASSIGNED, 2, due)
        with pytest.raises(Conflict):
            loop.rate(session, LINKS, links[10], Rating.SOLVED, now=now)
        assert refused(session, case, UNIT, Step.RESULT, now) == "move_not_allowed"
        take(session, case, UNIT, Step.ACCEPTED, "", named=handling.NOTHING, now=now)
        assert refused(session, case, UNIT, Step.RESULT, now) == "no_plan"
        take(session, case, UNIT, Step.PLANNED, "重新检修管道。", named=handling.NOTHING, now=now)
        take(session, case, UNIT, Step.RESULT, "管道已修好。", named=handling.NOTHING, now=now)
        assert refused(session, case, COORDINATION, Step.ARCHIVED, now) == "users_not_told"
        take(session, case, OPERATIONS, Step.FEED_BACK_USERS, "已修好。", named=handling.NOTHING, now=now)
        for link in rating_links(session, case):
            loop.rate(session, LINKS, link, Rating.SOLVED, now=now)
        take(session, case, COORDINATION, Step.ARCHIVED, "", named=handling.NOTHING, now=now)
        answers = loop.coverage(session, case).answers
        assert answers is not None
        assert (case.state, answers[Rating.SOLVED]) == (CaseState.ARCHIVED, 12)
        form = cases.newest_form(session, case).fields
        assert "请佛山牵头" in form["coordination_opinion"]
        assert "水温正常" in form["result"]
        assert "管道已修好" in form["result"]
        assert audit.first_break(session) is None
    with database.reading() as session:
        ballots = session.exec(select(CaseRating.ballot)).all()
        texts = [str(one.payload) for one in session.exec(select(OutboxMessage))]
        assert len(ballots) == 22
        assert not [one for one in texts if "hash-" in one]


def test_each_step_belongs_to_a_desk_and_the_clock_runs_through_every_hand_over(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        case = opened(session, now)
        assert refused(session, case, UNIT, Step.SUBMITTED, now) == "not_found"
        assert refused(session, case, COORDINATION, Step.SUBMITTED, now) == "another_desk"
        assert refused(session, case, COORDINATION, Step.ASSIGNED, now, unit="gd") == "move_not_allowed"
        walk(session, case, now, Step.SUBMITTED)
        assert refused(session, case, OPERATIONS, Step.ASSIGNED, now, unit="gd") == "another_desk"
        assert refused(session, case, COORDINATION, Step.ASSIGNED, now) == "unknown_unit"
        assert refused(session, case, COORDINATION, Step.ASSIGNED, now, unit="gd/nowhere") == "unknown_unit"
        for day in (date(2025, 1, 1), date(2199, 1, 1)):
            code = refused(session, case, COORDINATION, Step.ASSIGNED, now, unit="gd/foshan", due_on=day)
            assert code == "absurd_date"
        assert (
            refused(session, case, COORDINATION, Step.ASSIGNED, now, unit="gd/foshan", joint=["gd/foshan"])
            == "unit_twice"
        )
        take(
            session,
            case,
            COORDINATION,
            Step.ASSIGNED,
            "请牵头",
            named=Named("gd/foshan", ("gd/dongguan",)),
            now=now,
        )
        due = case.due_at
        assert due is not None
        take(session, case, UNIT, Step.RETURNED, "不属本市。", named=handling.NOTHING, now=now + DAY)
        assert (case.state, case.lead, case.due_at) == (CaseState.UNDER_REVIEW, None, due)
        take(
            session,
            case,
            COORDINATION,
            Step.ASSIGNED,
            "仍请牵头",
            named=Named("gd/foshan", ("gd/dongguan",)),
            now=now + DAY,
        )
        joining = Worker("d" * 32, "东莞", ("gd/dongguan",), desks={Desk.UNIT: ("gd/dongguan",)})
        assert refused(session, case, joining, Step.ACCEPTED, now) == "leading_unit"
        assert (
            refused(session, case, UNIT, Step.HANDED_OVER, now, unit="gd/dongguan/houjie")
            == "hand_over_across"
        )
        take(
            session,
            case,
            COORDINATION,
            Step.HANDED_OVER,
            "转厚街",
            named=Named("gd/dongguan/houjie"),
            now=now + 2 * DAY,
        )
        assert (case.state, case.lead, case.due_at) == (CaseState.ASSIGNED, "gd/dongguan/houjie", due)
        with pytest.raises(NotFound):
            cases.case_card(session, case.id, UNIT)
        rows = session.exec(select(CaseUnit).where(col(CaseUnit.ended_at).is_(None))).all()
        assert {(one.organisation, one.part) for one in rows} == {
            ("gd/dongguan/houjie", UnitPart.LEAD),
            ("gd/dongguan", UnitPart.JOINT),
        }
        with pytest.raises(StaleVersion):
            handling.take_step(session, case.id, joining, Step.ACCEPTED, "", version=1, now=now, links=LINKS)
        assert handling.is_late(case, due + DAY)
        entry = session.exec(select(DisposalEntry).where(DisposalEntry.step == Step.RETURNED)).one()
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(
                sa.update(DisposalEntry).where(col(DisposalEntry.id) == entry.id).values(text="别的")
            )


def test_each_desk_fills_in_its_own_fields(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        case = opened(session, now)
        walk(session, case, now, Step.ACCEPTED)
        fields = dict(cases.newest_form(session, case).fields)
        for worker, key in ((OPERATIONS, "result"), (UNIT, "details"), (UNIT, "coordination_opinion")):
            with pytest.raises(NotPermitted) as other:
                cases.save_form(
                    session, case.id, worker, fields | {key: "改"}, version=case.form_version, now=now
                )
            assert other.value.problem_code == "field_of_another_desk"
        cases.save_form(
            session, case.id, UNIT, fields | {"result": "已办"}, version=case.form_version, now=now
        )
        assert session.exec(select(FormVersion.version).order_by(col(FormVersion.version))).all() == [1, 2, 3]


def asked_for(session: Session, now: datetime) -> tuple[Case, str, str, str]:
    """Open a help case, ask its author, assign it; return what the tests need of it."""
    listen(session, now, source="forum", organisation="gd")
    chorus = demand(session, now, state=DemandState.GATHERING)
    post = chorus.say("1", now - DAY, text="我被拖欠了三个月工资，现在连房租都交不起了，谁能帮帮我")
    case = helping.open_help(
        session, post, OPERATIONS, title="青年被欠薪，生活困难", domain=Domain.JOBS_WAGES, now=now
    )
    link = consent.ask(session, case.id, OPERATIONS, list(ConsentItem), now=now, links=LINKS)
    token = link.rsplit("/", 1)[1]
    assert token not in str([one.model_dump() for one in session.exec(select(CaseConsent))])
    walk(session, case, now, Step.ASSIGNED)
    hooked = listen(session, now, source=None, organisation="gd/foshan")
    named_only(session, hooked)
    above = listen(session, now, source=None, organisation="gd")
    named_only(session, above)
    return case, post, token, hooked


def test_a_help_case_is_for_those_who_work_on_it_and_quotes_and_names_nobody(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now, state=DemandState.GATHERING)
        post = chorus.say("1", now - DAY, text="我被拖欠了三个月工资，现在连房租都交不起了，谁能帮帮我")
        for title, code in (
            ("我被拖欠了三个月工资，现在连房租", "title_quotes_post"),
            ("帮一下我叫王小明，电话13800138000", "title_names_somebody"),
        ):
            with pytest.raises(InvalidInput) as wrong:
                helping.open_help(session, post, OPERATIONS, title=title, domain=Domain.JOBS_WAGES, now=now)
            assert wrong.value.problem_code == code
        case = helping.open_help(
            session, post, OPERATIONS, title="青年被欠薪，生活困难", domain=Domain.JOBS_WAGES, now=now
        )
        with pytest.raises(Conflict):
            helping.open_help(session, post, OPERATIONS, title="又一件", domain=Domain.LAW, now=now)
        away = Worker("e" * 32, "x", (), reads=("gd",))
        assert cases.list_cases(session, away) == []
        with pytest.raises(NotFound):
            cases.case_card(session, case.id, away)


def test_a_help_case_tells_a_name_only_while_its_author_consents(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        case, _, token, hooked = asked_for(session, now)
        consent.give(
            session,
            token,
            {ConsentItem.NAME: "陈小雨", ConsentItem.CONTACT: " "},
            language="zh",
            links=LINKS,
            now=now,
        )
        assert consent.shared(session, case, LINKS) == {ConsentItem.NAME: "陈小雨"}
        sent = session.exec(select(OutboxMessage).where(OutboxMessage.topic == Topic.CASE_SHARED)).all()
        assert [(one.endpoint_id, one.payload["shared"]) for one in sent] == [(hooked, {"name": "陈小雨"})]
        assert "陈小雨" not in str([one.fields for one in session.exec(select(FormVersion))])
        assert "陈小雨" not in str([one.model_dump() for one in session.exec(select(CaseConsent))])
        consent.revoke(session, token, now=now)
        session.refresh(sent[0])
        assert (sent[0].state, sent[0].payload["shared"]) == (MessageState.WITHDRAWN, {})
        assert consent.shared(session, case, LINKS) == {}
        with pytest.raises(Conflict):
            consent.revoke(session, token, now=now)
        with pytest.raises(Conflict):
            consent.give(
                session, token, {ConsentItem.NAME: "陈"}, language="zh", links=LINKS, now=now + 60 * DAY
            )
        told = [one.step for one in session.exec(select(DisposalEntry)) if one.subject_id == case.id]
        assert [one for one in told if one in {Step.CONSENT, Step.REVOKED}] == [Step.CONSENT, Step.REVOKED]


def test_a_name_that_has_left_is_asked_back_and_a_deletion_takes_it_too(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        case, post, token, _ = asked_for(session, now)
        consent.give(session, token, {ConsentItem.NAME: "陈小雨"}, language="en", links=LINKS, now=now)
        left = session.exec(
            select(OutboxMessage).where(
                OutboxMessage.topic == Topic.CASE_SHARED, OutboxMessage.state == MessageState.PENDING
            )
        ).one()
        left.state = MessageState.DELIVERED
        session.add(left)
        consent.revoke(session, token, now=now)
        session.refresh(left)
        assert left.payload["shared"] == {}
        asked = session.exec(select(OutboxMessage).where(OutboxMessage.topic == Topic.CONSENT_REVOKED)).all()
        assert [one.payload["erase"] for one in asked] == [["name"]]
        assert "陈小雨" not in str([one.payload for one in session.exec(select(OutboxMessage))])
        # A deletion of the post takes everything back as well.
        consent.give(session, token, {ConsentItem.NAME: "陈小雨"}, language="zh", links=LINKS, now=now)
        told_of = session.get_one(Post, post)
        proof = deletion.delete(
            session, told_of.source, told_of.external_id, scope=None, deleted_by="key:x", now=now
        )
        assert proof.reached["consents"] == 1
        assert consent.shared(session, case, LINKS) == {}
        assert "陈小雨" not in str([one.payload for one in session.exec(select(OutboxMessage))])
        with pytest.raises(Conflict):
            consent.ask(session, case.id, OPERATIONS, [ConsentItem.NAME], now=now, links=LINKS)


def test_names_are_forgotten_after_the_archive_and_the_form_keeps_the_rest(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        case, _, token, _ = asked_for(session, now)
        values = {ConsentItem.NAME: "陈小雨", ConsentItem.CONTACT: "请打宿舍电话"}
        consent.give(session, token, values, language="zh", links=LINKS, now=now)
        left = session.exec(
            select(OutboxMessage).where(
                OutboxMessage.topic == Topic.CASE_SHARED, OutboxMessage.state == MessageState.PENDING
            )
        ).all()
        for one in left:
            one.state = MessageState.DELIVERED
            session.add(one)
        for worker, step, text, named in WAY[3:]:
            take(session, case, worker, step, text, named=named, now=now)
        take(session, case, COORDINATION, Step.ARCHIVED, "", named=handling.NOTHING, now=now)
        identifier, fields = case.id, cases.newest_form(session, case).fields
    kept = timedelta(days=30)
    assert forget_due(database, now + kept - timedelta(minutes=1), kept=kept) == Forgotten()
    assert forget_due(database, now + kept, kept=kept) == Forgotten(cases=1, items=2)
    assert forget_due(database, now + kept, kept=kept) == Forgotten()
    with database.reading() as session:
        case = session.get_one(Case, identifier)
        assert consent.shared(session, case, LINKS) == {}
        rows = consent.consents_of(session, identifier)
        assert [(one.value, one.forgotten_at, one.revoked_at) for one in rows] == [
            (None, now + kept, None)
        ] * 2
        assert all(one.given_at == now and one.wording for one in rows)
        messages = session.exec(select(OutboxMessage)).all()
        assert "陈小雨" not in str([one.payload for one in messages])
        erase = [one.payload["erase"] for one in messages if one.topic is Topic.CONSENT_REVOKED]
        assert [sorted(one) for one in erase] == [["contact", "name"]]
        assert cases.newest_form(session, case).fields == fields
        said = [one for one in session.exec(select(DisposalEntry)) if one.step is Step.NOTE]
        assert [one.details["forgotten"] for one in said] == [["contact", "name"]]
        logged = session.exec(select(AuditEntry).where(AuditEntry.action == "consent.forgotten")).one()
        assert logged.details == {"items": ["contact", "name"], "kept_days": 30}
        assert audit.first_break(session) is None
    with pytest.raises(ValueError, match="180"):
        forget_due(database, now, kept=timedelta(days=181))
    with pytest.raises(ValueError, match="180"):
        AlertsSettings(consent_days=181)


def named_only(session: Session, endpoint: str) -> None:
    from models.outbox import WebhookEndpoint

    row = session.get_one(WebhookEndpoint, endpoint)
    row.topics = [Topic.CASE_SHARED.value, Topic.CONSENT_REVOKED.value]
    session.add(row)
    session.flush()


def test_a_help_case_that_its_author_calls_unsolved_begins_anew(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        listen(session, now, source="forum", organisation="gd")
        chorus = demand(session, now, state=DemandState.GATHERING)
        post = chorus.say("1", now - DAY)
        case = helping.open_help(session, post, OPERATIONS, title="热水停供", domain=Domain.HOUSING, now=now)
        assert refused(session, case, OPERATIONS, Step.REOPENED, now) == "move_not_allowed"
        walk(session, case, now)
        assert refused(session, case, OPERATIONS, Step.REOPENED, now) == "not_asked_again"
        (link,) = rating_links(session, case)
        loop.rate(session, LINKS, link, Rating.NOT_SOLVED, now=now)
        assert (case.state, case.round) == (CaseState.ASSIGNED, 2)
        for forged in (link[::-1], "short", "", "中文"):
            with pytest.raises(NotFound):
                loop.rate(session, LINKS, forged, Rating.SOLVED, now=now)


def test_a_solved_demand_that_comes_back_shows_its_history(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        first = opened(session, now, title="热水供应")
        walk(session, first, now)
        take(session, first, COORDINATION, Step.ARCHIVED, "", named=handling.NOTHING, now=now)
        again = opened(session, now + 30 * DAY, title="热水又停")
        card = cases.case_card(session, again.id, COORDINATION)
        assert [(one.case_id, one.title) for one in card.earlier] == [(first.id, "热水供应")]
