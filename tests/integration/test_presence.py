"""No post of an open demand vanishes without a record, and the command that verifies the log says so."""

from collections.abc import Callable
from datetime import datetime

import pytest
import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select
from typer.testing import CliRunner

from api.commands.audit import app
from models import audit
from models.audit import AuditEntry, first_break
from models.database import Database
from models.demand import Demand, DemandMember
from models.post import Post
from models.quality import SecondReading
from models.review import ReviewTask
from models.vocabulary import Action, Category, DemandState, Domain, PostState, SecondState, Verdict
from moderation import confirming, deletion, leases, presence, review
from moderation.presence import Lost
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, SOURCE, send
from tests.support.screeners import ScriptedScreener

SCOPE = ["gd"]
VOICES = 8
HOLDING = ScriptedScreener({"改": (Verdict.HOLD, Category.SPAM)})


@pytest.fixture
def voices(database: Database, now: datetime) -> list[str]:
    """The posts of a proposed demand, which the log names."""
    with database.transaction() as session:
        posting.plant(session, now)
    for number in range(VOICES):
        send(database, now, external_id=str(number), author=f"user-{number}", text="热水又停了")
    with database.transaction() as session:
        demand = Demand(
            title="热水",
            domain=Domain.CAMPUS_LIFE,
            organisation="gd/dongguan",
            state=DemandState.PROPOSED,
            first_posted_at=now,
            last_posted_at=now,
        )
        session.add(demand)
        session.flush()
        posts = session.exec(select(Post.id).order_by(col(Post.external_id))).all()
        for post in posts:
            session.add(DemandMember(demand_id=demand.id, post_id=post, probability=0.9, joined_at=now))
    assert presence.note_members(database, now).posts == VOICES
    assert presence.note_members(database, now).posts == 0
    return list(posts)


def edited(
    database: Database, external_id: str, now: datetime, screener: ScriptedScreener, text: str
) -> None:
    author = f"user-{external_id}"
    taken = send(
        database, now, screener=screener, external_id=external_id, author=author, revision=2, text=text
    )
    assert taken.problem is None


def removed_by_two(database: Database, external_id: str, now: datetime) -> None:
    """Edit a post so that it is held; one officer removes it and another confirms."""
    edited(database, external_id, now, HOLDING, "改，加薇")
    with database.transaction() as session:
        task = session.exec(
            select(ReviewTask)
            .join(Post, col(Post.id) == col(ReviewTask.post_id))
            .where(Post.external_id == external_id)
        ).one()
        version = leases.lease(session, task.id, OFFICER, SCOPE, now=now).task.version
        review.decide(
            session,
            task.id,
            OFFICER,
            Action.REMOVE,
            version=version,
            category=Category.SPAM,
            reason="推销",
            scope=SCOPE,
            now=now,
        )
        reading = session.exec(select(SecondReading)).one()
        confirming.settle(session, reading.id, COLLEAGUE, SecondState.CONFIRMED, scope=SCOPE, now=now)


def looked(database: Database) -> dict[str, Lost]:
    with database.reading() as session:
        found = presence.look(session)
    assert found.posts == VOICES
    return {one.post_id: one.how for one in found.vanished}


def test_what_has_its_record_is_not_missing_and_what_has_none_is(
    database: Database, now: datetime, voices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINGJIAN_DATABASE_URL", database.url)
    monkeypatch.setenv("TINGJIAN_SECRET", "a secret for tests, long enough to be one")
    removed_by_two(database, "0", now)
    with database.transaction() as session:
        deletion.delete(session, SOURCE, "1", scope=None, deleted_by="platform:forum", now=now)
    edited(database, "2", now, HOLDING, "改一改")
    with database.reading() as session:
        states = [session.get_one(Post, one).state for one in voices[:3]]
        named = session.exec(select(AuditEntry).where(AuditEntry.action == presence.NOTED)).one()
    assert states == [PostState.REMOVED, PostState.DELETED, PostState.HELD]
    assert sorted(named.details["posts"]) == sorted(voices)
    assert looked(database) == {}
    whole = CliRunner().invoke(app, ["verify"])
    assert (whole.exit_code, "vanished without a record: 8 looked at" in whole.output) == (0, True)

    def gone(session: Session, post: str) -> None:
        for table in ("demandmember", "member_note", "screening", "postrevision", "post"):
            session.execute(
                sa.delete(SQLModel.metadata.tables[table]).where(
                    sa.literal_column("id" if table == "post" else "post_id") == post
                )
            )

    def to(state: PostState) -> Callable[[Session, str], None]:
        def change(session: Session, post: str) -> None:
            session.execute(sa.update(Post).where(col(Post.id) == post).values(state=state))

        return change

    def emptied(session: Session, post: str) -> None:
        session.execute(
            sa.update(SQLModel.metadata.tables["postrevision"])
            .where(sa.literal_column("post_id") == post)
            .values(text=None)
        )

    def machine(session: Session, post: str) -> None:
        to(PostState.REMOVED)(session, post)
        audit.record(session, now, actor="machine:x", action="statement.issued", subject=f"post:{post}")

    ways = (
        (gone, Lost.GONE),
        (emptied, Lost.EMPTIED),
        (to(PostState.DELETED), Lost.DELETED),
        (machine, Lost.REMOVED),
        (to(PostState.HELD), Lost.HELD),
    )
    for (act, _), post in zip(ways, voices[3:], strict=True):
        with database.transaction() as session:
            act(session, post)

    assert looked(database) == {post: how for (_, how), post in zip(ways, voices[3:], strict=True)}
    with database.reading() as session:
        assert first_break(session) is None, "the chain alone does not show it"
    broken = CliRunner().invoke(app, ["verify"])
    assert broken.exit_code == 1
    assert all(post in broken.output for post in voices[3:])


def test_a_machine_may_remove_what_was_the_voice_of_a_demand_that_was_rejected(
    database: Database, now: datetime, voices: list[str]
) -> None:
    with database.transaction() as session:
        session.execute(sa.update(Demand).values(state=DemandState.REJECTED))
    screener = ScriptedScreener({"刷单": (Verdict.REMOVE, Category.SCAM)})
    edited(database, "0", now, screener, "刷单日结")
    with database.reading() as session:
        assert session.get_one(Post, voices[0]).state is PostState.REMOVED
    assert looked(database) == {}
