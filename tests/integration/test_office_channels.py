"""Subscriptions of offices over HTTP and in the console, up to the receiver, and the log of what left."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.channels import channels
from alerts.delivery import deliver_due
from alerts.settings import AlertsSettings, MailSecurity, MailSettings
from api import command_line
from api.wiring import Service
from models.audit import AuditEntry
from models.database import Database
from models.outbox import OutboxMessage, WebhookEndpoint, tell_offices
from models.vocabulary import KeyScope, MessageState, Role, Topic
from tests.support import services
from tests.support.mailbox import mailbox
from tests.support.receiver import OK, Answer, receiver

KEY = b"k" * 32
CHAT = "wecombot://12345678-1234-1234-1234-1234567890ab"
WHY = {"reason": "试用"}


def settings(port: int = 25) -> AlertsSettings:
    mail = MailSettings("localhost", "tingjian@gd.example", port, MailSecurity.NONE)
    return AlertsSettings(allow_private=True, timeout=2.0, sealing=KEY, mail=mail, poll=0.02)


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    services.plant(database, now)
    made = services.make_service(database, now)
    made.alerts = settings()
    return made


@pytest.fixture
def chief(service: Service, now: datetime) -> Iterator[TestClient]:
    services.make_account(service.database, now, "chief", (Role.ADMINISTRATOR, "gd"))
    with services.client_of(service) as client:
        services.sign_in(client, "chief")
        yield client


def add(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/webhooks", json={"organisation": "gd/dongguan", **body})


def round_of(service: Service, at: datetime) -> None:
    ways = channels(service.alerts, service.database)
    deliver_due(service.database, ways, service.alerts, at)
    for one in ways.values():
        one.close()


def report(service: Service, number: int, now: datetime) -> None:
    with service.database.transaction() as session:
        tell_offices(
            session,
            "gd/dongguan",
            Topic.EVENT_REPORTED,
            f"{number:032x}",
            payload={"title": "热水", "sequence": number},
            now=now,
            occurrence="1",
        )


def test_an_office_is_told_by_mail_in_its_language_and_the_chat_is_never_shown_again(
    service: Service, chief: TestClient, now: datetime
) -> None:
    with mailbox() as box:
        service.alerts = settings(box.port)
        mail = add(
            chief, channel="mail", url="desk@dg.example", language="en", topics=["event.reported"]
        ).json()
        chat = add(chief, channel="chat", url=CHAT, name="值班群", group_seconds=60).json()
        assert (mail["secret"], chat["secret"], chat["url"]) == (None, None, "wecombot://…")
        report(service, 1, now)
        with service.database.transaction() as session:
            tell_offices(
                session,
                "gd/dongguan",
                Topic.RULE_DEMOTED,
                "2" * 32,
                payload={},
                now=now,
                occurrence="1",
            )
        round_of(service, now)

    assert [letter["to"] for letter in box.letters] == ["desk@dg.example"], "only the topic it named"
    assert "Event reported" in str(box.letters[0]["subject"])
    with service.database.reading() as session:
        kept = session.exec(select(WebhookEndpoint).where(WebhookEndpoint.id == chat["id"])).one()
        audited = " ".join(str(one.details) for one in session.exec(select(AuditEntry)))
        attempts = [row.model_dump_json() for row in session.exec(select(OutboxMessage))]
    pages = [chief.get(path).text for path in ("/v1/webhooks", "/webhooks", "/v1/deliveries", "/deliveries")]
    secret = CHAT.removeprefix("wecombot://")
    for place in (kept.model_dump_json(), audited, *attempts, *pages):
        assert secret not in place
    assert "值班群" in pages[1]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"channel": "mail", "url": "not an address"}, "mail_address"),
    ({"channel": "chat", "url": "file:///etc/passwd"}, "chat_address"),
    ({"channel": "inbox", "signing": "ed25519"}, "signing"),
    ({"url": "http://127.0.0.1:9/", "group_seconds": 60}, "not_grouped"),
    ({"channel": "inbox", "repeat_seconds": 60}, "not_grouped"),
    ({"channel": "inbox", "language": "fr"}, "language"),
    ({"channel": "pigeon"}, "channel"),
]


def test_what_a_channel_cannot_do_is_refused(chief: TestClient) -> None:
    for body, told in REFUSED:
        refused = add(chief, **body)
        assert refused.status_code == 422
        assert told in refused.text
        assert refused.headers["content-type"] == "application/problem+json"


def test_a_platform_takes_webhooks_only_and_without_a_mail_server_nobody_takes_mail(
    service: Service, chief: TestClient, now: datetime
) -> None:
    key = services.make_key(service.database, now, KeyScope.WEBHOOKS)
    with services.client_of(service, headers={"authorization": f"Bearer {key}"}) as forum:
        assert forum.post("/v1/webhooks", json={"channel": "inbox"}).status_code == 422
        assert forum.get("/v1/silences").status_code == 403
    service.alerts = AlertsSettings()
    assert add(chief, channel="mail", url="desk@dg.example").status_code == 503


def test_both_keys_sign_for_a_day_after_a_rotation_and_then_the_new_one_alone(
    service: Service, chief: TestClient, now: datetime
) -> None:
    with receiver() as peer:
        made = add(chief, url=peer.url).json()
        renewed = chief.post(f"/v1/webhooks/{made['id']}:rotate-secret").json()
        for hours in (23, 25):
            report(service, hours, now + timedelta(hours=hours))
            round_of(service, now + timedelta(hours=hours))
        leaked = chief.post(f"/v1/webhooks/{made['id']}:rotate-secret", json={"overlap_hours": 0}).json()

    during, after = ([*one.headers["webhook-signature"].split(" ")] for one in peer.received)
    assert (len(during), len(after)) == (2, 1)
    first, second = peer.received
    # The library refuses times far from its own clock, so the signature is compared as it makes it.
    for secret, expected in ((made["secret"], during[1]), (renewed["secret"], during[0])):
        at = datetime.fromtimestamp(int(first.headers["webhook-timestamp"]), now.tzinfo)
        assert Webhook(secret).sign(first.id, at, first.body.decode()) == expected
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(second.body, second.headers)
    assert leaked["old_secret_until"] is None


def test_an_ed25519_endpoint_shows_its_public_half_and_never_the_other(
    service: Service, chief: TestClient
) -> None:
    made = add(chief, url="http://127.0.0.1:9/", signing="ed25519").json()
    renewed = chief.post(f"/v1/webhooks/{made['id']}:rotate-secret").json()

    assert made["secret"] is None
    assert made["public_key"].startswith("whpk_")
    assert renewed["public_key"] != made["public_key"]
    with service.database.reading() as session:
        kept = session.exec(select(WebhookEndpoint)).one().model_dump_json()
    assert "whsk_" not in kept + str(renewed) + chief.get("/webhooks").text


def test_the_log_is_searched_by_links_and_a_message_goes_again_under_its_id(
    service: Service, chief: TestClient, now: datetime
) -> None:
    answers = [Answer(410)]
    with receiver(lambda _: answers[0]) as peer:
        made = add(chief, url=peer.url).json()
        for number in range(3):
            report(service, number, now)
        answers[0] = Answer(500)
        round_of(service, now)
        with service.database.transaction() as session:
            for row in session.exec(select(OutboxMessage)).all():
                row.state, row.settled_at = MessageState.DEAD, now
                session.add(row)
        found = chief.get("/v1/deliveries", params={"state": "dead", "text": "http_500"}).json()["items"]
        nothing = chief.get("/v1/deliveries", params={"text": "http_502"}).json()["items"]
        page = chief.get("/deliveries?state=dead").text
        one = found[0]["message"]["id"]
        card = chief.get(f"/deliveries/{one}")
        answers[0] = OK
        again = chief.post(f"/deliveries/{one}/replay")
        rest = chief.post("/v1/deliveries:replay-dead", params={"endpoint": made["id"]}).json()
        round_of(service, now + timedelta(minutes=1))

    assert (len(found), nothing) == (3, [])
    assert "text=http_500" in page
    assert f"/deliveries/{one}" in page
    assert "http_500" in card.text
    assert again.status_code == 303
    assert rest == {"replayed": 2}
    assert sorted(peer.ids()) == sorted([row["message"]["id"] for row in found] * 2)
    attempts = chief.get(f"/v1/deliveries/{one}").json()["attempts"]
    assert [attempt["succeeded"] for attempt in attempts] == [False, True]


def test_what_was_withdrawn_is_never_sent_again(service: Service, chief: TestClient, now: datetime) -> None:
    add(chief, channel="inbox")
    report(service, 1, now)
    with service.database.transaction() as session:
        row = session.exec(select(OutboxMessage)).one()
        row.state = MessageState.WITHDRAWN
        session.add(row)
        message = row.id

    assert chief.post(f"/v1/deliveries/{message}:replay").json()["code"] == "withdrawn"


def test_the_operator_searches_and_replays_at_the_command_line(
    service: Service,
    chief: TestClient,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add(chief, channel="inbox")
    report(service, 1, now)
    with service.database.transaction() as session:
        row = session.exec(select(OutboxMessage)).one()
        row.state, row.last_error = MessageState.DEAD, "no_channel"
        session.add(row)
        message = row.id
    monkeypatch.setenv("TINGJIAN_DATABASE_URL", service.database.url)
    monkeypatch.setenv("TINGJIAN_SECRET", services.SECRET)

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            command_line.main(["deliveries", *words])
        return int(ended.value.code or 0), capsys.readouterr().out

    assert message in run("list", "--state", "dead", "--find", "no_channel")[1]
    assert run("list", "--topic", "no.such")[0] == 2
    assert "dead" in run("show", message)[1]
    assert run("replay", message) == (0, f"message {message} is due again\n")
    assert run("replay", message)[0] == 2, "it waits already"
    assert run("replay-dead") == (0, "0 messages are due again\n")
    with service.database.reading() as session, closing(service.database):
        assert session.exec(select(OutboxMessage.state)).one() is MessageState.PENDING


def test_the_pages_keep_an_office_quiet_let_somebody_follow_and_acknowledge(
    service: Service, chief: TestClient, now: datetime
) -> None:
    office = {"organisation": "gd/dongguan"}
    quiet = chief.post("/webhooks/silences", data={**office, "hours": "4", **WHY})
    feed = chief.post("/webhooks/feeds", data={**office, "name": "大屏"})
    with service.database.transaction() as session:
        tell_offices(
            session,
            "gd/dongguan",
            Topic.REFERRAL_WAITING,
            "3" * 32,
            payload={"since": now.isoformat()},
            now=now,
            occurrence="1",
        )
    services.make_account(service.database, now, "officer", (Role.OFFICER, "gd/dongguan"))
    with services.client_of(service) as officer:
        services.sign_in(officer, "officer")
        page = officer.get("/alarms").text
        alarm = page.partition('id="alarm-')[2][:32]
        first = officer.post(f"/alarms/{alarm}")
        second = officer.post(f"/alarms/{alarm}")

    assert quiet.headers["location"] == "/webhooks?done=silence_added"
    assert "/v1/feeds/tjf_" in feed.text
    assert "试用" in feed.text, "the silence stands on the page"
    assert "/v1/feeds/tjf_" not in chief.get("/webhooks").text
    assert (first.status_code, second.status_code) == (303, 409)
    assert "转介无人查看" in page
