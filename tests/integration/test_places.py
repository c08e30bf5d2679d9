"""What lies at a sibling or above is in no list, no page and no count, whatever roles an account has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlmodel import Session, SQLModel, col, select

from alerts import cases, events
from alerts.actor import Actor
from models import audit
from models.account import Account, ApiKey
from models.audit import AuditEntry
from models.base import new_id
from models.clock import Clock, ClockCall
from models.database import Database
from models.demand import Demand, Setting
from models.duty import DutyLayer, DutyTurn
from models.event import Case, Event, InboxItem
from models.expert import Expert
from models.notice import Alarm, Notice, Silence
from models.office import FeedKey, OfficeMessage
from models.outbox import OutboxMessage, WebhookEndpoint
from models.post import Post
from models.quality import GoldenItem, QualitySample, SampleAnswer
from models.review import Appeal, ReviewTask, Statement
from models.rulebook import Backtest
from models.screening import Screening
from models.station import Booking, Station, StationActivity
from models.vocabulary import (
    Action,
    Category,
    MessageState,
    NoticeKind,
    Role,
    SampleKind,
    SecondReason,
    TaskState,
    Topic,
)
from moderation import appeals, second_reading
from moderation.proposals import Proposal, ProposalKind
from tests.support import on_time, posting, voices
from tests.support.called import call
from tests.support.services import client_of, make_account, make_key, make_service, plant, sign_in

OWN, BELOW, SIBLING, ABOVE = "gd/dongguan", "gd/dongguan/houjie", "gd/foshan", "gd"
WORDS = {OWN: "东江", BELOW: "厚街", SIBLING: "禅城", ABOVE: "岭南"}
"""A word that every text of a place carries and no other place's."""

FOREIGN = (SIBLING, ABOVE)
LISTS = (
    "/v1/accounts",
    "/v1/keys",
    "/v1/organisations",
    "/v1/settings",
    "/v1/reviews?limit=200",
    "/v1/appeals?limit=200",
    "/v1/demands?limit=200",
    "/v1/events?limit=200",
    "/v1/cases?limit=200",
    "/v1/inbox?limit=200",
    *("/v1/clocks", "/v1/dispatch", "/v1/duty?month=2026-03", "/v1/duty/reports", "/v1/experts"),
    *("/v1/bookings", "/v1/activities", "/clocks", "/dispatch", "/duty", "/experts", "/stations"),
    "/v1/backtests",
    "/rulebook/backtests",
    "/v1/webhooks",
    "/v1/deliveries?limit=200",
    "/v1/alarms?limit=200",
    "/v1/silences",
    "/v1/messages?limit=200",
    "/v1/feed-keys",
    "/alarms",
    "/queue",
    "/queue/list",
    "/v1/reviews/notices",
    "/v1/second-readings",
    "/v1/quality/officers",
    "/v1/quality/golden",
    "/quality",
    "/second",
    "/appeals",
    "/demands",
    "/events",
    "/cases",
    "/inbox",
    "/deliveries",
    "/audit",
    "/accounts",
    "/keys",
    "/webhooks",
    "/settings",
)
MAY_BE_EMPTY = (
    *("/v1/demand-suggestions", "/v1/demand-contradictions", "/v1/demand-sample"),
    *("/v1/demand-sample/recall", "/v1/trends", "/demand-suggestions", "/demand-contradictions"),
    *("/demand-sample", "/trends"),
    "/audit/export?format=jsonl",
    "/v1/appeals/fresh-looks",
    "/v1/quality",
    "/v1/quality/mine",
    "/events/new",
)
"""Lists of things that this world has none of: they still must not show another place's."""

OF_NO_PLACE = {
    *("/", "/help", "/sign-in", "/sign-in/provider", "/sign-in/provider/callback"),
    *("/health/live", "/health/ready", "/metrics", "/v1/openapi.json"),
    *("/password", "/sessions", "/second-factor", "/second-factor/enrol", "/v1/me", "/v1/me/sessions"),
    *("/rulebook", "/rulebook/editions", "/v1/rules", "/v1/editions"),
    *("/v1/public/audit/anchors", "/v1/public/clauses", "/v1/public/domains"),
    *("/v1/public/openness", "/v1/public/rules", "/v1/public/stations"),
    "/v1/public/activities",
    *("/v1/public/demands", "/public/demands", "/rated", "/cases/help"),
    "/v1/rule-notices",  # for the top of the tree alone
}
"""What is the same for everybody, published, or one's own."""

