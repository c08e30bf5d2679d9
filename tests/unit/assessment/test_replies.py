"""The reply times of the public report: what is told of each limit, and of how few people nothing is."""

from datetime import datetime, timedelta

from sqlmodel import Session

from assessment import openness
from assessment.replies import ReplyTime, reply_times
from models.base import new_id
from models.clock import Clock
from models.database import Database
from models.post import Post
from models.service_vocabulary import ClockRule, ClockSubject
from models.vocabulary import PostKind, PostState

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)


def ask(
    session: Session,
    author: str,
    at: datetime,
    *,
    answered: float | None,
    rule: ClockRule = ClockRule.WORKING_HOURS,
    hours: int = 3,
    subject: ClockSubject = ClockSubject.QUESTION,
    withdrawn: bool = False,
) -> None:
    """Add a clock, `answered` hours after it began."""
    subject_id = new_id()
    if subject is ClockSubject.QUESTION:
        post = Post(
            source="forum", external_id=subject_id, revision=1, kind=PostKind.QUESTION, organisation="gd",
            author=author, state=PostState.PUBLISHED, created_at=at, received_at=at,
        )  # fmt: skip
        session.add(post)
        session.flush()
        subject_id = post.id
    session.add(
        Clock(
            subject=subject,
            subject_id=subject_id,
            organisation="gd",
            rule=rule,
            started_at=at,
            due_at=at + hours * HOUR,
            stopped_at=None if answered is None else at + answered * HOUR,
            withdrawn_at=at if withdrawn else None,
        )
    )
    session.flush()


def test_each_limit_tells_the_share_in_time_and_the_median_of_enough_people_alone(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        for number in range(9):
            ask(session, f"a{number}", now, answered=1 + number / 4)
        ask(session, "a9", now, answered=5)
        ask(session, "a10", now, answered=None)
        ask(session, "a11", now, answered=1, withdrawn=True)
        ask(session, "a12", now + 5 * HOUR, answered=None)  # still has its time
        for _ in range(30):
            ask(session, "one and the same", now, answered=1, rule=ClockRule.OFF_HOURS, hours=12)
        for number in range(11):
            ask(session, f"c{number}", now, answered=None, rule=ClockRule.CAMPUS, hours=1)
        for _ in range(10):
            ask(
                session,
                "",
                now,
                answered=0.5,
                rule=ClockRule.STATION_OPEN,
                hours=1,
                subject=ClockSubject.BOOKING,
            )
        for _ in range(10):
            ask(
                session,
                "",
                now,
                answered=1,
                rule=ClockRule.STATION_CLOSED,
                hours=12,
                subject=ClockSubject.INVITATION,
            )
        later = now + 6 * HOUR
        found = {one.rule: one for one in reply_times(session, now, now + MONTH, later)}
        report = openness.report(session, now, now + MONTH, later)
        nothing = reply_times(session, now - MONTH, now, later)

    assert list(found) == list(ClockRule)
    working = ReplyTime(ClockRule.WORKING_HOURS, limit_hours=3, n=10, in_time=0.82, median_minutes=120)
    assert found[ClockRule.WORKING_HOURS] == working
    assert found[ClockRule.OFF_HOURS] == ReplyTime(ClockRule.OFF_HOURS), "thirty questions, one person"
    campus = ReplyTime(ClockRule.CAMPUS, limit_hours=1, n=10, in_time=0.0, median_minutes=None)
    assert found[ClockRule.CAMPUS] == campus
    assert found[ClockRule.STATION_OPEN].median_minutes == 30
    assert found[ClockRule.STATION_CLOSED].n is None, "an expert's reply is no public figure"
    assert report.reply_times == tuple(found.values())
    assert nothing == tuple(ReplyTime(rule) for rule in ClockRule)


def test_a_question_that_still_has_its_time_when_the_month_is_over_is_counted_by_how_it_ended(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        for number in range(10):
            ask(session, f"a{number}", now - HOUR, answered=2)
        (row, *_) = openness.report(session, now - MONTH, now, now + MONTH).reply_times

    assert (row.n, row.in_time) == (10, 1.0)
