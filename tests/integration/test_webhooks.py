"""Endpoints, deliveries, demands, events, cases and inbox over HTTP, on both databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select
from standardwebhooks import Webhook

from alerts.channels import channels
from alerts.delivery import deliver_due
from alerts.settings import AlertsSettings
from api.wiring import Service
from models.database import Database
from models.demand import Demand
from models.event import InboxItem
from models.outbox import OutboxMessage, tell_platform
from models.vocabulary import KeyScope, MessageState, Role, Topic
from tests.support import services, voices
from tests.support.receiver import receiver

URL = "https://hooks.example/in"


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    services.plant(database, now)
    made = services.make_service(database, now)
    made.alerts = AlertsSettings()
    return made


@pytest.fixture
def forum(service: Service, now: datetime) -> Iterator[TestClient]:
    key = services.make_key(service.database, now, KeyScope.WEBHOOKS)
    with services.client_of(service, headers={"authorization": f"Bearer {key}"}) as client:
        yield client


class People:
    """Signs accounts in; each has a client of its own."""

    def __init__(self, service: Service, now: datetime, stack: ExitStack) -> None:
        self.service, self.now, self.stack = service, now, stack

    def __call__(self, login: str, role: Role, place: str) -> TestClient:
        services.make_account(self.service.database, self.now, login, (role, place))
        client = self.stack.enter_context(services.client_of(self.service))
        services.sign_in(client, login)
        return client


@pytest.fixture
def people(service: Service, now: datetime) -> Iterator[People]:
    with ExitStack() as stack:
        yield People(service, now, stack)


def proposed(service: Service, now: datetime, *, authors: int = 12) -> str:
    with service.database.transaction() as session:
        chorus = voices.demand(session, now)
        chorus.many(1, authors, now - timedelta(days=1))
        return chorus.demand.id


def test_a_secret_is_shown_once_and_signs(service: Service, forum: TestClient, now: datetime) -> None:
    local = AlertsSettings(allow_private=True)
    service.alerts = local
    with receiver() as peer:
        made = forum.post("/v1/webhooks", json={"url": peer.url})
        assert made.status_code == 201, made.text
        endpoint = made.json()
        listed = forum.get("/v1/webhooks").json()
        sent = forum.post(f"/v1/webhooks/{endpoint['id']}:test")
        assert sent.status_code == 202, sent.text
        ways = channels(local)
        deliver_due(service.database, ways, local, datetime.now(now.tzinfo))
        ways["webhook"].close()

    assert endpoint["secret"].startswith("whsec_")
    assert [one["id"] for one in listed] == [endpoint["id"]]
    assert "secret" not in listed[0]
    got = peer.received[0]
    assert got.id == sent.json()["id"]
    taken = Webhook(endpoint["secret"]).verify(got.body, got.headers)
    assert taken["type"] == "webhook.test"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://hooks.example/in", "https_needed"),
        ("https://127.0.0.1/in", "private_address"),
        ("https://localhost/in", "private_address"),
        ("file:///etc/passwd", "url"),
    ],
)
def test_an_address_that_must_not_be_called_is_refused_with_its_field(
    forum: TestClient, url: str, code: str
) -> None:
    answer = forum.post("/v1/webhooks", json={"url": url})

    assert answer.status_code == 422
    assert answer.json()["code"] == code


def test_a_key_sees_its_own_source_only(service: Service, forum: TestClient, now: datetime) -> None:
    other_key = services.make_key(service.database, now, KeyScope.WEBHOOKS, source="other")
    mine = forum.post("/v1/webhooks", json={"url": URL}).json()
    with services.client_of(service, headers={"authorization": f"Bearer {other_key}"}) as other:
        assert other.get("/v1/webhooks").json() == []
        for path in (f"/v1/webhooks/{mine['id']}:test",):
            assert other.post(path).status_code == 404
        assert other.delete(f"/v1/webhooks/{mine['id']}").status_code == 404
        assert other.get("/v1/deliveries").json()["items"] == []


def test_a_key_without_the_scope_is_refused(service: Service, now: datetime) -> None:
    key = services.make_key(service.database, now, KeyScope.POSTS_WRITE)
    with services.client_of(service, headers={"authorization": f"Bearer {key}"}) as client:
        assert client.post("/v1/webhooks", json={"url": URL}).status_code == 403


def test_the_same_address_twice_is_a_conflict(forum: TestClient) -> None:
    forum.post("/v1/webhooks", json={"url": URL})

    assert forum.post("/v1/webhooks", json={"url": URL}).json()["code"] == "endpoint_exists"


def test_deleting_an_endpoint_withdraws_what_waits_and_keeps_the_log(forum: TestClient) -> None:
    endpoint = forum.post("/v1/webhooks", json={"url": URL}).json()
    forum.post(f"/v1/webhooks/{endpoint['id']}:test")

    assert forum.delete(f"/v1/webhooks/{endpoint['id']}").status_code == 204
    assert forum.get("/v1/webhooks").json() == []
    log = forum.get("/v1/deliveries").json()["items"]
    assert [one["message"]["state"] for one in log] == ["withdrawn"]
    replay = forum.post(f"/v1/deliveries/{log[0]['message']['id']}:replay")
    assert replay.json()["code"] == "endpoint_disabled"


def test_an_endpoint_hears_other_topics_from_now_on_and_still_gets_what_was_written_before(
    service: Service, forum: TestClient, people: People, now: datetime
) -> None:
    endpoint = forum.post("/v1/webhooks", json={"url": URL, "topics": ["demand.updated"]}).json()
    address = f"/v1/webhooks/{endpoint['id']}"

    def told(topic: Topic, occurrence: str) -> int:
        with service.database.transaction() as session:
            return tell_platform(
                session, endpoint["source"], topic, "a" * 32, payload={}, now=now, occurrence=occurrence
            )

    assert told(Topic.DEMAND_UPDATED, "before") == 1
    for body, code in (
        ({"topics": ["duty.gap"]}, "wrong_topic"),
        ({"topics": ["webhook.test"]}, "wrong_topic"),
        ({"topics": ["demand.updated", "no.such"]}, "unknown_word"),
        ({}, "required"),
    ):
        refused = forum.patch(address, json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    changed = forum.patch(address, json={"topics": ["statement.issued"]})
    assert changed.json()["topics"] == ["statement.issued"]
    assert "secret" not in changed.json()
    assert told(Topic.DEMAND_UPDATED, "after") == 0
    assert told(Topic.STATEMENT_ISSUED, "after") == 1
    log = forum.get("/v1/deliveries").json()["items"]
    assert {(one["message"]["topic"], one["message"]["state"]) for one in log} == {
        ("demand.updated", "pending"),
        ("statement.issued", "pending"),
    }
    assert people("stranger", Role.ADMINISTRATOR, "gd/foshan").patch(
        address, json={"topics": []}
    ).status_code in {403, 404}
    assert forum.patch(address, json={"topics": []}).json()["topics"] == []
    assert told(Topic.DEMAND_UPDATED, "all") == 1
    forum.delete(address)
    assert forum.patch(address, json={"topics": []}).status_code == 404


def test_a_dead_message_can_be_replayed_under_its_id(
    service: Service, forum: TestClient, now: datetime
) -> None:
    endpoint = forum.post("/v1/webhooks", json={"url": URL}).json()
    message = forum.post(f"/v1/webhooks/{endpoint['id']}:test").json()
    waiting = forum.post(f"/v1/deliveries/{message['id']}:replay")
    with service.database.transaction() as session:
        row = session.get_one(OutboxMessage, message["id"])
        row.state, row.attempts, row.settled_at = MessageState.DEAD, 18, now
    again = forum.post(f"/v1/deliveries/{message['id']}:replay")

    assert waiting.json()["code"] == "pending"
    assert again.status_code == 202
    assert (again.json()["id"], again.json()["state"], again.json()["attempts"]) == (
        message["id"],
        "pending",
        0,
    )


def test_an_administrator_names_the_office_and_its_place_is_checked(people: People) -> None:
    client = people("admin", Role.ADMINISTRATOR, "gd/dongguan")

    assert client.post("/v1/webhooks", json={"url": URL}).json()["code"] == "missing"
    assert client.post("/v1/webhooks", json={"url": URL, "organisation": "gd"}).status_code == 403
    made = client.post(
        "/v1/webhooks",
        json={"url": URL, "organisation": "gd/dongguan", "topics": ["event.reported"]},
    )
    assert made.status_code == 201
    assert (made.json()["source"], made.json()["topics"]) == (None, ["event.reported"])


def test_a_demand_is_verified_reported_and_read_over_http(
    service: Service, people: People, now: datetime
) -> None:
    demand_id = proposed(service, now)
    coordinator = people("coordinator", Role.COORDINATOR, "gd/dongguan")
    province = people("province", Role.PROVINCIAL_OFFICE, "gd")

    listed = coordinator.get("/v1/demands", params={"state": "proposed"}).json()
    assert [one["id"] for one in listed["items"]] == [demand_id]
    assert "hash-" not in coordinator.get(f"/v1/demands/{demand_id}").text
    made = coordinator.post(f"/v1/demands/{demand_id}:verify", json={"note": "属实", "version": 1})
    assert made.status_code == 201, made.text
    event = made.json()
    assert event["state"] == "reported"
    stale = coordinator.post(f"/v1/demands/{demand_id}:verify", json={"note": "属实"})
    assert (stale.status_code, stale.json()["code"]) == (409, "not_proposed")

    item = province.get("/v1/inbox", params={"unread": True}).json()["items"][0]
    letter = province.post(f"/v1/inbox/{item['id']}:read")
    assert letter.status_code == 200, letter.text
    assert letter.json()["figures"]["counts"]["authors"] == 12
    assert letter.json()["item"]["read_at"] is not None
    assert "hash-" not in letter.text
    assert province.get("/v1/inbox", params={"unread": True}).json()["items"] == []

    card = coordinator.get(f"/v1/events/{event['id']}").json()
    assert [one["step"] for one in card["record"]] == [
        "collect",
        "verify",
        "report_up",
        "form_opened",
        "delivered",
    ]
    early = coordinator.post(
        f"/v1/events/{event['id']}:step", json={"step": "feed_back_users", "text": "好了"}
    )
    assert (early.status_code, early.json()["code"]) == (409, "step_out_of_order")
    acted = coordinator.post(f"/v1/events/{event['id']}:step", json={"step": "act", "text": "已派人维修"})
    assert acted.status_code == 201
    again = coordinator.post(f"/v1/events/{event['id']}:report", json={})
    assert again.json()["figures"]["doing"] == "已派人维修"

    form = coordinator.get(f"/v1/cases/{card['case_id']}/form").json()
    assert form["title"]["zh"] == "集中诉求办理表"
    fields = {line["key"]: line["value"] for line in form["lines"]} | {"coordination_opinion": "同意"}
    saved = coordinator.put(f"/v1/cases/{card['case_id']}/form", json={"version": 1, "fields": fields})
    assert (saved.status_code, saved.json()["version"]) == (200, 2)
    again = coordinator.put(f"/v1/cases/{card['case_id']}/form", json={"version": 1, "fields": fields})
    assert again.json()["code"] == "stale_version"
    version = coordinator.get(f"/v1/cases/{card['case_id']}").json()["case"]["version"]
    step = {"step": "submitted", "version": version, "text": "建议交后勤办理"}
    assert coordinator.post(f"/v1/cases/{card['case_id']}:step", json=step).status_code == 201
    case = coordinator.get(f"/v1/cases/{card['case_id']}").json()["case"]
    assert case["state"] == "under_review"


def test_a_lead_unit_gives_the_result_and_nothing_else(
    service: Service, people: People, now: datetime
) -> None:
    demand_id = proposed(service, now)
    coordinator = people("coordinator", Role.COORDINATOR, "gd/dongguan")
    lead = people("lead", Role.LEAD_UNIT, "gd/dongguan")
    event = coordinator.post(f"/v1/demands/{demand_id}:verify", json={"note": "属实"}).json()
    case = coordinator.get(f"/v1/events/{event['id']}").json()["case_id"]

    def take(client: TestClient, step: str, **more: str) -> int:
        version = coordinator.get(f"/v1/cases/{case}").json()["case"]["version"]
        body = {"step": step, "version": version, "text": "说明", **more}
        return client.post(f"/v1/cases/{case}:step", json=body).status_code

    assert take(lead, "submitted") in {403, 404}
    assert take(coordinator, "submitted") == 201
    assert take(coordinator, "assigned", unit="gd/dongguan") == 201
    assert [take(lead, step) for step in ("accepted", "planned", "result")] == [201] * 3
    assert take(lead, "archived") == 403


@pytest.mark.parametrize("place", ["gd/foshan"])
def test_elsewhere_nothing_is_there(service: Service, people: People, now: datetime, place: str) -> None:
    demand_id = proposed(service, now)
    here = people("here", Role.COORDINATOR, "gd/dongguan")
    away = people("away", Role.COORDINATOR, place)
    event = here.post(f"/v1/demands/{demand_id}:verify", json={"note": "属实"}).json()
    case = here.get(f"/v1/events/{event['id']}").json()["case_id"]
    with service.database.reading() as session:
        item = session.exec(select(InboxItem.id).order_by(col(InboxItem.id))).first()
    office = people("office", Role.PROVINCIAL_OFFICE, place)

    assert away.get("/v1/demands").json()["items"] == []
    assert away.get("/v1/events").json()["items"] == []
    assert away.get("/v1/cases").json()["items"] == []
    for path in (f"/v1/demands/{demand_id}", f"/v1/events/{event['id']}", f"/v1/cases/{case}/form"):
        assert away.get(path).status_code == 404
    assert away.post(f"/v1/events/{event['id']}:step", json={"step": "note", "text": "x"}).status_code == 404
    assert office.post(f"/v1/inbox/{item}:read").status_code == 404


def test_who_may_not_read_posts_sees_a_demand_in_round_numbers(
    service: Service, people: People, now: datetime
) -> None:
    demand_id = proposed(service, now)
    with service.database.transaction() as session:
        row = session.get_one(Demand, demand_id)
        row.posts, row.authors = 37, 19
    coordinator = people("coordinator", Role.COORDINATOR, "gd/dongguan")
    province = people("province", Role.PROVINCIAL_OFFICE, "gd")

    near = coordinator.get(f"/v1/demands/{demand_id}").json()
    far = province.get(f"/v1/demands/{demand_id}").json()
    assert (near["posts"], near["authors"]) == (37, 19)
    assert (far["posts"], far["authors"]) == (30, 10)
    assert far["last_posted_at"] == "2026-03-16T00:00:00+08:00"
    assert province.get("/v1/demands").json()["items"] == [far]


def test_a_gathering_demand_is_not_told_of(service: Service, people: People, now: datetime) -> None:
    with service.database.transaction() as session:
        gathering = voices.demand(session, now, state=voices.DemandState.GATHERING).demand.id
    client = people("coordinator", Role.COORDINATOR, "gd/dongguan")

    assert client.get("/v1/demands").json()["items"] == []
    assert client.get(f"/v1/demands/{gathering}").status_code == 404


def test_pages_follow_one_another(service: Service, people: People, now: datetime) -> None:
    for _ in range(3):
        proposed(service, now)
    client = people("coordinator", Role.COORDINATOR, "gd/dongguan")
    first = client.get("/v1/demands", params={"limit": 2}).json()
    second = client.get("/v1/demands", params={"limit": 2, "before": first["next"]}).json()

    assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)
    assert not {one["id"] for one in first["items"]} & {one["id"] for one in second["items"]}


def test_a_wrong_identifier_is_refused_before_any_look(people: People) -> None:
    client = people("coordinator", Role.COORDINATOR, "gd/dongguan")

    assert client.get("/v1/events/' OR 1=1").status_code in {404, 422}
    assert client.get("/v1/demands", params={"before": "x"}).status_code == 422
    assert client.get("/v1/demands", params={"limit": 0}).status_code == 422
