"""Fill an empty database with a month of invented posts, so that a newcomer sees the whole house at work.

The posts go in through the same door as a platform's and through the same jobs; nothing is
prepared by hand but the texts in `api/sample/`. One demand is verified and reported as an example,
by a second account, so that the first one can decide about appeals and sign for the report.

Refuses: a database in which somebody already works. A load that was cut off half-way goes on where
it stopped, because the accounts come last.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import typer
from sqlmodel import Session, col, select

from alerts.actor import Actor as AlertsActor
from alerts.events import verify_demand
from api import accounts, organisations
from api.accounts import Actor
from api.commands.sample_services import furnish_services
from api.settings import Settings
from api.wiring import Service, build_service
from models.account import Account
from models.demand import Demand
from models.errors import ConfigurationError, Conflict
from models.organisation import Organisation
from models.post import Post
from models.vocabulary import DemandState, Role
from moderation.drafts import draft
from moderation.intake import BATCH_LIMIT, Caller, take
from sentiment.jobs import group_due, read_due

FOLDER: Final = Path(__file__).parents[1] / "sample"
SOURCE: Final = "sample"
ROOT: Final = "gd"
LOADER: Final = Actor("command:sample")
EXAMPLE_PLACE: Final = "gd/dongguan/houjie"
EXAMPLE_NOTE: Final = "已电话联系镇人社分局核实：多名员工反映属实，已启动欠薪线索登记。（示例）"
EVERYTHING: Final = (
    Role.ADMINISTRATOR,
    Role.OFFICER,
    Role.COORDINATOR,
    Role.OPERATIONS,
    Role.LEAD_UNIT,
    Role.PROVINCIAL_OFFICE,
    Role.AUDITOR,
)
COLLEAGUE: Final = (Role.OFFICER, Role.COORDINATOR)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a newcomer is told: logins with their one-time passwords, and what was loaded."""

    passwords: dict[str, str] = field(repr=False)
    posts: int
    demands: int
    example: str | None


def rows(name: str) -> Iterator[dict[str, Any]]:
    """Give the rows of one of the sample's files."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    if name.endswith(".jsonl"):
        yield from (json.loads(line) for line in text.splitlines() if line)
    else:
        yield from json.loads(text)


def is_open(session: Session) -> bool:
    """Return whether the database holds nothing, or only what a load that was cut off left behind."""
    if session.exec(select(Account.id).limit(1)).first() is not None:
        return False
    if session.exec(select(Post.id).where(col(Post.source) != SOURCE).limit(1)).first() is not None:
        return False
    known = {row["path"] for row in rows("organisations.json")}
    return set(session.exec(select(Organisation.path))) <= known


def load_sample(service: Service, now: datetime) -> Welcome | None:
    """Load the sample and return what to tell the newcomer, or None if somebody already works here."""
    database = service.database
    with database.transaction() as session:
        if not is_open(session):
            return None
        organisations.load_organisations(session, LOADER, rows("organisations.json"), now)
    if service.bundle is None:
        raise ConfigurationError("the sample needs a bundle to read its posts with")
    posts = _take_posts(service, now)
    read_due(database, service.bundle, service.sentiment, now)
    group_due(database, service.bundle, service.sentiment, now)
    with database.transaction() as session:
        first, password = _account(session, "admin", "值班管理员", EVERYTHING, now)
        second, other = _account(session, "linxiao", "林晓", COLLEAGUE, now)
        furnish_services(session, ROOT, (first, second), now)
        example = _example(session, second, now)
        proposed = session.exec(
            select(Demand.id).where(col(Demand.state).in_([DemandState.PROPOSED, DemandState.VERIFIED]))
        ).all()
    return Welcome({first.login: password, second.login: other}, posts, len(proposed), example)


def _take_posts(service: Service, now: datetime) -> int:
    if service.screener is None:
        raise ConfigurationError("the sample needs the rules")
    drafts = []
    for row in rows("posts.jsonl"):
        moment = now - timedelta(days=row.pop("days_ago"))
        drafts.append(draft({**row, "source": SOURCE, "created_at": moment.isoformat()}, now=now))
    caller = Caller(source=SOURCE, actor=LOADER.name)
    for start in range(0, len(drafts), BATCH_LIMIT):
        taken = take(
            service.database,
            service.screener,
            drafts[start : start + BATCH_LIMIT],
            caller=caller,
            keys=service.keys,
            now=now,
        )
        for one in taken:
            # A post of an earlier, interrupted load has the times of that load: it is there already.
            if one.problem is not None and not isinstance(one.problem, Conflict):
                raise one.problem
    return len(drafts)


def _account(
    session: Session, login: str, name: str, roles: tuple[Role, ...], now: datetime
) -> tuple[Account, str]:
    account, password = accounts.create_account(
        session, LOADER, login=login, name=name, grants=[(role, ROOT) for role in roles], now=now
    )
    return account, password or ""


def _example(session: Session, by: Account, now: datetime) -> str | None:
    """Verify and report one demand; return its title, or None if there is no demand to take."""
    proposed = session.exec(
        select(Demand)
        .where(col(Demand.state) == DemandState.PROPOSED)
        .order_by((col(Demand.organisation) == EXAMPLE_PLACE).desc(), col(Demand.authors).desc())
    ).first()
    if proposed is None:
        return None
    actor = AlertsActor(by.id, by.name, (ROOT,))
    return verify_demand(session, proposed.id, actor, now=now, note=EXAMPLE_NOTE).title


def prepare(service: Service) -> None:
    """Load the sample if nobody works here yet, and tell the newcomer how to sign in."""
    welcome = load_sample(service, service.clock())
    if welcome is None:
        return
    typer.echo(f"Sample loaded: {welcome.posts} posts, {welcome.demands} collective demands.")
    typer.echo(f"Sign in at {service.settings.public_url}/sign-in with a one-time password:")
    for login, password in welcome.passwords.items():
        typer.echo(f"    {login:<10}{password}")
    typer.echo("The second account decides about appeals against the first one's removals.")


def sample() -> None:
    """Load the sample posts into an empty database."""
    service = build_service(Settings.from_environment())
    try:
        service.database.refuse_other_schema()
        prepare(service)
    finally:
        service.close()
