"""Questions, their clocks, who is called, and who has them, on both databases."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from alerts import answers, confirming, dispatch, escalation, questions
from alerts.actor import Actor
from alerts.calendar import YearNotConfirmed, load_calendar, shipped
from models import audit
from models.clock import Clock, ClockCall, ConfirmedYear, Handover, QuestionAnswer
from models.database import Database
from models.demand import Setting
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion
from models.organisation import Organisation
from models.outbox import OutboxMessage
from models.post import Post
from models.reading import Reading
from models.service_vocabulary import Answerer, CallStage, ClockRule, DayKind, HandoverState
from models.vocabulary import Domain, OrganisationKind, PostKind, PostState, Tone, Topic
from tests.support import posting, voices
from tests.support.posting import send

PROVINCE = Actor(posting.OFFICER, "省联络员", ("gd",))
CITY = Actor(posting.COLLEAGUE, "东莞联络员", ("gd/dongguan",))
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def world(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)
        session.add(Organisation(path="gd/school", name="学院", kind=OrganisationKind.CAMPUS, created_at=now))


def clock_of(session: Session, number: str) -> Clock:
    return session.exec(
        select(Clock).join(Post, col(Post.id) == col(Clock.subject_id)).where(Post.external_id == number)
    ).one()


def test_a_question_starts_its_clock_and_an_answer_of_anybody_else_stops_it(
    database: Database, now: datetime
) -> None:
    send(database, now, external_id="q", created_at=now - timedelta(minutes=2))
    send(database, now, external_id="campus", organisation="gd/school")
    send(database, now, external_id="comment", kind=PostKind.COMMENT)
    send(database, now, external_id="imported", created_at=now - timedelta(days=40))
    assert questions.watch_questions(database, now).started == 2
    assert questions.watch_questions(database, now).started == 0

    later = now + timedelta(minutes=20)
    send(database, later, external_id="own", kind=PostKind.ANSWER, parent="q", created_at=later)
    assert questions.watch_questions(database, later).stopped == 0
    send(database, later, external_id="a", kind=PostKind.ANSWER, parent="q", author="other", created_at=later)
    assert questions.watch_questions(database, later).stopped == 1
    with database.transaction() as session:
        clock = clock_of(session, "q")
        assert (clock.rule, clock.due_at) == (
            ClockRule.WORKING_HOURS,
            now - timedelta(minutes=2) + 3 * HOUR,
        )
        assert (clock.stopped_at, clock.stopped_by) == (later, Answerer.YOUNG_PERSON)
        assert clock_of(session, "campus").rule is ClockRule.CAMPUS
        # The answer turns out to break a rule: it has answered nothing.
        answer = session.exec(select(Post).where(Post.external_id == "a")).one()
        answer.state = PostState.REMOVED
        session.add(answer)
    assert questions.watch_questions(database, later + HOUR).resumed == 1
    with database.transaction() as session:
        clock = clock_of(session, "q")
        assert clock.stopped_at is None
        assert clock.next_at is not None
        question = session.exec(select(Post).where(Post.external_id == "q")).one()
        question.state = PostState.DELETED
        session.add(question)
    assert questions.watch_questions(database, later + HOUR).withdrawn == 1


def test_a_platform_tells_who_answered_once_and_never_before_the_question(
    database: Database, now: datetime
) -> None:
    asked = now - timedelta(hours=2)
    send(database, now, external_id="q", created_at=asked)

    def told(session: Session, at: datetime, *, source: str = "forum", scope: str = "gd") -> Clock:
        return answers.answered(
            session,
            source,
            "q",
            scope=[scope],
            answer="answer-1",
            by=Answerer.EXPERT,
            at=at,
            actor="key:test",
            now=now,
        )

    with database.transaction() as session:
        for wrong in (asked - HOUR, now + HOUR):
            with pytest.raises(InvalidInput):
                told(session, wrong)
        with pytest.raises(NotFound):
            told(session, now, source="another")
        with pytest.raises(NotFound):
            told(session, now, scope="gd/foshan")
        clock = told(session, now - HOUR)
        assert (clock.stopped_at, clock.stopped_by) == (now - HOUR, Answerer.EXPERT)
        told(session, now)
        assert clock_of(session, "q").stopped_at == now - HOUR
        assert len(session.exec(select(QuestionAnswer)).all()) == 1


def test_calls_go_up_stage_by_stage_grouped_and_throttled(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        for place in ("gd", "gd/dongguan"):
            voices.listen(session, now, source=None, organisation=place, url=f"https://{place[-4:]}.example/")
    for number in range(3):
        send(database, now, external_id=f"q{number}", author=f"u{number}", created_at=now)
    questions.watch_questions(database, now)
    due = now + 3 * HOUR

    def swept(at: datetime) -> list[tuple[CallStage, str, int]]:
        escalation.sweep_clocks(database, at)
        with database.reading() as session:
            return [
                (call.stage, call.organisation, len(call.clocks))
                for call in session.exec(select(ClockCall).order_by(col(ClockCall.id)))
            ]

    assert swept(now + HOUR) == []
    expected = [(CallStage.WARNING, "gd/dongguan", 3)]
    assert swept(due - timedelta(minutes=45)) == expected
    # A fourth question whose turn comes five minutes later waits for the next call.
    send(
        database,
        now + timedelta(minutes=5),
        external_id="q3",
        author="u9",
        created_at=now + timedelta(minutes=5),
    )
    questions.watch_questions(database, now + timedelta(minutes=5))
    assert swept(due - timedelta(minutes=40)) == expected
    expected.append((CallStage.WARNING, "gd/dongguan", 1))
    assert swept(due - timedelta(minutes=30)) == expected
    with database.transaction() as session:
        answers.answered_by_hand(
            session,
            clock_of(session, "q0"),
            by=Answerer.DUTY_OFFICER,
            actor=CITY.audit_name,
            version=1,
            now=due - HOUR / 2,
        )
    expected.append((CallStage.BREACH, "gd/dongguan", 3))
    assert swept(due + timedelta(minutes=5)) == expected
    expected.append((CallStage.LEAD, "gd/dongguan", 3))
    assert swept(due + timedelta(minutes=35)) == expected
    expected.append((CallStage.ABOVE, "gd", 3))
    assert swept(due + 3 * HOUR) == expected
    assert swept(due + 20 * HOUR) == expected
    with database.transaction() as session:
        told = session.exec(
            select(OutboxMessage.organisation).where(OutboxMessage.topic == Topic.CLOCK_CALLED)
        ).all()
        assert sorted(told) == ["gd", *["gd/dongguan"] * 4]
        call = escalation.open_calls(session, ["gd"])[0]
        assert call.stage is CallStage.ABOVE
        with pytest.raises(NotFound):
            escalation.mark_seen(session, call.id, CITY, now=now)
        escalation.mark_seen(session, call.id, PROVINCE, now=now)
        figures = escalation.figures(session, ["gd"], since=now, now=due + HOUR)
        assert [(row.stopped, row.in_time, row.late_running) for row in figures] == [(1, 1, 3)]
        assert audit.first_break(session) is None


def placed(session: Session, number: str, place: str, now: datetime) -> None:
    post = session.exec(select(Post).where(Post.external_id == number)).one()
    session.add(
        Reading(
            post_id=post.id,
            revision=1,
            organisation=post.organisation,
            is_need=True,
            need_probability=0.9,
            domain=Domain.HOUSING,
            domain_probability=0.9,
            tone=Tone.NEUTRAL,
            place=place,
            posted_at=now,
            read_at=now,
        )
    )


def test_a_provincial_question_goes_to_its_place_comes_back_and_the_clock_runs_on(
    database: Database, now: datetime
) -> None:
    for number in ("q", "elsewhere"):
        send(
            database,
            now,
            external_id=number,
            organisation="gd",
            created_at=now,
            caller=posting.CALLER,
            author=number,
        )
    questions.watch_questions(database, now)
    with database.transaction() as session:
        session.get_one(Organisation, "gd/dongguan").names = ["东莞", "莞"]
        placed(session, "q", "东莞", now)
        placed(session, "elsewhere", "乌有之乡", now)
        due = clock_of(session, "q").due_at
    assert dispatch.dispatch_due(database, now).suggested == 1
    assert dispatch.dispatch_due(database, now).suggested == 0
    with database.transaction() as session:
        ((found, clock),) = dispatch.suggestions(session, ["gd"])
        with pytest.raises(NotFound):
            dispatch.settle_suggestion(session, found.id, CITY, take=True, now=now)
        dispatch.settle_suggestion(session, found.id, PROVINCE, take=True, now=now)
        with pytest.raises(Conflict):
            dispatch.settle_suggestion(session, found.id, PROVINCE, take=True, now=now)
        assert (clock.organisation, clock.due_at) == ("gd/dongguan", due)
        with pytest.raises(InvalidInput):
            dispatch.return_question(session, clock.id, CITY, reason=" ", now=now)
        dispatch.return_question(session, clock.id, CITY, reason="说的是省里的事", now=now)
        assert (clock.organisation, clock.due_at) == ("gd", due)
        with pytest.raises(Conflict):
            dispatch.return_question(session, clock.id, PROVINCE, reason="不是我的", now=now)
        with pytest.raises(StaleVersion):
            dispatch.hand_over(
                session, clock.id, PROVINCE, "gd/foshan", reason="佛山的事", now=now, version=1
            )
        for to in ("gd/nowhere", "gd"):
            with pytest.raises(InvalidInput):
                dispatch.hand_over(session, clock.id, PROVINCE, to, reason="试试", now=now)
        dispatch.hand_over(session, clock.id, PROVINCE, "gd/foshan", reason="佛山的事", now=now)
        assert [step.state for step in dispatch.record_of(session, clock.id)] == [
            HandoverState.HANDED,
            HandoverState.RETURNED,
            HandoverState.HANDED,
        ]
    assert dispatch.dispatch_due(database, now).suggested == 0


def test_where_the_setting_says_so_a_question_is_handed_over_at_once(
    database: Database, now: datetime
) -> None:
    send(database, now, external_id="q", organisation="gd", created_at=now)
    questions.watch_questions(database, now)
    with database.transaction() as session:
        session.get_one(Organisation, "gd/dongguan").names = ["东莞"]
        placed(session, "q", "东莞", now)
        session.add(
            Setting(
                key=dispatch.AUTOMATIC_KEY,
                organisation="gd",
                value=1,
                reason="试行",
                changed_by="command:test",
                changed_at=now,
            )
        )
    assert dispatch.dispatch_due(database, now).handed == 1
    with database.reading() as session:
        assert clock_of(session, "q").organisation == "gd/dongguan"
        step = session.exec(select(Handover)).one()
        assert (step.made_by, step.place) == (dispatch.SERVICE, "东莞")


def test_a_question_of_an_unconfirmed_year_waits_until_somebody_confirms_the_year(
    database: Database, tmp_path: Path
) -> None:
    new_year = datetime.fromisoformat("2027-01-04T10:00:00+08:00")
    send(database, new_year, external_id="q", created_at=new_year)
    with pytest.raises(YearNotConfirmed, match="2027"):
        questions.watch_questions(database, new_year)
    file = tmp_path / "2027.toml"
    file.write_text(
        'holidays = [{ name = "元旦", first = 2027-01-01, last = 2027-01-03 }]\nworking = [2027-02-20]\n',
        encoding="utf-8",
    )
    notice = confirming.read_file(file, 2027)
    with database.transaction() as session:
        with pytest.raises(Conflict, match="2027-02-20"):
            confirming.confirm_year(session, notice, actor="command:test", reason="通知", now=new_year)
        confirming.confirm_year(
            session, notice, actor="command:test", reason="通知", now=new_year, despite_library=True
        )
        with pytest.raises(Conflict):
            confirming.confirm_year(
                session, notice, actor="command:test", reason="通知", now=new_year, despite_library=True
            )
    assert questions.watch_questions(database, new_year).started == 1
    with database.reading() as session:
        assert session.exec(select(ConfirmedYear.year)).one() == 2027
        calendar = load_calendar(session)
        assert calendar.years == {one.year for one in shipped()} | {2027}
        assert calendar.day(min(notice.working)).kind is DayKind.MAKE_UP_DAY
