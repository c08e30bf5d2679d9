"""A service and its application for tests: a small tree, accounts, keys, a clock, and callers with keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api import keys, organisations, sessions
from api.accounts import Actor
from api.app import create_app
from api.settings import Settings
from api.wiring import Keys, Service
from models.account import Account, Grant
from models.database import Database
from models.vocabulary import KeyScope, Role
from tests.support import posting
from tests.support.screeners import ScriptedScreener

OPERATOR = Actor("command:test")
PASSWORD = "plum-tree-in-the-rain"
SECRET = "a secret for tests, long enough to be one"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""A hash that is quickly checked, because a real one costs a tenth of a second each time."""

TREE = [
    {"path": "gd", "name": "广东省", "kind": "province"},
    {"path": "gd/dongguan", "name": "东莞市", "kind": "city"},
    {"path": "gd/dongguan/houjie", "name": "厚街镇", "kind": "county"},
    {"path": "gd/foshan", "name": "佛山市", "kind": "city"},
]


@dataclass
class Clock:
    """A clock that stands until it is turned."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


def make_service(database: Database, now: datetime, **settings: Any) -> Service:
    """Return a service with the records alone; what else it needs, the test hands in."""
    service = Service(Settings(database_url=database.url, **settings), database, Keys(SECRET.encode()))
    service.clock = Clock(now)
    return service


class Caller(TestClient):
    """A client of the application that sends one key with every request."""

    def __init__(self, app: FastAPI, key: str = "") -> None:
        super().__init__(app, raise_server_exceptions=False)
        if key:
            self.headers["authorization"] = f"Bearer {key}"


class Platform:
    """The application with a scripted screener, two officers at the province, and a forum's key."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database = database
        self.service = make_service(database, now)
        self.service.screener = ScriptedScreener()  # type: ignore[assignment]
        self.clock: Clock = self.service.clock  # type: ignore[assignment]
        self.app = create_app(self.service)
        with database.transaction() as session:
            posting.plant(session, now)
            for account in (posting.OFFICER, posting.COLLEAGUE):
                session.add(Grant(account_id=account, role=Role.OFFICER, organisation="gd", granted_at=now))
        self.key = make_key(database, now, source=posting.SOURCE, organisation="gd")
        self.forum = Caller(self.app, self.key)
        self.nobody = Caller(self.app)

    def with_key(self, *may: KeyScope, source: str = posting.SOURCE, organisation: str = "gd") -> Caller:
        key = make_key(self.database, self.clock.now, *may, source=source, organisation=organisation)
        return Caller(self.app, key)

    def officer(self, account: str = posting.OFFICER) -> TestClient:
        """A signed-in officer, as a browser is: a cookie and a CSRF token."""
        with self.database.transaction() as session:
            opened = sessions.SignIn(
                account_id=account,
                csrf="csrf-of-a-test",
                created_at=self.clock.now,
                expires_at=self.clock.now + timedelta(days=365),
            )
            session.add(opened)
        client = Caller(self.app)
        client.cookies.set(
            sessions.cookie_name(self.service.settings), self.service.keys.cookies.sign(opened.id).decode()
        )
        client.headers["x-csrf-token"] = "csrf-of-a-test"
        return client


def plant(database: Database, now: datetime) -> None:
    """Make the small tree."""
    with database.transaction() as session:
        organisations.load_organisations(session, OPERATOR, TREE, now)


def make_account(database: Database, now: datetime, login: str, *grants: tuple[Role, str]) -> Account:
    """Make an account with the common password, which it need not change."""
    with database.transaction() as session:
        account = Account(login=login, name=login, password=HASH, created_at=now)
        session.add(account)
        session.flush()
        for role, organisation in grants:
            session.add(Grant(account_id=account.id, role=role, organisation=organisation, granted_at=now))
    return account


def make_key(
    database: Database,
    now: datetime,
    *may: KeyScope,
    source: str = "forum",
    organisation: str = "gd/dongguan",
) -> str:
    """Make a key and return it."""
    with database.transaction() as session:
        _, key = keys.create_key(
            session,
            OPERATOR,
            source=source,
            name=source,
            organisation=organisation,
            may=may or tuple(KeyScope),
            now=now,
        )
    return key


@contextmanager
def client_of(service: Service, **options: Any) -> Iterator[TestClient]:
    """Yield a client of the service's application, on this machine as it seems."""
    app = create_app(service)
    base = service.settings.public_url
    client = TestClient(app, base_url=base, client=("127.0.0.1", 50000), follow_redirects=False, **options)
    yield client
    client.close()


def sign_in(client: TestClient, login: str, password: str = PASSWORD) -> str:
    """Sign in; from then on the client sends the cookie and the CSRF token. Return the token."""
    answer = client.post("/v1/sign-in", json={"login": login, "password": password})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["csrf"]
    client.headers["x-csrf-token"] = token
    return token
