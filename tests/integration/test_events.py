"""From a proposed demand to a settled event, on both databases."""

from datetime import datetime, timedelta

import orjson
import pytest
from sqlmodel import Session, col, select

from alerts import cases, events, inbox, members, reporting
from alerts.actor import Actor
from models import audit
from models.database import Database
from models.demand import DemandMember, Setting
from models.errors import CharterViolation, Conflict, InvalidInput, NotFound, StaleVersion
from models.event import DisposalEntry, Event, FormVersion, InboxItem, Report, ReportExample
from models.outbox import OutboxMessage
from models.post import Post
from models.vocabulary import (
    DemandState,
    Domain,
    EventState,
    PostState,
    Step,
    Topic,
)
from tests.support.voices import (
    COORDINATION,
    COORDINATOR,
    ELSEWHERE,
    PROVINCE,
    UNIT,
    demand,
    listen,
    plant,
)

DAY = timedelta(days=1)


def verified(session: Session, now: datetime, *, authors: int = 12, report: bool = True) -> Event:
    chorus = demand(session, now)
    chorus.many(1, authors, now - DAY)
    return events.verify_demand(
        session, chorus.demand.id, COORDINATOR, now=now, note="已核实，情况属实", report=report
    )


def steps(session: Session, event: Event) -> list[Step]:
    return [
        entry.step
        for entry in session.exec(
            select(DisposalEntry)
            .where(col(DisposalEntry.subject_id) == event.id)
            .order_by(col(DisposalEntry.sequence))
        )
    ]


