"""The application over a test's database, and callers with keys: a platform's own, and officers'."""

from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlmodel import Session

from api import sessions
from api.app import create_app
from api.settings import Settings
from api.wiring import Keys, Service
from models.account import ApiKey, Grant
from models.database import Database
from models.vocabulary import KeyScope, Role
from tests.support import posting
from tests.support.screeners import ScriptedScreener

SECRET = "a secret of a test, long enough to count"


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def make_service(database: Database, clock: Clock, **settings: Any) -> Service:
    made = Settings(secret=SecretStr(SECRET), database_url=database.url, **settings)
    return Service(made, database, Keys(made.secret_bytes()), screener=ScriptedScreener(), clock=clock)


def new_key(
    session: Session,
    now: datetime,
    *,
    source: str = posting.SOURCE,
    organisation: str = "gd",
    may: tuple[KeyScope, ...] = tuple(KeyScope),
) -> str:
    """Make a key of a source; return it."""
    key = sessions.new_key()
    session.add(
        ApiKey(
            source=source,
            name="test",
            organisation=organisation,
            scopes=[scope.value for scope in may],
            key_hash=sessions.key_hash(key),
            created_at=now,
        )
    )
    session.flush()
    return key


class Caller(TestClient):
    """A client of the application that sends one key with every request."""

    def __init__(self, app: FastAPI, key: str = "") -> None:
        super().__init__(app, raise_server_exceptions=False)
        if key:
            self.headers["authorization"] = f"Bearer {key}"


class Platform:
    """The application with a tree, two officers at the province, and a forum's key."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database = database
        self.clock = Clock(now)
        self.service = make_service(database, self.clock)
        self.app = create_app(self.service)
        with database.transaction() as session:
            posting.plant(session, now)
            self.key = new_key(session, now)
            for account in (posting.OFFICER, posting.COLLEAGUE):
                session.add(Grant(account_id=account, role=Role.OFFICER, organisation="gd", granted_at=now))
        self.forum = Caller(self.app, self.key)
        self.nobody = Caller(self.app)

    def with_key(self, **changes: Any) -> Caller:
        with self.database.transaction() as session:
            return Caller(self.app, new_key(session, self.clock.now, **changes))

    def officer(self, account: str = posting.OFFICER) -> TestClient:
        """A signed-in officer, as a browser is: a cookie and a CSRF token."""
        with self.database.transaction() as session:
            opened = sessions.SignIn(
                account_id=account,
                csrf="csrf-of-a-test",
                created_at=self.clock.now,
                expires_at=self.clock.now.replace(year=self.clock.now.year + 1),
            )
            session.add(opened)
        client = Caller(self.app)
        client.cookies.set(
            sessions.cookie_name(self.service.settings), self.service.keys.cookies.sign(opened.id).decode()
        )
        client.headers["x-csrf-token"] = "csrf-of-a-test"
        return client
