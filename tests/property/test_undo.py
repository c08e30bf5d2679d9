"""Whatever officers decide and undo, in any order and at any pace: outside is only what was not undone."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from alerts.channels import Envelope, Outcome
from alerts.delivery import deliver_due
from alerts.settings import AlertsSettings
from models.audit import AuditEntry, first_break
from models.database import Database
from models.errors import TingjianError
from models.post import Post
from models.review import Decision, ReviewTask, Statement
from models.vocabulary import Action, Category, PostState, TaskState
from moderation import leases, review, undo
from tests.conftest import NOW
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, send

SCOPE = ["gd"]
POSTS = 3
steps = st.lists(
    st.tuples(
        st.sampled_from(["decide", "undo", "deliver", "edit"]),
        st.integers(0, POSTS - 1),
        st.sampled_from(list(Action)),
        st.sampled_from([OFFICER, COLLEAGUE]),
        st.integers(0, 40),
    ),
    min_size=1,
    max_size=12,
)


class Outside:
    """Everything that has left, by what it is about."""

    def __init__(self) -> None:
        self.sent: list[Envelope] = []

    def send(self, envelope: Envelope, *, at: datetime) -> Outcome:
        del at
        self.sent.append(envelope)
        return Outcome(succeeded=True, status=200)

    def close(self) -> None:
        pass


@contextmanager
def fresh(template: Path, folder: Path) -> Iterator[Database]:
    path = folder / "undo.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(template, path)
    database = Database(f"sqlite:///{path}")
    try:
        yield database
    finally:
        database.close()


def decide(database: Database, number: int, action: Action, officer: str, now: datetime) -> Decision | None:
    with database.reading() as session:
        task = session.exec(
            select(ReviewTask.id)
            .join(Post, col(Post.id) == col(ReviewTask.post_id))
            .where(Post.external_id == str(number), ReviewTask.state == TaskState.OPEN)
        ).first()
    if task is None:
        return None
    removal = {"category": Category.SPAM, "reason": "推销"} if action is Action.REMOVE else {}
    try:
        with database.transaction() as session:
            version = leases.lease(session, task, officer, SCOPE, now=now).task.version
            return review.decide(
                session, task, officer, action, version=version, scope=SCOPE, now=now, **removal
            )
    except TingjianError:
        return None


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_undo_leaves_no_trace_outside_and_every_change_has_its_entry(
    sqlite_template: Path, tmp_path: Path, taken: list[tuple[str, int, Action, str, int]]
) -> None:
    with fresh(sqlite_template, tmp_path) as database:
        outside, now = Outside(), NOW
        made: dict[str, Decision] = {}
        undone: set[str] = set()
        revisions = dict.fromkeys(range(POSTS), 1)
        with database.transaction() as session:
            posting.plant(session, now)
        for number in range(POSTS):
            send(database, now, external_id=str(number), text="先加薇领资料")

        def deliver() -> None:
            deliver_due(database, {"webhook": outside}, AlertsSettings(allow_private=True), now)

        for step, number, action, officer, seconds in taken:
            now += timedelta(seconds=seconds)
            if step == "decide":
                decision = decide(database, number, action, officer, now)
                made |= {decision.id: decision} if decision else {}
            elif step == "edit":
                revisions[number] += 1
                send(
                    database, now, external_id=str(number), revision=revisions[number], text="又来加薇领资料"
                )
            elif step == "deliver":
                deliver()
            elif made:
                last = list(made)[-1 - number % len(made)]
                try:
                    with database.transaction() as session:
                        undo.undo(session, last, officer, SCOPE, now=now)
                except TingjianError:
                    continue
                assert now < made[last].decided_at + review.UNDO
                undone.add(last)
        now += timedelta(days=1)
        deliver()

        with database.reading() as session:
            kept = {one.id: one for one in session.exec(select(Decision))}
            statements = session.exec(select(Statement)).all()
            entries = session.exec(select(AuditEntry)).all()
            posts = {one.id: one for one in session.exec(select(Post))}
            tasks = {one.post_id for one in session.exec(select(ReviewTask)) if one.state is TaskState.OPEN}
            assert first_break(session) is None
        assert set(kept) == set(made) - undone
        assert {one.decision_id for one in statements if one.decision_id} <= set(kept)
        told = [one for one in outside.sent if one.topic == "post.decided"]
        assert len(told) == len(kept)
        assert {(one.payload["post"], one.payload["decided_at"]) for one in told} == {
            (one.post_id, one.decided_at.isoformat()) for one in kept.values()
        }
        links = {f"/statements/{one.token}" for one in statements}
        assert {one.payload["statement"] for one in outside.sent if one.topic == "statement.issued"} <= links
        logged = [one.details["decision"] for one in entries if one.action == "post.decided"]
        assert sorted(logged) == sorted(made)
        assert sorted(
            one.details["decision"] for one in entries if one.action == "decision.undone"
        ) == sorted(undone)
        for post in posts.values():
            assert (post.state is PostState.HELD) == (post.id in tasks)