KEPT: tuple[type[SQLModel], ...] = (Post, ReviewTask, Appeal, Demand, Event, Case, InboxItem, OutboxMessage)
KEPT += (Clock, ClockCall, DutyLayer, DutyTurn, Expert, Station, StationActivity, Booking)
KEPT += (Backtest, WebhookEndpoint, ApiKey, Setting, Notice, Alarm, Silence, OfficeMessage, FeedKey)


@dataclass(frozen=True)
class World:
    """One of everything at four places, and somebody with every role at one of them."""

    client: TestClient
    database: Database
    ids: dict[str, set[str]]

    def of(self, kind: type[SQLModel], place: str) -> str:
        with self.database.reading() as session:
            found = session.exec(select(kind).where(kind.organisation == place)).first()  # type: ignore[attr-defined]
            assert found is not None, (kind, place)
            return str(found.id)  # type: ignore[attr-defined]


def look_after(session: Session, now: datetime, place: str) -> None:
    """Put a golden item, answers to samples, and a removal that waits for a second officer at a place."""
    post = session.exec(select(Post).where(col(Post.external_id) == f"{place}-1")).one()
    shown = session.exec(select(Screening).where(Screening.post_id == post.id)).one()
    login = f"officer-{place.rpartition('/')[2]}"
    officer = session.exec(select(Account.id).where(Account.login == login)).one()
    session.add(
        GoldenItem(
            post_id=post.id, organisation=place, expected=Action.PUBLISH, added_by="test", added_at=now
        )
    )
    for kind in (SampleKind.GOLDEN, SampleKind.REMOVED):
        sample = QualitySample(
            kind=kind,
            post_id=post.id,
            revision=1,
            screening_id=shown.id,
            organisation=place,
            stratum="scam",
            chance=1.0,
            expected=Action.PUBLISH,
            drawn_at=now,
        )
        task = ReviewTask(
            post_id=post.id,
            screening_id=shown.id,
            organisation=place,
            category=Category.SCAM,
            state=TaskState.DECIDED,
            due_at=now,
            created_at=now,
        )
        session.add_all([sample, task])
        session.flush()
        session.add(
            SampleAnswer(
                sample_id=sample.id,
                task_id=task.id,
                account_id=officer,
                action=Action.REMOVE,
                category=Category.SCAM,
                reason="",
                answered_at=now,
                leaves_at=now,
                settled=True,
            )
        )
    second_reading.propose(
        session, task, officer, SecondReason.RARE_CATEGORY, category=Category.HATE, reason="仇恨", now=now
    )


def furnish(session: Session, now: datetime, place: str) -> None:
    """Put one of everything at a place, on top of the posts that stand there."""
    word = WORDS[place]
    office = Actor("c" * 32, "协调员", (place,))
    call(session, now, place, reporter=office.account_id, word=word)
    chorus = voices.demand(session, now, organisation=place, title=f"{word}宿舍热水")
    chorus.many(1, 12, now - timedelta(days=1), organisation=place, text=f"{word}的宿舍热水又停了")
    told = voices.demand(session, now, organisation=place, title=f"{word}路灯")
    told.many(20, 32, now - timedelta(days=1), organisation=place, text=f"{word}路的路灯一直不亮")
    for one in (chorus, told):
        one.demand.posts = one.demand.authors = one.count
    event = events.verify_demand(session, told.demand.id, office, now=now, note=f"{word}已核实")
    assert cases.case_of_event(session, event.id) is not None
    hook = voices.listen(
        session, now, source=None, organisation=place, url=f"https://{place[-6:]}.example/in"
    )
    session.add(
        OutboxMessage(
            key=f"settled {place}",
            channel="webhook",
            endpoint_id=hook,
            organisation=place,
            topic=Topic.EVENT_REPORTED,
            subject_id=event.id,
            state=MessageState.DEAD,
            due_at=now,
            created_at=now,
        )
    )
    session.add(
        Setting(
            key="demand_min_authors",
            value=12,
            organisation=place,
            reason=f"{word}试用",
            changed_by="command:test",
            changed_at=now,
        )
    )
    session.add(
        Notice(
            kind=NoticeKind.REFERRAL_WAITING,
            organisation=place,
            subject_id=new_id(),
            since=now,
            raised_at=now,
        )
    )
    session.add(
        Backtest(
            organisation=place,
            proposal=Proposal(ProposalKind.RULE, rule="spam.test").document(),
            since=now - timedelta(days=1),
            until=now,
            requested_by="command:test",
            created_at=now,
        )
    )
    statement = session.exec(
        select(Statement).join(Post, col(Post.id) == col(Statement.post_id)).where(Post.organisation == place)
    ).one()
    appeals.submit(session, statement.token, f"{word}的人没有刷单", now=now)
    audit.record(
        session, now, actor="command:test", action="role.granted", subject=f"at-{word}", organisation=place
    )


