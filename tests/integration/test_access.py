"""Every route × every role × every place: who is let in and who is not, against a table written by hand.

Everything that is asked for lies at `gd/dongguan` (reports that came up lie at `gd`). Accounts stand
at the province above it, at the very place, at the town below it, and at the city beside it. A route
that is not in the table fails the first test, so a new door cannot open unnoticed.
"""

import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from alerts import cases, events
from alerts.actor import Actor as AlertsActor
from api import sessions
from api.app import create_app
from api.wiring import Service
from models.account import Account, ApiKey, Grant, SignIn
from models.database import Database
from models.demand import Demand, DemandMember
from models.event import InboxItem
from models.outbox import OutboxMessage, WebhookEndpoint
from models.post import Post
from models.reading import Reading
from models.review import ReviewTask, Statement
from models.vocabulary import (
    CaseState,
    DemandState,
    Domain,
    KeyScope,
    MessageState,
    Role,
    TaskState,
    Tone,
    Topic,
)
from moderation import appeals
from moderation.drafts import draft
from moderation.intake import Caller, take
from tests.conftest import NOW
from tests.support.screeners import ScriptedScreener
from tests.support.services import PASSWORD, make_account, make_key, make_service, plant

PLACES = {
    "above": "gd",
    "own": "gd/dongguan",
    "below": "gd/dongguan/houjie",
    "beside": "gd/foshan",
}
OFFICER, COORDINATOR, LEAD, OFFICE, AUDITOR, ADMIN = Role
WORKERS = {OFFICER, COORDINATOR, LEAD, OFFICE, AUDITOR}
EVERYBODY = set(Role)
OWN_OFFICE = frozenset({OFFICE})
NEEDS_SIGN_IN, REFUSED = {401}, {403, 404}
CSRF = "a token"
WEBHOOK = "http://127.0.0.1:9/hook"


@dataclass(frozen=True)
class Door:
    """One route, and whom it lets in.

    `public`: whoever comes. `signed`: whoever has signed in. Otherwise `roles` at `at` or above it; a
    `listing` lets its roles in from every place and shows `shows` only to those at `at` or above it.
    `own` are roles that get in at the very place `at` and at none above it.
    `scope` is what a key of the right source needs; without one no key gets in.
    """

    method: str
    path: str
    roles: set[Role] = field(default_factory=set)
    at: str = "gd/dongguan"
    listing: bool = False
    shows: str = ""
    own: frozenset[Role] = frozenset()
    scope: KeyScope | None = None
    by_source: bool = True
    public: bool = False
    signed: bool = False
    json: Any = None
    form: dict[str, str] | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def admits(self, role: Role, place: str) -> bool:
        if self.public or self.signed:
            return True
        if role in self.own:
            return self.listing or self.at == place
        if role not in self.roles:
            return False
        return self.listing or self.at == place or self.at.startswith(place + "/")

    def reveals(self, role: Role, place: str) -> bool:
        return self.at == place or (role not in self.own and self.at.startswith(place + "/"))


def post_body(number: str) -> dict[str, Any]:
    return {
        "source": "forum",
        "external_id": number,
        "revision": 1,
        "kind": "question",
        "organisation": "gd/dongguan",
        "author": "somebody",
        "text": "图书馆周末几点开门？",
        "created_at": (NOW - timedelta(minutes=3)).isoformat(),
    }


def edit_body() -> dict[str, Any]:
    sent = post_body("new")
    return {key: value for key, value in sent.items() if key not in {"source", "external_id"}}


POSTS = {OFFICER, COORDINATOR, AUDITOR}
DECISION = {"action": "publish", "version": 1, "reason": "没有问题"}
ACCOUNT = {"login": "new", "name": "新", "grants": [{"role": "officer", "organisation": "gd/dongguan"}]}
KEY = {"source": "new", "name": "new", "organisation": "gd/dongguan", "scopes": ["posts:read"]}
NODE = {"path": "gd/dongguan/changan", "name": "长安镇", "kind": "county"}
SETTING = {"key": "demand_min_authors", "value": 20, "organisation": "gd/dongguan", "reason": "试用"}

