"""A deletion reaches every copy of a text and leaves only the proof (charter, 10)."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, col, select

from models.audit import AuditEntry, first_break
from models.database import Database
from models.demand import Demand, DemandMember
from models.errors import NotFound
from models.event import Event, Report, ReportExample
from models.post import Post, PostDeletion
from models.reading import Reading
from models.review import ReviewTask, Statement
from models.vocabulary import (
    Action,
    Category,
    DemandState,
    Domain,
    EventKind,
    MessageState,
    PostState,
    TaskState,
    Tone,
)
from moderation import appeals, leases, queue, review, statements
from moderation.deletion import delete
from tests.support import posting
from tests.support.posting import OFFICER, send

SECRET = "没有人应该再看到的句子"
SCOPE = ["gd"]


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)


def gone(database: Database, now: datetime, **changes: Any) -> PostDeletion:
    values = {"scope": SCOPE, "deleted_by": "key:1", "now": now, **changes}
    with database.transaction() as session:
        return delete(session, "forum", "1", **values)


def everything(database: Database) -> str:
    """Every value of every column of every table, as one string."""
    with database.engine.connect() as connection:
        return "\n".join(
            str(tuple(row))
            for table in SQLModel.metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        )


def spread(database: Database, now: datetime) -> None:
    """Bring one post everywhere a post can come to."""
    send(database, now, text=f"第一版：{SECRET}")
    send(database, now, revision=2, text=f"加薇：{SECRET}", place="厚街")
    send(database, now, external_id="2", author="user-2", text="别的")
    with database.transaction() as session:
        posts = {post.external_id: post.id for post in session.exec(select(Post))}
        task = leases.next_task(session, SCOPE, OFFICER, now=now)
        review.decide(
            session, task.task.id, OFFICER, Action.REMOVE, category=Category.SPAM, reason="推销",
            version=task.task.version, scope=SCOPE, now=now,
        )  # fmt: skip
        token = session.exec(select(Statement.token)).one()
        appeals.submit(session, token, f"我写的是{SECRET}", now=now)
        demand = Demand(
            title="热水", domain=Domain.CAMPUS_LIFE, organisation="gd/dongguan", posts=2, authors=2,
            first_posted_at=now, last_posted_at=now,
        )  # fmt: skip
        session.add(demand)
        session.flush()
        event = Event(
            kind=EventKind.COLLECTIVE_DEMAND, organisation="gd/dongguan", demand_id=demand.id, title="热水",
            domain=Domain.CAMPUS_LIFE, created_at=now,
        )  # fmt: skip
        session.add(event)
        session.flush()
        report = Report(event_id=event.id, sequence=1, reported_by=OFFICER, reported_at=now)
        session.add(report)
        session.flush()
        for post in posts.values():
            session.add(DemandMember(demand_id=demand.id, post_id=post, probability=0.9, joined_at=now))
            session.add(
                Reading(
                    post_id=post, revision=1, organisation="gd/dongguan", is_need=True, need_probability=0.9,
                    domain=Domain.CAMPUS_LIFE, domain_probability=0.9, tone=Tone.NEUTRAL, posted_at=now,
                    read_at=now, vector=b"\x01\x02",
                )
            )  # fmt: skip
        session.add(ReportExample(report_id=report.id, post_id=posts["1"], text=f"有人说{SECRET}"))


def test_no_copy_of_the_text_and_no_trace_of_the_author_is_left(database: Database, now: datetime) -> None:
    spread(database, now)
    with database.reading() as session:
        author = session.exec(select(Post.author).where(Post.external_id == "1")).one()
    assert SECRET in everything(database)

    proof = gone(database, now)

    left = everything(database)
    assert SECRET not in left
    assert author not in left
    assert "厚街" not in left
    assert {name: count for name, count in proof.reached.items() if name != "messages"} == {
        "revisions": 2, "readings": 1, "demands": 1, "report_examples": 1, "review_tasks": 0,
        "statements": 1, "appeals": 1, "consents": 0,
    }  # fmt: skip
    assert len(proof.fingerprints) == 2
    assert all(len(one) == 64 for one in proof.fingerprints)


def test_the_bytes_are_gone_from_the_file_too(database: Database, now: datetime) -> None:
    if not database.is_sqlite:
        return
    path = Path(database.url.removeprefix("sqlite:///"))
    send(database, now, text=SECRET * 50)
    gone(database, now)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")

    assert SECRET.encode() not in path.read_bytes()


def test_the_demand_is_counted_anew(database: Database, now: datetime) -> None:
    spread(database, now)
    gone(database, now)

    with database.reading() as session:
        demand = session.exec(select(Demand)).one()
        members = session.exec(select(DemandMember)).all()
    assert (demand.posts, demand.authors, demand.version) == (1, 1, 2)
    assert len(members) == 1


@pytest.mark.parametrize(
    ("state", "title"),
    [
        (DemandState.PROPOSED, "热水、洗澡"),
        (DemandState.REJECTED, "热水、洗澡"),
        (DemandState.CLOSED, "热水、锅炉"),
    ],
)
def test_words_that_were_only_its_own_leave_the_demand_at_once(
    database: Database, now: datetime, state: DemandState, title: str
) -> None:
    spread(database, now)
    for number, text in enumerate(
        ("热水没有，没法洗澡", "停了热水，怎么洗澡，锅炉也坏", "100%没有热水"), start=3
    ):
        send(database, now, external_id=str(number), author=f"user-{number}", text=text)
    with database.transaction() as session:
        demand = session.exec(select(Demand)).one()
        for post in session.exec(select(Post).where(col(Post.external_id).in_(["3", "4", "5"]))):
            session.add(DemandMember(demand_id=demand.id, post_id=post.id, probability=0.9, joined_at=now))
        demand.state, demand.title, demand.terms = state, "热水、锅炉", ["热水", "锅炉", "洗澡", "%"]
        session.add(demand)
    gone(database, now)

    with database.reading() as session:
        demand = session.exec(select(Demand)).one()
    assert demand.terms == ["热水", "洗澡"]
    assert demand.title == title


def test_what_waits_about_it_is_withdrawn(database: Database, now: datetime) -> None:
    send(database, now, text="加薇")
    proof = gone(database, now)

    with database.reading() as session:
        assert session.exec(select(ReviewTask.state)).one() is TaskState.WITHDRAWN
        assert [one.state for one in posting.messages(session)] == [MessageState.WITHDRAWN]
        assert queue.counts(session, SCOPE, now=now).total == 0
    assert (proof.reached["review_tasks"], proof.reached["messages"]) == (1, 1)


def test_an_objection_about_a_deleted_post_waits_no_longer(database: Database, now: datetime) -> None:
    spread(database, now)
    gone(database, now)

    with database.reading() as session:
        view = statements.view(session, session.exec(select(Statement.token)).one())
        assert appeals.waiting(session, SCOPE, OFFICER) == []
    assert (view.deleted, view.passages, view.can_appeal(now)) == (True, (), False)


def test_a_second_deletion_answers_with_the_first_proof(database: Database, now: datetime) -> None:
    send(database, now)
    first = gone(database, now)
    second = gone(database, now.replace(year=2027), deleted_by="key:2")

    assert (second.id, second.deleted_at, second.deleted_by) == (first.id, now, "key:1")
    with database.reading() as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.action == "post.deleted")).all()
        assert first_break(session) is None
        assert session.exec(select(Post.state)).one() is PostState.DELETED
    assert [entry.actor for entry in entries] == ["key:1"]


def test_what_was_never_here_or_is_out_of_reach_is_not_found(database: Database, now: datetime) -> None:
    with pytest.raises(NotFound):
        gone(database, now)
    send(database, now)
    with pytest.raises(NotFound):
        gone(database, now, scope=["gd/foshan"])