@pytest.fixture
def world(database: Database, now: datetime) -> Iterator[World]:
    plant(database, now)
    make_account(database, now, "everything", *((role, OWN) for role in Role))
    for place, word in WORDS.items():
        make_account(database, now, f"officer-{place.rpartition('/')[2]}", (Role.OFFICER, place))
        make_key(database, now, source=f"source-{place.rpartition('/')[2]}", organisation=place)
        for number, text in enumerate(("想看更多加薇领取", "刷单日结")):
            name = f"{place}-{number}"
            taken = posting.send(database, now, organisation=place, external_id=name, text=f"{word}{text}")
            assert taken.problem is None
    with database.transaction() as session:
        session.add(Account(id="c" * 32, login="c", name="协调员", password="-", created_at=now))
        session.flush()
        for place, word in WORDS.items():
            furnish(session, now, place)
            on_time.furnish_place(session, now, place, word)
            look_after(session, now, place)
    ids: dict[str, set[str]] = {place: set() for place in WORDS}
    with database.reading() as session:
        for kind in KEPT:
            for row in session.exec(select(kind)).all():
                ids[row.organisation].add(row.id)  # type: ignore[attr-defined]
        for row in session.exec(select(Account)).all():
            place = next((one for one in WORDS if row.login == f"officer-{one.rpartition('/')[2]}"), None)
            if place is not None:
                ids[place].add(row.id)
    with client_of(make_service(database, now)) as client:
        sign_in(client, "everything")
        yield World(client, database, ids)


def test_every_route_that_lists_something_is_walked(world: World) -> None:
    served = {
        context.path
        for context in iter_route_contexts(world.client.app.routes)  # type: ignore[attr-defined]
        if "GET" in (context.methods or ()) and "{" not in str(context.path)
    }
    walked = {address.partition("?")[0] for address in (*LISTS, *MAY_BE_EMPTY)}
    assert served - walked - OF_NO_PLACE == set()
    assert walked & OF_NO_PLACE == set()


def test_no_list_shows_a_row_of_a_sibling_or_of_a_node_above(world: World) -> None:
    leaks, empty = [], []
    for address in (*LISTS, *MAY_BE_EMPTY):
        answer = world.client.get(address)
        assert answer.status_code == 200, (address, answer.text)
        for place in FOREIGN:
            leaks += [f"{address}: {WORDS[place]}"] * (WORDS[place] in answer.text)
            leaks += [f"{address}: {one}" for one in world.ids[place] if one in answer.text]
        if address in LISTS and not any(
            one in answer.text for place in (OWN, BELOW) for one in (*world.ids[place], WORDS[place], place)
        ):
            empty.append(address)
    assert leaks == []
    assert empty == [], "a list that shows nothing proves nothing"


def test_the_counts_of_the_queue_are_of_the_same_posts(world: World) -> None:
    shown = world.client.get("/v1/reviews").json()
    assert shown["total"] == len(shown["items"]) == 2
    assert sum(shown["by_category"].values()) == sum(shown["by_urgency"].values()) == 2


def test_the_figures_of_quality_are_of_the_same_places(world: World) -> None:
    shown = world.client.get("/v1/quality").json()
    assert shown["by_category"]["scam"]["decided"] == 2


