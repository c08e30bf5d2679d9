"""Whoever moves a post, and however, the audit log says so: every change of state has its entry."""

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlmodel import Session, col, select

from models.account import Account, Grant
from models.audit import AuditEntry, first_break
from models.database import Database
from models.errors import TingjianError
from models.post import Post
from models.quality import SecondReading
from models.review import FreshLook, ReviewTask, Statement
from models.vocabulary import Action, AppealState, Category, PostState, Role, SecondState, TaskState, Verdict
from moderation import appeals, confirming, deletion, fresh_looks, leases, review, undo
from moderation.review import Seen
from moderation.rulings import Ruling
from moderation.screening import rescreen
from tests.conftest import NOW
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, SOURCE, send
from tests.support.screeners import ScriptedScreener

SCOPE = ["gd"]
THIRD = "0" * 31 + "3"
POSTS = 3
LONG = "先到先得，联系客服领取任务，当天结算不拖欠，名额有限"
TEXTS = ("热水又停了", f"加薇，{LONG}", f"刷单，{LONG}", "不想活了", f"打死你，{LONG}")
MILD, STRICT = ScriptedScreener({}), ScriptedScreener({"热水": (Verdict.HOLD, Category.SPAM)})


class Walk:
    """A database in which posts are moved, and what was seen of it."""

    def __init__(self, database: Database) -> None:
        self.database, self.now = database, NOW
        self.revisions = dict.fromkeys(range(POSTS), 1)
        self.last: str | None = None

    def post(self, session: Session, number: int) -> Post:
        return session.exec(select(Post).where(Post.external_id == str(number))).one()

    def task(self, session: Session, number: int) -> ReviewTask:
        return session.exec(
            select(ReviewTask).where(
                ReviewTask.post_id == self.post(session, number).id, ReviewTask.state == TaskState.OPEN
            )
        ).one()

    def edit(self, number: int, choice: int) -> None:
        self.revisions[number] += 1
        text = f"{TEXTS[choice % len(TEXTS)]}{self.revisions[number]}"
        send(self.database, self.now, external_id=str(number), revision=self.revisions[number], text=text)

    def decide(self, number: int, choice: int) -> None:
        action = tuple(Action)[choice % len(Action)]
        harm = {"category": Category.SPAM, "reason": "推销"} if action is Action.REMOVE else {}
        with self.database.transaction() as session:
            task = self.task(session, number)
            version = leases.lease(session, task.id, OFFICER, SCOPE, now=self.now).task.version
            made = review.decide(
                session, task.id, OFFICER, action, version=version, scope=SCOPE, now=self.now, **harm
            )
            self.last = made.id

    def bulk(self, _: int, choice: int) -> None:
        harm = (Category.SPAM, Category.THREAT)[choice % 2]
        with self.database.transaction() as session:
            tasks = session.exec(select(ReviewTask).where(ReviewTask.state == TaskState.OPEN)).all()
            opened = [leases.lease(session, task.id, OFFICER, SCOPE, now=self.now).task for task in tasks]
            seen = [Seen(task.id, task.version) for task in opened]
            ruling = Ruling(Action.REMOVE, harm, "成批")
            done = review.decide_many(session, seen, OFFICER, ruling, scope=SCOPE, now=self.now)
            self.last = done.decided[0].id if done.decided else None

    def undo(self, _: int, __: int) -> None:
        with self.database.transaction() as session:
            undo.undo(session, self.last or "", OFFICER, SCOPE, now=self.now)

    def confirm(self, _: int, choice: int) -> None:
        outcome = (SecondState.CONFIRMED, SecondState.DECLINED)[choice % 2]
        with self.database.transaction() as session:
            for reading in session.exec(
                select(SecondReading).where(SecondReading.state == SecondState.WAITING)
            ).all():
                confirming.settle(session, reading.id, COLLEAGUE, outcome, scope=SCOPE, now=self.now)

    def appeal(self, number: int, choice: int) -> None:
        outcome = (AppealState.REVERSED, AppealState.UPHELD)[choice % 2]
        with self.database.transaction() as session:
            statement = session.exec(
                select(Statement).where(
                    Statement.post_id == self.post(session, number).id, col(Statement.withdrawn_at).is_(None)
                )
            ).one()
            made = appeals.submit(session, statement.token, "我不同意", now=self.now)
            appeals.decide(session, made.id, THIRD, outcome, answer="好", scope=SCOPE, now=self.now)

    def look(self, _: int, choice: int) -> None:
        fresh_looks.propose_due(self.database, self.now)
        with self.database.transaction() as session:
            for one in session.exec(select(FreshLook).where(col(FreshLook.settled_at).is_(None))).all():
                fresh_looks.settle(
                    session, one.id, COLLEAGUE, restore=choice % 2 == 0, scope=SCOPE, now=self.now
                )

    def rescreen(self, _: int, choice: int) -> None:
        rescreen(self.database, (MILD, STRICT, ScriptedScreener())[choice % 3], now=self.now)  # type: ignore[arg-type]

    def delete(self, number: int, _: int) -> None:
        with self.database.transaction() as session:
            deletion.delete(
                session, SOURCE, str(number), scope=None, deleted_by="platform:forum", now=self.now
            )

    def wait(self, number: int, choice: int) -> None:
        self.now += timedelta(seconds=20 * (1 + number + choice))

    def states(self) -> tuple[dict[str, PostState], int]:
        with self.database.reading() as session:
            assert first_break(session) is None
            entries = session.exec(select(AuditEntry.sequence)).all()
            return {post.id: post.state for post in session.exec(select(Post))}, max(entries, default=0)

    def told_since(self, sequence: int) -> Counter[str]:
        with self.database.reading() as session:
            subjects = session.exec(select(AuditEntry.subject).where(AuditEntry.sequence > sequence)).all()
        return Counter(subject.removeprefix("post:") for subject in subjects)