DOORS = [
    Door("GET", "/health/live", public=True),
    Door("GET", "/health/ready", public=True),
    Door("GET", "/metrics", public=True),  # for this machine; test_sign_in asks from elsewhere
    Door("GET", "/v1/openapi.json", public=True),
    Door("GET", "/v1/public/clauses", public=True),
    Door("GET", "/v1/public/domains", public=True),
    Door("GET", "/v1/public/rules", public=True),
    Door("GET", "/v1/public/openness?month=2026-03", public=True),
    Door("GET", "/v1/statements/{token}", public=True),
    Door("POST", "/v1/sign-in", public=True, json={"login": "officer-own", "password": PASSWORD}),
    Door("POST", "/v1/sign-out", signed=True),
    Door("GET", "/v1/me", signed=True),
    Door("PUT", "/v1/me/password", signed=True, json={"current": PASSWORD, "new": "quite another one"}),
    # accounts, keys, organisations, settings
    Door("GET", "/v1/accounts", {AUDITOR, ADMIN}, listing=True, shows="{account_id}"),
    Door("POST", "/v1/accounts", {ADMIN}, json=ACCOUNT),
    Door("GET", "/v1/accounts/{account_id}", {AUDITOR, ADMIN}),
    Door("POST", "/v1/accounts/{account_id}/disable", {ADMIN}),
    Door("POST", "/v1/accounts/{account_id}/enable", {ADMIN}),
    Door("POST", "/v1/accounts/{account_id}/password", {ADMIN}),
    Door(
        "POST",
        "/v1/accounts/{account_id}/grants",
        {ADMIN},
        json={"role": "auditor", "organisation": "gd/dongguan"},
    ),
    Door("DELETE", "/v1/accounts/{account_id}/grants/{grant_id}", {ADMIN}),
    Door("GET", "/v1/keys", {AUDITOR, ADMIN}, listing=True, shows="{key_id}"),
    Door("POST", "/v1/keys", {ADMIN}, json=KEY),
    Door("DELETE", "/v1/keys/{key_id}", {ADMIN}),
    Door(
        "GET",
        "/v1/organisations",
        EVERYBODY,
        listing=True,
        shows='"gd/dongguan"',
        scope=KeyScope.POSTS_WRITE,
        by_source=False,
    ),
    Door("POST", "/v1/organisations", {ADMIN}, json=NODE),
    Door("GET", "/v1/settings", {AUDITOR, ADMIN}, listing=True),
    Door("POST", "/v1/settings", {ADMIN}, json=SETTING),
    # posts: written by a source's key and by nobody else
    Door("POST", "/v1/posts", scope=KeyScope.POSTS_WRITE, json=post_body("new")),
    Door("POST", "/v1/posts:batch", scope=KeyScope.POSTS_WRITE, by_source=False, json=[post_body("new")]),
    Door("PUT", "/v1/posts/forum/new", scope=KeyScope.POSTS_WRITE, json=edit_body()),
    Door("GET", "/v1/posts/forum/held", POSTS, scope=KeyScope.POSTS_READ),
    Door("DELETE", "/v1/posts/forum/held", scope=KeyScope.POSTS_WRITE),
    # review and appeals
    Door("GET", "/v1/reviews", {OFFICER, AUDITOR}, listing=True, shows="{task_id}"),
    Door("POST", "/v1/reviews/next", {OFFICER}, listing=True, shows="{task_id}"),
    Door("POST", "/v1/reviews/{task_id}/lease", {OFFICER}),
    Door("DELETE", "/v1/reviews/{task_id}/lease", {OFFICER}),
    Door("POST", "/v1/reviews/{task_id}/decision", {OFFICER}, json=DECISION),
    Door("POST", "/v1/appeals", scope=KeyScope.APPEALS_WRITE, json={"token": "{token}", "text": "冤枉"}),
    Door("GET", "/v1/appeals", {OFFICER, AUDITOR}, listing=True, shows="{appeal_id}"),
    Door(
        "POST",
        "/v1/appeals/{appeal_id}/decision",
        {OFFICER},
        json={"outcome": "reversed", "answer": "已恢复"},
    ),
    # demands, events, cases, inbox
    Door("GET", "/v1/demands", WORKERS, listing=True, shows="{demand_id}"),
    Door("GET", "/v1/demands/{demand_id}", WORKERS),
    Door("POST", "/v1/demands/{demand_id}:verify", {COORDINATOR}, json={"note": "已核实"}),
    Door("POST", "/v1/demands/{demand_id}:reject", {COORDINATOR}, json={"reason": "重复"}),
    Door("GET", "/v1/events", WORKERS, listing=True, shows="{event_id}"),
    Door("GET", "/v1/events/{event_id}", WORKERS),
    Door("POST", "/v1/events/{event_id}:report", {COORDINATOR}, json={}),
    Door("POST", "/v1/events/{event_id}:step", {COORDINATOR}, json={"step": "act", "text": "已处理"}),
    Door("POST", "/v1/events/{event_id}:open-form", {COORDINATOR}),
    Door("GET", "/v1/cases", WORKERS - {OFFICER}, listing=True, shows="{case_id}"),
    Door("GET", "/v1/cases/{case_id}", WORKERS - {OFFICER}),
    Door("GET", "/v1/cases/{case_id}/form", WORKERS - {OFFICER}),
    Door("PUT", "/v1/cases/{case_id}/form", {COORDINATOR}, json={"version": 1, "fields": {}}),
    Door(
        "POST",
        "/v1/cases/{case_id}:move",
        {COORDINATOR, LEAD},
        json={"to": "in_progress", "version": "{case_version}", "note": "开始办理"},
    ),
    Door("GET", "/v1/inbox", {OFFICE, AUDITOR}, at="gd", listing=True, shows="{item_id}"),
    Door("GET", "/v1/inbox/{item_id}", {OFFICE, AUDITOR}, at="gd"),
    Door("POST", "/v1/inbox/{item_id}:read", {OFFICE}, at="gd"),
    # webhooks and deliveries
    Door(
        "GET",
        "/v1/webhooks",
        {AUDITOR, ADMIN},
        listing=True,
        shows="{endpoint_id}",
        own=OWN_OFFICE,
        scope=KeyScope.WEBHOOKS,
        by_source=False,
    ),
    Door(
        "POST",
        "/v1/webhooks",
        {ADMIN},
        own=OWN_OFFICE,
        scope=KeyScope.WEBHOOKS,
        by_source=False,
        json={"url": WEBHOOK, "organisation": "gd/dongguan"},
    ),
    Door("DELETE", "/v1/webhooks/{endpoint_id}", {ADMIN}, own=OWN_OFFICE),
    Door("DELETE", "/v1/webhooks/{source_endpoint_id}", {ADMIN}, scope=KeyScope.WEBHOOKS),
    Door("POST", "/v1/webhooks/{endpoint_id}:test", {ADMIN}, own=OWN_OFFICE),
    Door(
        "GET",
        "/v1/deliveries",
        {COORDINATOR, OFFICE, AUDITOR, ADMIN},
        listing=True,
        shows="{message_id}",
        scope=KeyScope.WEBHOOKS,
        by_source=False,
    ),
    Door("POST", "/v1/deliveries/{message_id}:replay", {ADMIN}, own=OWN_OFFICE),
    # the console
    Door("GET", "/static/console.css", public=True),
    Door("GET", "/help", public=True),
    Door("GET", "/sign-in", public=True),
    Door("POST", "/sign-in", public=True, form={"login": "officer-own", "password": PASSWORD}),
    Door("POST", "/language", public=True, form={"language": "en"}),
    Door("GET", "/statements/{token}", public=True),
    Door("POST", "/statements/{token}/appeal", public=True, form={"text": "冤枉"}),
    Door("GET", "/", signed=True),
    Door("POST", "/sign-out", signed=True),
    Door("GET", "/password", signed=True),
    Door(
        "POST",
        "/password",
        signed=True,
        form={"current": PASSWORD, "new": "quite another one", "again": "quite another one"},
    ),
    Door("GET", "/queue", {OFFICER, AUDITOR}, listing=True),
    Door("GET", "/queue/{task_id}", {OFFICER}),
    Door("POST", "/queue/{task_id}", {OFFICER}, form={"action": "publish", "version": "1", "reason": "好"}),
    Door("GET", "/appeals", {OFFICER, AUDITOR}, listing=True),
    Door("POST", "/appeals/{appeal_id}", {OFFICER}, form={"outcome": "reversed", "answer": "已恢复"}),
    Door("GET", "/demands", WORKERS, listing=True, shows="{demand_id}"),
    Door("GET", "/demands/{demand_id}", WORKERS),
    Door("POST", "/demands/{demand_id}/verify", {COORDINATOR}, form={"version": "1", "note": "已核实"}),
    Door("POST", "/demands/{demand_id}/reject", {COORDINATOR}, form={"version": "1", "reason": "重复"}),
    Door("GET", "/events", WORKERS, listing=True, shows="{event_id}"),
    Door("GET", "/events/{event_id}", WORKERS),
    Door("POST", "/events/{event_id}/report", {COORDINATOR}),
    Door(
        "POST",
        "/events/{event_id}/steps",
        {COORDINATOR},
        form={"step": "act", "version": "{event_version}", "text": "已处理"},
    ),
    Door("GET", "/cases", WORKERS - {OFFICER}, listing=True, shows="{case_id}"),
    Door("GET", "/cases/{case_id}", WORKERS - {OFFICER}),
    Door("POST", "/cases/{case_id}", {COORDINATOR}, form={"version": "1"}),
    Door(
        "POST",
        "/cases/{case_id}/move",
        {COORDINATOR},
        form={"to": "in_progress", "version": "{case_version}", "note": "开始办理"},
    ),
    Door("GET", "/inbox", {OFFICE, AUDITOR}, at="gd", listing=True, shows="热水停供二"),
    Door("GET", "/inbox/{item_id}", {OFFICE, AUDITOR}, at="gd"),
    Door("POST", "/inbox/{item_id}", {OFFICE}, at="gd"),
    Door("GET", "/deliveries", {COORDINATOR, OFFICE, AUDITOR, ADMIN}, listing=True),
    Door("GET", "/audit", {AUDITOR, ADMIN}, listing=True),
]


