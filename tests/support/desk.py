"""A served console whose clock the test turns, with a scripted screener, for the officer's desk.

It starts within a second, because it loads no model; `browser.served` starts the whole service.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from sqlmodel import Session, col, select

from api.app import create_app
from api.wiring import Service
from models.account import Account, Grant
from models.database import Database
from models.organisation import Organisation
from models.outbox import WebhookEndpoint
from models.post import Post
from models.review import ReviewTask
from models.vocabulary import Role
from moderation import similarity
from moderation.drafts import draft
from moderation.intake import Caller, take
from tests.support import posting
from tests.support.browser import free_port
from tests.support.screeners import ScriptedScreener
from tests.support.services import HASH, Clock, make_service

START_SECONDS = 240
CALLER = Caller(posting.SOURCE, "key:test", ("gd",))
PEOPLE = {
    "linxiao": ("林晓", Role.OFFICER),
    "zhouning": ("周宁", Role.OFFICER),
    "hean": ("何安", Role.CARE),
    "auditor": ("审计员", Role.AUDITOR),
}
NAMES = {"gd": "广东省", "gd/dongguan": "东莞市", "gd/dongguan/houjie": "厚街镇", "gd/foshan": "佛山市"}


@dataclass
class Desk:
    """A running console: where it is, its service, and the clock."""

    address: str
    service: Service
    clock: Clock
    posts: int = 0

    @property
    def database(self) -> Database:
        return self.service.database

    def hold(self, text: str, **changes: Any) -> str:
        """Send a post in; return its task."""
        self.posts += 1
        sent = posting.fields(self.clock.now, external_id=f"post-{self.posts}", text=text, **changes)
        (taken,) = take(
            self.database,
            self.service.screener,  # type: ignore[arg-type]
            [draft(sent, now=self.clock.now)],
            caller=CALLER,
            keys=self.service.keys,
            now=self.clock.now,
        )
        assert taken.answer is not None, taken.problem
        return self.task_of(taken.answer.id)

    def task_of(self, post: str) -> str:
        with self.database.reading() as session:
            return session.exec(
                select(ReviewTask.id)
                .where(col(ReviewTask.post_id) == post)
                .order_by(col(ReviewTask.created_at).desc())
            ).one()

    def post_of(self, task: str) -> Post:
        with self.database.reading() as session:
            return session.get_one(Post, session.get_one(ReviewTask, task).post_id)

    def note_likeness(self) -> None:
        similarity.note_likeness(self.database, self.service.keys.likeness, self.clock.now)


def furnish(session: Session, now: datetime) -> None:
    """Make the tree, four people at the province, and the forum's endpoint."""
    for path, kind in posting.TREE.items():
        session.add(Organisation(path=path, name=NAMES[path], kind=kind, created_at=now))
    for login, (name, role) in PEOPLE.items():
        account = Account(login=login, name=name, password=HASH, created_at=now)
        session.add(account)
        session.flush()
        session.add(Grant(account_id=account.id, role=role, organisation="gd", granted_at=now))
    session.add(
        WebhookEndpoint(
            source=posting.SOURCE,
            organisation="gd",
            url="http://127.0.0.1:9/",
            secret="whsec_MA==",
            created_at=now,
        )
    )


@contextmanager
def served_desk(database: Database, screener: ScriptedScreener | None = None) -> Iterator[Desk]:
    """Serve the console over a migrated, empty database, in a thread of this process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    now = datetime.now(UTC)
    service = make_service(database, now, public_url=address)
    service.screener = screener or ScriptedScreener()  # type: ignore[assignment]
    with database.transaction() as session:
        furnish(session, now - timedelta(days=1))
    server = uvicorn.Server(
        uvicorn.Config(create_app(service), port=port, log_level="error", lifespan="off", access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    ends = time.monotonic() + START_SECONDS
    while not server.started and time.monotonic() < ends:
        time.sleep(0.02)
    assert server.started
    try:
        yield Desk(address, service, service.clock)  # type: ignore[arg-type]
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
