"""Care for officers: the count of harsh posts, its limit, a pass without a reason, and what is forgotten."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from models.account import Account, Grant
from models.audit import AuditEntry
from models.database import Database
from models.demand import Setting
from models.quality import ExposureDay, TaskPass
from models.review import ReviewTask
from models.vocabulary import Category, Role
from moderation import exposure, knobs, leases
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, send

SCOPE = ["gd"]


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)
        for account in (OFFICER, COLLEAGUE):
            session.add(Grant(account_id=account, role=Role.OFFICER, organisation="gd", granted_at=now))
        session.add(
            Setting(
                key=knobs.HARSH_LIMIT,
                organisation="gd",
                value=10,
                reason="a test",
                changed_by="t",
                changed_at=now,
            )
        )


def threats(database: Database, now: datetime, count: int) -> list[str]:
    for number in range(count):
        send(database, now, external_id=f"threat-{number}", text=f"打死你{number}")
    with database.reading() as session:
        return list(session.exec(select(ReviewTask.id).order_by(col(ReviewTask.id))))


def opened(database: Database, task: str, now: datetime, officer: str = OFFICER) -> None:
    with database.transaction() as session:
        leases.lease(session, task, officer, SCOPE, now=now)


def test_only_harsh_posts_count_each_once_while_they_are_in_hand(database: Database, now: datetime) -> None:
    tasks = threats(database, now, 2)
    send(database, now, external_id="spam", text="加薇领取")
    with database.transaction() as session:
        for _ in range(3):
            leases.next_task(session, SCOPE, OFFICER, now=now)
        exposure.note_unfolded(session, tasks[0], OFFICER, now)
        exposure.note_unfolded(session, tasks[1], OFFICER, now)
    with database.reading() as session:
        found = exposure.of_officer(session, OFFICER, now)
        assert (found.shown, found.unfolded) == (1, 1)
        assert found.by_category == {Category.THREAT: (1, 1)}
        assert exposure.of_officer(session, OFFICER, now + timedelta(days=1)).shown == 0


def test_past_the_limit_harsh_posts_go_to_others_until_tomorrow_and_nothing_is_blocked(
    database: Database, now: datetime
) -> None:
    tasks = threats(database, now, 12)
    send(database, now, external_id="spam", text="加薇领取")
    for task in tasks[:10]:
        opened(database, task, now)
    later = now + timedelta(minutes=11)
    with database.transaction() as session:
        assert exposure.of_officer(session, OFFICER, later).over
        mine = leases.next_task(session, SCOPE, OFFICER, now=later)
        assert mine is not None
        assert mine.task.category is Category.SPAM
        others = leases.next_task(session, SCOPE, COLLEAGUE, now=later)
        assert others is not None
        assert others.task.category is Category.THREAT
        # Opening one from the list is one's own choice.
        leases.lease(session, tasks[11], OFFICER, SCOPE, now=later)
    with database.transaction() as session:
        tomorrow = leases.next_task(session, SCOPE, OFFICER, now=now + timedelta(days=1))
        assert tomorrow is not None
        assert tomorrow.task.category is Category.THREAT


def test_a_person_in_danger_is_counted_and_never_withheld(database: Database, now: datetime) -> None:
    tasks = threats(database, now, 10)
    for task in tasks:
        opened(database, task, now)
    send(database, now, external_id="danger", text="不想活了")
    with database.transaction() as session:
        found = leases.next_task(session, SCOPE, OFFICER, now=now)
        assert found is not None
        assert found.task.category is Category.SELF_HARM
        counted = exposure.of_officer(session, OFFICER, now)
        assert counted.by_category[Category.SELF_HARM] == (1, 0)
        assert counted.shown == 10


def test_a_pass_gives_the_post_to_the_others_and_leaves_no_trace_of_who_passed(
    database: Database, now: datetime
) -> None:
    (task,) = threats(database, now, 1)
    opened(database, task, now)
    with database.transaction() as session:
        entries = len(session.exec(select(AuditEntry)).all())
        leases.pass_on(session, task, OFFICER, SCOPE, now=now)
        assert len(session.exec(select(AuditEntry)).all()) == entries
        assert leases.next_task(session, SCOPE, OFFICER, now=now) is None
        assert leases.next_task(session, SCOPE, COLLEAGUE, now=now) is not None
    tomorrow = now + timedelta(days=1, seconds=1)
    with database.transaction() as session:
        assert leases.next_task(session, SCOPE, OFFICER, now=tomorrow) is not None
    assert exposure.forget_due(database, tomorrow).passes == 1
    with database.reading() as session:
        assert session.exec(select(TaskPass)).all() == []


def test_counts_are_forgotten_after_thirty_days(database: Database, now: datetime) -> None:
    (task,) = threats(database, now, 1)
    opened(database, task, now)
    assert exposure.forget_due(database, now + timedelta(days=29)).days == 0
    assert exposure.forget_due(database, now + timedelta(days=30)).days == 1
    with database.reading() as session:
        assert session.exec(select(ExposureDay)).all() == []


def test_a_lead_sees_one_sum_and_none_for_fewer_than_three_officers(
    database: Database, now: datetime
) -> None:
    tasks = threats(database, now, 3)
    third = "0" * 31 + "3"
    with database.transaction() as session:
        session.add(Account(id=third, login="third", name="third", password="-", created_at=now))
        session.flush()
        session.add(Grant(account_id=third, role=Role.OFFICER, organisation="gd", granted_at=now))
    opened(database, tasks[0], now)
    opened(database, tasks[1], now, COLLEAGUE)
    with database.reading() as session:
        assert exposure.together(session, SCOPE, now) == []
    opened(database, tasks[2], now, third)
    with database.reading() as session:
        (found,) = exposure.together(session, SCOPE, now)
        assert (found.shown, found.officers) == (3, 3)
        assert exposure.together(session, ["gd/foshan"], now) == []