@dataclass(frozen=True)
class World:
    """A database with one of everything, and what it is called."""

    path: Path
    service: Service
    app: FastAPI
    names: dict[str, str]
    cookies: dict[tuple[Role, str], str]
    keys: dict[str, str]


def _post(service: Service, number: str, text: str, author: str = "somebody") -> None:
    fields = {**post_body(number), "text": text, "author": author}
    (taken,) = take(
        service.database,
        service.screener,
        [draft(fields, now=NOW)],
        caller=Caller("forum", "key:test", ("gd",)),
        keys=service.keys,
        now=NOW,
    )
    assert taken.problem is None, taken.problem


def _demand(session: Session, title: str, posts: list[Post]) -> Demand:
    demand = Demand(
        title=title,
        domain=Domain.CAMPUS_LIFE,
        organisation="gd/dongguan",
        state=DemandState.PROPOSED,
        posts=len(posts),
        authors=len(posts),
        terms=["热水"],
        first_posted_at=NOW - timedelta(days=4),
        last_posted_at=NOW,
        tenth_author_at=NOW,
        proposed_at=NOW,
    )
    session.add(demand)
    session.flush()
    for post in posts:
        session.add(DemandMember(demand_id=demand.id, post_id=post.id, probability=0.9, joined_at=NOW))
        session.add(
            Reading(
                post_id=post.id,
                revision=1,
                organisation=post.organisation,
                is_need=True,
                need_probability=0.9,
                domain=Domain.CAMPUS_LIFE,
                domain_probability=0.9,
                tone=Tone.NEGATIVE,
                posted_at=post.created_at,
                read_at=NOW,
                clustered_at=NOW,
            )
        )
    session.flush()
    return demand