@pytest.mark.parametrize("place", FOREIGN)
def test_no_thing_of_another_place_opens_by_its_address(world: World, place: str) -> None:
    demand, event, case = (world.of(kind, place) for kind in (Demand, Event, Case))
    item, task, hook = (
        (world.of(kind, place) for kind in (InboxItem, ReviewTask, WebhookEndpoint))
        if (place == ABOVE)
        else (world.of(InboxItem, ABOVE), world.of(ReviewTask, place), world.of(WebhookEndpoint, place))
    )
    for address in (
        *(f"/v1/demands/{demand}", f"/demands/{demand}"),
        *(f"/v1/events/{event}", f"/events/{event}"),
        *(f"/v1/cases/{case}", f"/v1/cases/{case}/form", f"/cases/{case}"),
        *(f"/v1/inbox/{item}", f"/inbox/{item}"),
        f"/queue/{task}",
        f"/v1/posts/forum/{place}-0",
    ):
        answer = world.client.get(address)
        assert answer.status_code == 404, (address, answer.text)
        assert WORDS[place] not in answer.text
    for address in (f"/v1/reviews/{task}/lease", f"/v1/inbox/{item}:read", f"/v1/webhooks/{hook}:test"):
        assert world.client.post(address).status_code == 404, address


def test_the_details_of_ones_own_place_show_nothing_of_another(world: World) -> None:
    for place in (OWN, BELOW):
        for address in (
            f"/v1/demands/{world.of(Demand, place)}",
            f"/demands/{world.of(Demand, place)}",
            f"/v1/cases/{world.of(Case, place)}",
            f"/cases/{world.of(Case, place)}",
            f"/v1/inbox/{world.of(InboxItem, OWN)}",
        ):
            answer = world.client.get(address)
            assert answer.status_code == 200, address
            for foreign in FOREIGN:
                assert WORDS[foreign] not in answer.text
                assert not [one for one in world.ids[foreign] if one in answer.text]


def test_the_audit_log_of_a_county_has_the_entries_of_its_own_tree(world: World) -> None:
    page = world.client.get("/audit").text
    subjects = set(re.findall(r'<code class="small"><bdi>([^<]+)</bdi>', page))
    with world.database.reading() as session:
        foreign = set(
            session.exec(
                select(AuditEntry.subject).where(col(AuditEntry.organisation).not_in([OWN, BELOW]))
            ).all()
        )
    assert subjects
    assert subjects & foreign <= {"demand_min_authors"}


def test_posts_of_another_place_in_a_demand_stay_with_the_officers_of_that_place(
    world: World, now: datetime
) -> None:
    with world.database.transaction() as session:
        chorus = voices.demand(session, now, organisation=OWN, title="公交末班车")
        chorus.many(40, 50, now, organisation=OWN, text="东江的末班车太早了")
        chorus.many(51, 53, now, organisation=SIBLING, text="禅城的末班车太早了")
        identifier = chorus.demand.id
    page = world.client.get(f"/demands/{identifier}").text
    assert "东江的末班车" in page
    assert "禅城的末班车" not in page


def test_the_roles_that_an_account_has_elsewhere_are_not_told(
    world: World, database: Database, now: datetime
) -> None:
    both = make_account(database, now, "both", (Role.OFFICER, OWN), (Role.AUDITOR, SIBLING))
    for told in (
        world.client.get(f"/v1/accounts/{both.id}").json(),
        next(one for one in world.client.get("/v1/accounts").json() if one["id"] == both.id),
    ):
        assert [one["organisation"] for one in told["grants"]] == [OWN]


def test_an_officer_who_may_see_no_case_is_not_told_that_there_is_one(
    world: World, database: Database, now: datetime
) -> None:
    make_account(database, now, "only-officer", (Role.OFFICER, OWN))
    with client_of(make_service(database, now)) as client:
        sign_in(client, "only-officer")
        assert client.get(f"/v1/events/{world.of(Event, OWN)}").json()["case_id"] is None


def test_an_auditor_of_one_tree_does_not_see_the_log_of_another(database: Database, now: datetime) -> None:
    plant(database, now)
    make_account(database, now, "province", (Role.AUDITOR, "gd"))
    with database.transaction() as session:
        audit.record(
            session, now, actor="key:x", action="post.deleted", subject="post:other", organisation="hn/cs"
        )
        audit.record(session, now, actor="command:backup", action="backup", subject="of-the-operator")
    with client_of(make_service(database, now)) as client:
        sign_in(client, "province")
        page = client.get("/audit").text
    assert "post:other" not in page
    assert "of-the-operator" in page
