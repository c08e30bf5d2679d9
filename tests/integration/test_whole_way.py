"""A post's whole way over HTTP, on both databases: from a forum to the province, with nothing scripted."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from alerts.jobs import deliver_due
from api import organisations
from api.app import create_app
from api.commands.sample import rows
from api.settings import Settings
from api.wiring import Service, build_service
from models.audit import first_break
from models.database import Database
from models.vocabulary import Role
from moderation import review
from sentiment.jobs import group_due, read_due
from tests.support.receiver import Receiver, receiver
from tests.support.services import OPERATOR, SECRET, Caller, Clock, make_account, make_key, sign_in

NOW = datetime.now(UTC).replace(microsecond=0)
"""The true time, because the standard's library refuses signatures that are older than five minutes."""
TOWN = "gd/dongguan/houjie"
HELD = "加我微信 jiazhi_88，日结兼职刷单，先垫付后返佣"


@pytest.fixture
def service(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    # A signature is good for five minutes, and the whole suite takes longer: now is when the test begins.
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC).replace(microsecond=0))
    made = build_service(
        Settings(database_url=database.url, secret=SecretStr(SECRET), allow_private_webhooks=True)
    )
    own = made.database
    own.close()
    made.database = database
    made.clock = Clock(NOW)
    with database.transaction() as session:
        organisations.load_organisations(session, OPERATOR, rows("organisations.json"), NOW)
    yield made
    # What was built over the first handle may have opened it again.
    own.close()
    for channel in made.channels.values():
        channel.close()


def signed_in(service: Service, login: str, *grants: tuple[Role, str]) -> Caller:
    make_account(service.database, NOW, login, *grants)
    client = Caller(create_app(service))
    sign_in(client, login)
    return client


def posts_of_the_town() -> list[dict[str, Any]]:
    """The town's month in the sample, most of it one demand, and an advertisement for a fraud."""
    month = [dict(row) for row in rows("posts.jsonl") if row["organisation"] == TOWN]
    month.append({**month[-1], "external_id": "fraud", "author": "swindler", "text": HELD, "days_ago": 1.0})
    for row in month:
        row["source"] = "forum"
        row["created_at"] = (NOW - timedelta(days=row.pop("days_ago"))).isoformat()
    return month


def heard(peer: Receiver, secret: str) -> dict[str, dict[str, Any]]:
    """Return the newest message of each type, every signature checked by the standard's own library."""
    found = {}
    for one in peer.received:
        message = json.loads(one.body)
        assert Webhook(secret).verify(one.body, one.headers) == message
        found[message["type"]] = message
    return found


def test_posts_become_a_decision_a_demand_and_a_delivered_report(service: Service) -> None:
    database = service.database
    forum = Caller(create_app(service), make_key(database, NOW, source="forum", organisation="gd"))
    officer = signed_in(service, "officer", (Role.OFFICER, TOWN), (Role.COORDINATOR, TOWN))
    province = signed_in(service, "province", (Role.PROVINCIAL_OFFICE, "gd"))
    with receiver() as platform, receiver() as office:
        platform_secret = forum.post("/v1/webhooks", json={"url": platform.url}).json()["secret"]
        office_secret = province.post(
            "/v1/webhooks", json={"url": office.url, "organisation": "gd", "topics": ["event.reported"]}
        ).json()["secret"]

        results = forum.post("/v1/posts:batch", json=posts_of_the_town()).json()["results"]
        assert {result["status"] for result in results} == {201}
        assert results[-1]["verdict"] == "hold"

        task = officer.post("/v1/reviews/next?category=scam").json()
        assert task["text"] == HELD
        decided = officer.post(
            f"/v1/reviews/{task['task_id']}/decision",
            json={
                "action": "remove",
                "category": "scam",
                "reason": "先垫付的兼职",
                "version": task["version"],
            },
        )
        assert decided.status_code == 200, decided.text

        read_due(database, service.bundle, service.sentiment, NOW)
        group_due(database, service.bundle, service.sentiment, NOW)
        (demand,) = officer.get("/v1/demands?state=proposed").json()["items"]
        assert demand["authors"] >= 10
        event = officer.post(f"/v1/demands/{demand['id']}:verify", json={"note": "已与镇里核实"}).json()
        assert event["state"] == "reported"

        deliver_due(database, service.channels, service.alerts, NOW + review.UNDO)
        told, reported = heard(platform, platform_secret), heard(office, office_secret)["event.reported"]

    assert told["post.decided"]["data"]["external_id"] == "fraud"
    assert told["statement.issued"]["data"]["clause"] == "C2"
    authors = {row["author"] for row in posts_of_the_town()}
    assert not any(f'"{author}"' in json.dumps(reported) for author in authors)
    assert demand["title"] in json.dumps(reported, ensure_ascii=False)

    (item,) = [one for one in province.get("/v1/inbox").json()["items"] if one["organisation"] == "gd"]
    letter = province.post(f"/v1/inbox/{item['id']}:read").json()
    assert letter["figures"]["counts"]["authors"] >= 10
    assert [entry["step"] for entry in letter["record"]][:4] == [
        "collect",
        "verify",
        "report_up",
        "form_opened",
    ]
    case = officer.get(f"/v1/events/{event['id']}").json()["case_id"]
    form = officer.get(f"/v1/cases/{case}/form").json()
    assert demand["title"] in json.dumps(form, ensure_ascii=False)
    with database.reading() as session:
        assert first_break(session) is None