def _furnish(service: Service) -> dict[str, str]:
    """Put one of everything at gd/dongguan and return the identifiers."""
    _post(service, "held", "加薇领取资料")
    _post(service, "removed", "刷单日结")
    _post(service, "appealed", "刷单日结，名额有限")
    for number in range(24):
        _post(
            service,
            f"water-{number}",
            f"宿舍{number}栋的热水已经停了第{number}天，请尽快修好",
            f"user-{number}",
        )
    target = make_account(service.database, NOW, "target", (Role.OFFICER, "gd/dongguan"))
    make_key(service.database, NOW, source="target")
    with service.database.transaction() as session:
        water = session.exec(select(Post).where(col(Post.external_id).startswith("water-"))).all()
        first = _demand(session, "热水停供一", list(water[:12]))
        second = _demand(session, "热水停供二", list(water[12:]))
        verifier = session.exec(select(Account).where(Account.login == "coordinator-own")).one()
        actor = AlertsActor(verifier.id, verifier.name, ("gd/dongguan",))
        event = events.verify_demand(session, second.id, actor, now=NOW, note="已核实")
        case = cases.case_of_event(session, event.id)
        assert case is not None
        case.state = CaseState.ASSIGNED
        statements = {
            number: session.exec(
                select(Statement)
                .join(Post, col(Post.id) == col(Statement.post_id))
                .where(Post.external_id == number)
            ).one()
            for number in ("removed", "appealed")
        }
        appeal = appeals.submit(session, statements["appealed"].token, "我没有刷单", now=NOW)
        hooks = [
            WebhookEndpoint(
                source=source, organisation="gd/dongguan", url=WEBHOOK, secret="whsec_MA==", created_at=NOW
            )
            for source in (None, "forum")
        ]
        session.add_all(hooks)
        session.flush()
        message = OutboxMessage(
            key="a settled one",
            channel="webhook",
            endpoint_id=hooks[0].id,
            organisation="gd/dongguan",
            topic=Topic.EVENT_REPORTED,
            subject_id=event.id,
            state=MessageState.DEAD,
            due_at=NOW,
            created_at=NOW,
            settled_at=NOW,
        )
        session.add(message)
        session.flush()
        task = session.exec(
            select(ReviewTask)
            .join(Post, col(Post.id) == col(ReviewTask.post_id))
            .where(ReviewTask.state == TaskState.OPEN, Post.external_id == "held")
        ).one()
        item = session.exec(select(InboxItem).where(InboxItem.organisation == "gd")).one()
        return {
            "account_id": target.id,
            "grant_id": session.exec(select(Grant.id).where(Grant.account_id == target.id)).one(),
            "key_id": session.exec(select(ApiKey.id).where(ApiKey.source == "target")).one(),
            "token": statements["removed"].token,
            "task_id": task.id,
            "appeal_id": appeal.id,
            "demand_id": first.id,
            "event_id": event.id,
            "event_version": str(event.version),
            "case_id": case.id,
            "case_version": str(case.version),
            "item_id": item.id,
            "endpoint_id": hooks[0].id,
            "source_endpoint_id": hooks[1].id,
            "message_id": message.id,
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> World:
    path = tmp_path_factory.mktemp("access") / "world.db"
    shutil.copy(sqlite_template, path)
    service = make_service(Database(f"sqlite:///{path}"), NOW, allow_private_webhooks=True)
    service.screener = ScriptedScreener()  # type: ignore[assignment]
    service.alerts = type(service.alerts)(allow_private=True)
    plant(service.database, NOW)
    cookies: dict[tuple[Role, str], str] = {}
    for role in Role:
        for where, place in PLACES.items():
            account = make_account(service.database, NOW, f"{role.value}-{where}", (role, place))
            opened = SignIn(
                account_id=account.id, csrf=CSRF, created_at=NOW, expires_at=NOW + timedelta(hours=1)
            )
            with service.database.transaction() as session:
                session.add(opened)
            cookies[role, place] = service.keys.cookies.sign(opened.id).decode()
    names = _furnish(service)
    keys = {scope.value: make_key(service.database, NOW, scope) for scope in KeyScope}
    keys["of another source"] = make_key(service.database, NOW, source="other")
    keys["at another place"] = make_key(service.database, NOW, organisation="gd/foshan")
    service.database.close()
    shutil.copy(path, path.with_name("kept.db"))
    return World(path, service, create_app(service), names, cookies, keys)


class Visitor:
    """Asks for one door, each time in a world that nobody has touched."""

    def __init__(self, world: World, door: Door) -> None:
        self.world, self.door = world, door
        self.renew()

    def __call__(self, headers: dict[str, str]) -> Any:
        if self.door.method != "GET":
            self.renew()
        # Without its context the client starts no lifespan, which would end with closing the service.
        client = TestClient(
            self.world.app,
            base_url="http://127.0.0.1:8311",
            client=("127.0.0.1", 50000),
            follow_redirects=False,
            headers=headers,
        )
        return client.request(
            self.door.method,
            self._filled(self.door.path),
            json=self._filled(self.door.json),
            data=self._filled(self.door.form),
        )

    def renew(self) -> None:
        database, path = self.world.service.database, self.world.path
        database.close()
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(path.with_name("kept.db"), path)

    def as_role(self, role: Role, place: str) -> Any:
        cookie = f"{sessions.cookie_name(self.world.service.settings)}={self.world.cookies[role, place]}"
        return self({"cookie": cookie, "x-csrf-token": CSRF})

    def with_key(self, name: str) -> Any:
        return self({"authorization": f"Bearer {self.world.keys[name]}"})

    def shown(self) -> str:
        return str(self._filled(self.door.shows))

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(inner) for key, inner in value.items()}
        if isinstance(value, str) and "{" in value:
            filled = value.format(**self.world.names)
            return int(filled) if value == "{case_version}" else filled
        return value