def test_one_decision_makes_event_report_inbox_form_and_record(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        event = verified(session, now)

    with database.reading() as session:
        assert event.state is EventState.REPORTED
        assert steps(session, event) == [Step.COLLECT, Step.VERIFY, Step.REPORT_UP, Step.FORM_OPENED]
        assert session.exec(select(InboxItem.organisation)).all() == ["gd"]
        report = session.exec(select(Report)).one()
        assert (report.figures["counts"]["posts"], report.figures["counts"]["authors"]) == (12, 12)
        assert audit.first_break(session) is None


def test_every_level_above_gets_the_report(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now, organisation="gd/dongguan/houjie")
        chorus.many(1, 10, now - DAY)
        events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
        at_the_top = demand(session, now, organisation="gd")
        at_the_top.many(1, 10, now - DAY)
        events.verify_demand(session, at_the_top.demand.id, PROVINCE, now=now, note="属实")

        found = session.exec(select(InboxItem.organisation).order_by(col(InboxItem.id))).all()

    assert found == ["gd/dongguan", "gd", "gd"]


def test_figures_and_messages_hold_no_author_no_post_and_no_example(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        listen(session, now, source=None, organisation="gd")
        listen(session, now, source="forum", organisation="gd/dongguan")
        chorus = demand(session, now)
        posts = chorus.many(1, 12, now - DAY)
        said = dict.fromkeys(posts[:5], "盼着能洗上热水澡")
        events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实", paraphrases=said)

        figures = session.exec(select(Report.figures)).one()
        messages = session.exec(select(OutboxMessage)).all()
        examples = session.exec(select(ReportExample)).all()

    assert {message.topic for message in messages} == {Topic.EVENT_REPORTED, Topic.DEMAND_UPDATED}
    assert len(examples) == 5
    for outgoing in (figures, *(message.payload for message in messages)):
        text = orjson.dumps(outgoing).decode()
        assert "hash-" not in text
        assert not [post for post in posts if post in text]
        assert "希望尽快修好" not in text
        assert "盼着" not in text


@pytest.mark.parametrize("state", [s for s in DemandState if s is not DemandState.PROPOSED])
def test_only_a_proposed_demand_can_be_verified(
    database: Database, now: datetime, state: DemandState
) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now, state=state)
        chorus.many(1, 12, now - DAY)

        with pytest.raises((Conflict, NotFound)):
            events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")


def test_a_demand_elsewhere_does_not_exist_for_an_officer(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        chorus.many(1, 12, now - DAY)

        with pytest.raises(NotFound):
            events.verify_demand(session, chorus.demand.id, ELSEWHERE, now=now, note="属实")


@pytest.mark.parametrize(("value", "reason", "authors", "goes"), [
    (None, "", 10, True),
    (None, "", 9, False),
    (5, "镇小人少", 5, True),
    (5, "镇小人少", 4, False),
    (5, "  ", 9, False),
    (3, "镇小人少", 9, False),
    (20, "", 19, False),
])  # fmt: skip
def test_the_least_number_of_people_is_ten_or_five_with_a_reason(
    database: Database, now: datetime, value: int | None, reason: str, authors: int, *, goes: bool
) -> None:
    with database.transaction() as session:
        plant(session, now)
        if value is not None:
            session.add(
                Setting(
                    key="demand_min_authors", organisation="gd/dongguan", value=value, reason=reason,
                    changed_by="account:x", changed_at=now,
                )
            )  # fmt: skip
        chorus = demand(session, now)
        chorus.many(1, authors, now - DAY)
        if goes:
            assert events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
            return
        with pytest.raises(CharterViolation):
            events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")


def test_people_are_counted_from_published_posts_and_not_from_a_stored_number(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        chorus.demand.authors = 500
        chorus.many(1, 9, now - DAY)
        chorus.many(10, 14, now - DAY, state=PostState.REMOVED)
        for _ in range(5):
            chorus.say("1", now - DAY)

        with pytest.raises(CharterViolation) as refused:
            events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")

    assert refused.value.problem_code == "too_few_authors"


def test_what_no_service_can_meet_stays_where_it_is_unless_an_officer_names_the_service(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now, domain=Domain.NONE)
        chorus.many(1, 12, now - DAY)
        with pytest.raises(CharterViolation) as refused:
            events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
        event = events.verify_demand(
            session, chorus.demand.id, COORDINATOR, now=now, note="属实", domain=Domain.CAMPUS_LIFE
        )

    assert refused.value.problem_code == "no_service_domain"
    assert event.domain is Domain.CAMPUS_LIFE


def test_a_title_never_repeats_one_persons_words(database: Database, now: datetime) -> None:
    words = "我们宿舍三楼的热水器从上周五开始就坏了"
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now, title=words)
        chorus.many(1, 12, now - DAY)
        chorus.say("1", now - DAY, text=words + "，没人来修")
        with pytest.raises(InvalidInput):
            events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实", title=words)
        event = events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")

    assert event.title == "住房：热水、宿舍"


def test_two_officers_cannot_both_verify_and_a_stale_one_is_told(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        chorus.many(1, 12, now - DAY)
        with pytest.raises(StaleVersion):
            events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实", version=9)
        events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实", version=1)
        with pytest.raises(Conflict):
            events.verify_demand(session, chorus.demand.id, PROVINCE, now=now, note="属实")


def test_a_rejected_demand_keeps_its_reason_and_makes_no_event(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        events.reject_demand(session, chorus.demand.id, COORDINATOR, now=now, reason="不是同一件事")

        assert chorus.demand.state is DemandState.REJECTED
        assert session.exec(select(Event)).all() == []


@pytest.mark.parametrize("wrong", ["six", "twice", "strange", "one author"])
def test_wrong_examples_are_refused(database: Database, now: datetime, wrong: str) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        posts = chorus.many(1, 12, now - DAY)
        again = chorus.say("1", now - DAY)
        chosen = {
            "six": posts[:6],
            "twice": [posts[0], posts[0]],
            "strange": ["f" * 32],
            "one author": [posts[0], again],
        }[wrong]
        with pytest.raises(InvalidInput) as refused:
            events.verify_demand(
                session,
                chorus.demand.id,
                COORDINATOR,
                now=now,
                note="属实",
                examples=chosen,
                paraphrases=dict.fromkeys(chosen, "盼着能洗上热水澡"),
            )

    assert refused.value.problem_code == "examples"


def test_an_example_goes_up_in_an_officers_words_alone_and_redacted(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        chorus.many(1, 12, now - DAY)
        named = chorus.say("13", now - DAY, text="洗澡只能用冷水，希望后勤尽快来修一修")
        for words, code in (
            (None, "not_paraphrased"),
            ("  ", "not_paraphrased"),
            ("他说：洗澡只能用冷水,希望后勤尽快来修", "paraphrase_repeats"),
        ):
            with pytest.raises(InvalidInput) as refused, session.begin_nested():
                events.verify_demand(
                    session,
                    chorus.demand.id,
                    COORDINATOR,
                    now=now,
                    note="属实",
                    examples=[named],
                    paraphrases={} if words is None else {named: words},
                )
            assert refused.value.problem_code == code
        said = {named: "我叫周晓梅的同学住3栋502，电话13800138000，盼热水"}
        event = events.verify_demand(
            session, chorus.demand.id, COORDINATOR, now=now, note="属实", paraphrases=said
        )
        row = session.exec(select(ReportExample)).one()
        entry = next(one for one in events.event_card(session, event.id).record if one.step is Step.REPORT_UP)

    assert "【住处】" in (row.text or "")
    assert "13800138000" not in (row.text or "")
    assert (row.paraphrased, row.paraphrased_by, row.paraphrased_at) == (True, COORDINATOR.account_id, now)
    assert entry.details["paraphrased"] == 1


def test_what_nobody_paraphrased_stays_at_home(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        event = verified(session, now)
        assert session.exec(select(ReportExample)).all() == []
        report = session.exec(select(Report)).one()
        member = session.exec(select(DemandMember.post_id)).first()
        # A row as the release before wrote it: redacted, and in the post's own words.
        session.add(ReportExample(report_id=report.id, post_id=member or "", text="宿舍热水又停了"))
        session.flush()
        item = session.exec(select(InboxItem)).one()

        assert events.event_card(session, event.id).examples == {report.id: []}
        assert inbox.open_item(session, item.id, PROVINCE, now=now, signs_for=["gd"]).examples == []
        own = members.members_of(session, event.demand_id or "")
        assert "宿舍热水又停了" in members.proposed_examples(session, own)[0].text


def test_posts_proposed_to_an_officer_needed_no_redaction(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        chorus.many(1, 10, now - DAY, text="我叫周晓梅，电话13800138000，热水坏了好多天")
        chorus.say("11", now - DAY, text="洗澡只能用冷水，希望尽快修好")
        found = members.proposed_examples(session, members.members_of(session, chorus.demand.id))

    assert [one.text for one in found] == ["洗澡只能用冷水，希望尽快修好"]


def test_the_whole_way_stands_on_the_record_and_closes_the_demand(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        listen(session, now, source="forum", organisation="gd/dongguan")
        event = verified(session, now)
        item = session.exec(select(InboxItem)).one()
        inbox.open_item(session, item.id, PROVINCE, now=now, signs_for=["gd"])
        events.act(session, event.id, COORDINATOR, "已联系后勤处，周三前修复", now=now)
        events.tell_users(session, event.id, COORDINATOR, "后勤处周三前修好热水", now=now)
        events.feed_back_up(session, event.id, COORDINATOR, "热水已修复", now=now)
        events.feed_back_users(session, event.id, COORDINATOR, "热水已经修好，谢谢反映", now=now)

        assert event.state is EventState.CLOSED
        assert steps(session, event) == [
            Step.COLLECT, Step.VERIFY, Step.REPORT_UP, Step.FORM_OPENED, Step.DELIVERED, Step.ACT,
            Step.TELL_USERS, Step.FEED_BACK_UP, Step.REPORT_UP, Step.FEED_BACK_USERS,
        ]  # fmt: skip
        assert events.demand_of(session, event.demand_id or "").state is DemandState.CLOSED
        last = session.exec(select(Report).order_by(col(Report.sequence).desc())).first()
        told = [
            message.payload["message"]
            for message in session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id)))
            if "message" in message.payload
        ]
        with pytest.raises(Conflict):
            events.act(session, event.id, COORDINATOR, "再来", now=now)

    assert last is not None
    assert last.figures["doing"] == "热水已修复"
    assert last.figures["counts"]["repeated"]
    assert told == ["后勤处周三前修好热水", "热水已经修好，谢谢反映"]


def test_a_second_report_needs_something_new(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        event = verified(session, now)
        with pytest.raises(Conflict) as refused:
            reporting.report_up(session, event.id, COORDINATOR, now=now + DAY)
        events.act(session, event.id, COORDINATOR, "已派人", now=now + DAY)
        again = reporting.report_up(session, event.id, COORDINATOR, now=now + DAY)

    assert refused.value.problem_code == "nothing_new"
    assert again.sequence == 2


@pytest.mark.parametrize(("newcomers", "posts", "authors"), [(3, 12, 12), (9, 12, 12), (10, 22, 22)])
def test_a_later_report_counts_ten_new_people_or_none(
    database: Database, now: datetime, newcomers: int, posts: int, authors: int
) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        chorus.many(1, 12, now - DAY)
        event = events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
        chorus.many(101, 100 + newcomers, now + timedelta(hours=1))
        events.act(session, event.id, COORDINATOR, "已派人", now=now + DAY)
        again = reporting.report_up(session, event.id, COORDINATOR, now=now + DAY)

    counts = again.figures["counts"]
    assert (counts["posts"], counts["authors"]) == (posts, authors)
    assert counts["repeated"] is (newcomers < 10)


def test_posts_that_were_too_few_for_one_report_come_with_the_next(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        chorus.many(1, 12, now - DAY)
        event = events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
        chorus.many(101, 104, now + timedelta(hours=1))
        events.act(session, event.id, COORDINATOR, "已派人", now=now + DAY)
        reporting.report_up(session, event.id, COORDINATOR, now=now + DAY)
        chorus.many(105, 112, now + DAY + timedelta(hours=3))
        third = reporting.report_up(session, event.id, COORDINATOR, now=now + 2 * DAY)

    assert third.figures["counts"]["posts"] == 24


def test_a_deletion_makes_no_published_number_smaller(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        posts = chorus.many(1, 14, now - DAY)
        event = events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
        session.get_one(Post, posts[0]).state = PostState.DELETED
        events.act(session, event.id, COORDINATOR, "已派人", now=now + DAY)
        again = reporting.report_up(session, event.id, COORDINATOR, now=now + DAY)

    assert again.figures["counts"]["posts"] == 14


def test_the_spread_names_no_place_with_few_people(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now)
        chorus.many(1, 15, now - DAY)
        chorus.many(21, 24, now - DAY, organisation="gd/dongguan/humen")
        event = events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
        figures = events.event_card(session, event.id).reports[0].figures

    assert figures["counts"]["spread"] == [{"cell": None, "posts": 19}]
    assert "gd/dongguan/humen" not in figures["names"]


def test_the_receipt_is_the_offices_own(database: Database, now: datetime) -> None:
    high = Actor(PROVINCE.account_id, "全省", ("gd",))
    with database.transaction() as session:
        plant(session, now)
        chorus = demand(session, now, organisation="gd/dongguan/houjie")
        chorus.many(1, 10, now - DAY)
        events.verify_demand(session, chorus.demand.id, COORDINATOR, now=now, note="属实")
        city = session.exec(select(InboxItem).where(col(InboxItem.organisation) == "gd/dongguan")).one()

        inbox.open_item(session, city.id, high, now=now, signs_for=["gd"])
        inbox.open_item(session, city.id, COORDINATOR, now=now)
        assert city.read_at is None
        office = ["gd/dongguan"]
        inbox.open_item(session, city.id, COORDINATOR, now=now + DAY, signs_for=office)
        inbox.open_item(session, city.id, COORDINATOR, now=now + 2 * DAY, signs_for=office)
        with pytest.raises(NotFound):
            inbox.open_item(session, city.id, ELSEWHERE, now=now)
        views = session.exec(
            select(audit.AuditEntry).where(col(audit.AuditEntry.action) == "inbox.viewed")
        ).all()

        assert (city.read_at, city.read_by) == (now + DAY, COORDINATOR.account_id)
        assert len(views) == 4
        assert [one.id for one in inbox.list_items(session, ["gd/dongguan"], unread=True)] == []
        assert len(inbox.list_items(session, ["gd"])) == 2


def test_the_form_is_filled_from_the_report(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        event = verified(session, now)
        case = cases.case_of_event(session, event.id)
        assert case is not None
        fields = cases.case_card(session, case.id, COORDINATION).form.fields

    assert fields["issued_on"] == "2026-03-16"
    assert fields["group"] == "东莞市青年"
    assert fields["period"] == "2026-03-15 至 2026-03-15"
    assert fields["topic_posts"] == "12"
    assert fields["place"] == "东莞市"
    assert fields["demand"] == "宿舍热水"
    assert "住房" in fields["details"]
    assert [fields[key] for key in ("coordination_opinion", "result", "leader_remark")] == ["", "", ""]


def test_saving_a_form_keeps_every_version_and_refuses_a_stale_one(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        event = verified(session, now)
        case = cases.case_of_event(session, event.id)
        assert case is not None
        fields = dict(cases.case_card(session, case.id, COORDINATION).form.fields)
        fields["coordination_opinion"] = "请后勤处牵头"
        saved = cases.save_form(session, case.id, COORDINATION, fields, version=1, now=now)
        with pytest.raises(StaleVersion):
            cases.save_form(session, case.id, COORDINATION, fields, version=1, now=now)
        with pytest.raises(NotFound):
            cases.save_form(session, case.id, UNIT, fields, version=2, now=now)
        versions = session.exec(select(FormVersion.version).order_by(col(FormVersion.version))).all()

    assert saved.version == 2
    assert versions == [1, 2]


def test_a_form_needs_a_report_and_is_opened_once(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)
        event = verified(session, now, report=False)
        with pytest.raises(Conflict):
            cases.open_form(session, event.id, COORDINATOR, now=now)
        reporting.report_up(session, event.id, COORDINATOR, now=now)
        cases.open_form(session, event.id, COORDINATOR, now=now)
        with pytest.raises(Conflict):
            cases.open_form(session, event.id, COORDINATOR, now=now)
