"""Posts for tests: a small tree, two officers, a platform that listens, and drafts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from models.account import Account
from models.database import Database
from models.organisation import Organisation
from models.outbox import OutboxMessage, WebhookEndpoint
from models.vocabulary import OrganisationKind, PostKind
from moderation.drafts import Draft
from moderation.intake import Caller, Taken, take
from tests.support.screeners import ScriptedScreener

SOURCE = "forum"
TREE = {
    "gd": OrganisationKind.PROVINCE,
    "gd/dongguan": OrganisationKind.CITY,
    "gd/dongguan/houjie": OrganisationKind.COUNTY,
    "gd/foshan": OrganisationKind.CITY,
}
CALLER = Caller(SOURCE, "key:test", ("gd",))
OFFICER, COLLEAGUE = "0" * 31 + "1", "0" * 31 + "2"


@dataclass(frozen=True)
class TestKeys:
    authors: bytes = b"a" * 32
    fingerprints: bytes = b"f" * 32


KEYS = TestKeys()


def plant(session: Session, now: datetime) -> None:
    """Make the tree, two officers, and an endpoint of the platform that hears everything."""
    for path, kind in TREE.items():
        session.add(Organisation(path=path, name=path, kind=kind, created_at=now))
    for account, login in ((OFFICER, "officer"), (COLLEAGUE, "colleague")):
        session.add(Account(id=account, login=login, name=login, password="-", created_at=now))
    session.add(
        WebhookEndpoint(
            source=SOURCE, organisation="gd", url="http://127.0.0.1:9/", secret="whsec_MA==", created_at=now
        )
    )
    session.flush()


def fields(now: datetime, **changes: Any) -> dict[str, Any]:
    """The fields of a post as a platform sends them."""
    return {
        "source": SOURCE,
        "external_id": "1",
        "revision": 1,
        "kind": "question",
        "organisation": "gd/dongguan",
        "author": "user-1",
        "text": "食堂的热水什么时候能修好？",
        "created_at": (now - timedelta(minutes=2)).isoformat(),
        **changes,
    }


def a_draft(now: datetime, **changes: Any) -> Draft:
    values: dict[str, Any] = {
        "source": SOURCE,
        "external_id": "1",
        "revision": 1,
        "kind": PostKind.QUESTION,
        "organisation": "gd/dongguan",
        "author": "user-1",
        "text": "食堂的热水什么时候能修好？",
        "created_at": now - timedelta(minutes=2),
        **changes,
    }
    return Draft(**values)


def send(
    database: Database,
    now: datetime,
    *,
    screener: ScriptedScreener | None = None,
    caller: Caller = CALLER,
    **changes: Any,
) -> Taken:
    """Send one post in; return what became of it."""
    return take(
        database,
        screener or ScriptedScreener(),
        [a_draft(now, **changes)],
        caller=caller,
        keys=KEYS,
        now=now,
    )[0]


def messages(session: Session) -> list[OutboxMessage]:
    return list(session.exec(select(OutboxMessage).order_by(OutboxMessage.id)))