def is_let_in(answer: Any) -> bool:
    """Return whether the door opened. A conflict is an answer from inside."""
    to_sign_in = answer.headers.get("location", "").startswith("/sign-in?next=")
    assert answer.status_code < 500, answer.text
    assert answer.status_code in {200, 201, 202, 204, 207, 303, 401, 403, 404, 409}, answer.text
    return answer.status_code not in NEEDS_SIGN_IN | REFUSED and not to_sign_in


def test_every_route_is_in_the_table(world: World) -> None:
    served = {
        f"{method} {context.path}"
        for context in iter_route_contexts(world.app.routes)
        for method in (context.methods or {"GET"}) - {"HEAD"}
    }
    known = {f"{door.method} {door.path.partition('?')[0]}" for door in DOORS}
    for concrete, template in {
        "/v1/posts/forum/new": "/v1/posts/{source}/{external_id:path}",
        "/v1/posts/forum/held": "/v1/posts/{source}/{external_id:path}",
        "{source_endpoint_id}": "{endpoint_id}",
        "/static/console.css": "/static",
    }.items():
        known = {name.replace(concrete, template) for name in known}

    assert served - known == set(), "routes without a row in the table"
    assert known - served == set(), "rows without a route"


@pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])
def test_each_role_at_each_place(world: World, door: Door) -> None:
    visit = Visitor(world, door)
    wrong = []
    for role in Role:
        for where, place in PLACES.items():
            answer = visit.as_role(role, place)
            if is_let_in(answer) != door.admits(role, place):
                wrong.append(f"{role.value} {where}: {answer.status_code} {answer.text[:120]}")
            elif door.listing and door.shows and is_let_in(answer):
                sees = visit.shown() in answer.text
                if sees != door.reveals(role, place):
                    wrong.append(f"{role.value} {where}: {'sees' if sees else 'does not see'} {door.shows}")
    assert wrong == []


@pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])
def test_nobody_who_has_not_signed_in(world: World, door: Door) -> None:
    assert is_let_in(Visitor(world, door)({})) == door.public


@pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])
def test_each_key(world: World, door: Door) -> None:
    if door.public or door.signed:
        return
    visit = Visitor(world, door)
    wrong = []
    for name in world.keys:
        answer = visit.with_key(name)
        if name == "of another source":
            expected = door.scope is not None and not door.by_source
        elif name == "at another place":
            # A key holds at its place; what it lists or writes there is its own.
            continue
        else:
            expected = (
                door.scope is not None
                and (
                    name == door.scope.value
                    or (door.path == "/v1/organisations" and name.startswith("posts:"))
                )
                and not (door.path == "/v1/organisations" and door.method != "GET")
            )
        if is_let_in(answer) != expected:
            wrong.append(f"{name}: {answer.status_code} {answer.text[:120]}")
    assert wrong == []


@pytest.mark.parametrize(
    "door",
    [door for door in DOORS if door.method != "GET" and not door.public],
    ids=lambda door: door.name,
)
def test_no_cookie_changes_anything_without_its_token(world: World, door: Door) -> None:
    visit = Visitor(world, door)
    cookie = f"tingjian={world.cookies[Role.ADMINISTRATOR, 'gd']}"
    for headers in ({"cookie": cookie}, {"cookie": cookie, "x-csrf-token": "another token"}):
        answer = visit(headers)
        assert answer.status_code == 403, answer.text


def test_a_key_of_one_place_writes_and_reads_nothing_at_another(world: World) -> None:
    for method, path in (("POST", "/v1/posts"), ("GET", "/v1/posts/forum/held")):
        door = next(one for one in DOORS if (one.method, one.path) == (method, path))
        assert Visitor(world, door).with_key("at another place").status_code in REFUSED


def test_a_disabled_account_gets_nowhere(world: World) -> None:
    door = Door("GET", "/v1/me", signed=True)
    visit = Visitor(world, door)
    with world.service.database.transaction() as session:
        account = session.exec(select(Account).where(Account.login == "officer-own")).one()
        account.disabled_at = datetime(2026, 3, 16, tzinfo=NOW.tzinfo)
        session.add(account)
    assert visit.as_role(Role.OFFICER, "gd/dongguan").status_code == 401