WAYS: tuple[Callable[[Walk, int, int], None], ...] = (
    Walk.edit,
    Walk.decide,
    Walk.bulk,
    Walk.undo,
    Walk.confirm,
    Walk.appeal,
    Walk.look,
    Walk.rescreen,
    Walk.delete,
    Walk.wait,
)
steps = st.lists(
    st.tuples(st.sampled_from(WAYS), st.integers(0, POSTS - 1), st.integers(0, 5)), min_size=1, max_size=12
)
EVERY_WAY = [
    (Walk.edit, 0, 1),  # held
    (Walk.decide, 0, 1),  # removed
    (Walk.undo, 0, 0),
    (Walk.edit, 1, 1),
    (Walk.bulk, 0, 0),
    (Walk.wait, 2, 5),
    (Walk.appeal, 0, 0),  # granted, and the other removal is looked at afresh
    (Walk.look, 0, 0),
    (Walk.edit, 2, 4),  # a threat, which needs a second officer
    (Walk.bulk, 0, 1),
    (Walk.confirm, 0, 0),
    (Walk.edit, 1, 0),
    (Walk.rescreen, 0, 1),
    (Walk.delete, 2, 0),
]


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
@example(EVERY_WAY)
def test_every_change_of_state_has_its_entry_on_the_log(
    sqlite_template: Path, tmp_path: Path, taken: list[tuple[Callable[[Walk, int, int], None], int, int]]
) -> None:
    path = tmp_path / "walk.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(sqlite_template, path)
    moved: set[str] = set()
    with closing(Database(f"sqlite:///{path}")) as database:
        with database.transaction() as session:
            posting.plant(session, NOW)
            session.add(Account(id=THIRD, login="third", name="third", password="-", created_at=NOW))
            session.flush()
            session.add(Grant(account_id=THIRD, role=Role.OFFICER, organisation="gd", granted_at=NOW))
        for number in range(POSTS):
            send(database, NOW, external_id=str(number), text=f"{TEXTS[0]}{number}")
        walk = Walk(database)
        for way, number, choice in taken:
            before, sequence = walk.states()
            walk.now += timedelta(seconds=1)
            with suppress(TingjianError, NoResultFound, MultipleResultsFound):
                way(walk, number, choice)
            after, _ = walk.states()
            told = walk.told_since(sequence)
            changed = {post for post, state in after.items() if before[post] is not state}
            assert changed <= set(told), (way.__name__, {post: after[post] for post in changed - set(told)})
            moved |= {way.__name__} if changed else set()
    if taken is EVERY_WAY:
        assert moved == {way.__name__ for way in WAYS} - {"wait"}
