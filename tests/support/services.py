"""A service and its application for tests: a small tree, accounts, keys, and a clock to turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from api import keys, organisations
from api.accounts import Actor
from api.app import create_app
from api.settings import Settings
from api.wiring import Keys, Service
from models.account import Account, Grant
from models.database import Database
from models.vocabulary import KeyScope, Role

OPERATOR = Actor("command:test")
PASSWORD = "plum-tree-in-the-rain"
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
    service = Service(Settings(**settings), database, Keys(b"a secret for tests, long enough to be one"))
    service.clock = Clock(now)
    return service


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
