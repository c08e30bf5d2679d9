"""Sessions: listed coarsely, ended one by one and all, at once in every process; idle and absolute limits."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.wiring import Service
from models.account import Account, ApiKey, SignIn
from models.audit import AuditEntry
from models.database import Database
from models.vocabulary import Role
from tests.support.services import PASSWORD, client_of, make_account, make_key, make_service, plant, sign_in

PHONE = {"user-agent": "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36"}


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    plant(database, now)
    make_account(database, now, "boss", (Role.ADMINISTRATOR, "gd"))
    make_account(database, now, "wang", (Role.OFFICER, "gd/dongguan"))
    return make_service(database, now)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service, headers=PHONE) as client:
        sign_in(client, "wang")
        yield client


@pytest.fixture
def desk(service: Service) -> Iterator[TestClient]:
    with client_of(service) as desk:
        sign_in(desk, "wang")
        yield desk


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_ones_sessions_are_listed_coarsely_with_this_one_marked(client: TestClient, desk: TestClient) -> None:
    shown = client.get("/v1/me/sessions").json()
    assert [(one["device"], one["current"]) for one in shown] == [(None, False), ("Chrome · Android", True)]
    assert {one["network"] for one in shown} == {"127.0.*.*"}
    page = desk.get("/sessions").text
    assert "Chrome · Android" in page
    assert page.count("当前") == 1


def test_a_session_that_is_ended_is_nobody_at_once_in_every_process(
    client: TestClient, desk: TestClient, service: Service
) -> None:
    other = next(one for one in client.get("/v1/me/sessions").json() if not one["current"])
    # A second application over a second pool stands for another process.
    elsewhere = make_service(Database(service.database.url), service.clock())
    with client_of(elsewhere) as there:
        there.cookies.set("tingjian", desk.cookies["tingjian"])
        assert there.get("/v1/me").status_code == 200
        assert client.delete(f"/v1/me/sessions/{other['id']}").status_code == 204
        assert code(there.get("/v1/me")) == (401, "session_ended")
    elsewhere.database.close()
    assert code(desk.get("/v1/me")) == (401, "session_ended")
    assert client.get("/v1/me").status_code == 200


def test_all_the_others_end_and_this_one_stays(
    client: TestClient, desk: TestClient, service: Service
) -> None:
    assert client.delete("/v1/me/sessions").status_code == 204
    assert client.get("/v1/me").status_code == 200
    assert desk.get("/v1/me").status_code == 401
    with service.database.reading() as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "sessions.ended")).one()
        assert entry.details == {"sessions": 1}


def test_nobody_ends_a_session_of_somebody_else(client: TestClient, service: Service) -> None:
    with client_of(service) as boss:
        sign_in(boss, "boss")
        theirs = boss.get("/v1/me/sessions").json()[0]["id"]
        assert client.delete(f"/v1/me/sessions/{theirs}").status_code == 404
        assert client.post("/sessions", data={"session": theirs}).status_code == 404
        assert boss.get("/v1/me").status_code == 200


def test_an_administrator_ends_the_sessions_of_an_account_with_a_reason(
    client: TestClient, desk: TestClient, service: Service
) -> None:
    with service.database.reading() as session:
        wang = session.exec(select(Account.id).where(Account.login == "wang")).one()
    with client_of(service) as boss:
        sign_in(boss, "boss")
        live = boss.get(f"/v1/accounts/{wang}/sessions").json()
        assert len(live) == 2
        assert boss.delete(f"/v1/accounts/{wang}/sessions/{live[0]['id']}").status_code == 204
        assert desk.get("/v1/me").status_code == 401
        assert client.get("/v1/me").status_code == 200
        assert boss.delete(f"/v1/accounts/{wang}/sessions", params={"reason": "离职"}).status_code == 204
        assert boss.get(f"/v1/accounts/{wang}/sessions").json() == []
    assert client.get("/v1/me").status_code == 401
    with service.database.reading() as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.action == "sessions.ended")).all()
        assert [one.details for one in entries] == [{"sessions": 1}, {"reason": "离职", "sessions": 1}]
        assert {one.organisation for one in entries} == {"gd/dongguan"}


def test_a_session_that_is_left_alone_ends_and_one_in_use_goes_on(
    client: TestClient, desk: TestClient, service: Service
) -> None:
    for _ in range(3):
        service.clock.turn(minutes=80)  # type: ignore[attr-defined]
        assert client.get("/v1/me").status_code == 200
    assert code(desk.get("/v1/me")) == (401, "session_ended")
    assert len(client.get("/v1/me/sessions").json()) == 1


def test_a_session_in_use_ends_at_its_absolute_limit(client: TestClient, service: Service) -> None:
    for _ in range(11):
        service.clock.turn(minutes=60)  # type: ignore[attr-defined]
        assert client.get("/v1/me").status_code == 200
    service.clock.turn(minutes=60)  # type: ignore[attr-defined]
    assert code(client.get("/v1/me")) == (401, "session_ended")


def test_being_seen_is_written_down_once_a_minute_and_no_more(client: TestClient, service: Service) -> None:
    def seen() -> datetime:
        with service.database.reading() as session:
            found = session.exec(select(SignIn.last_seen_at)).one()
        assert found is not None
        return found

    begun = service.clock()
    service.clock.turn(seconds=59)  # type: ignore[attr-defined]
    client.get("/v1/me")
    assert seen() == begun
    service.clock.turn(seconds=1)  # type: ignore[attr-defined]
    client.get("/v1/me")
    assert seen() == begun + timedelta(minutes=1)


def test_changing_the_password_brings_a_new_cookie(client: TestClient, service: Service) -> None:
    old = client.cookies["tingjian"]
    change = {"current": PASSWORD, "new": "a much longer one"}
    assert client.put("/v1/me/password", json=change).status_code == 204
    assert client.cookies["tingjian"] != old
    assert client.get("/v1/me").status_code == 200
    with client_of(service) as thief:
        thief.cookies.set("tingjian", old)
        assert code(thief.get("/v1/me")) == (401, "session_ended")


def test_when_a_key_was_used_last_is_known_to_ten_minutes(service: Service) -> None:
    key = make_key(service.database, service.clock())

    def used() -> datetime | None:
        with service.database.reading() as session:
            return session.exec(select(ApiKey.last_used_at)).one()

    with client_of(service) as platform:
        platform.headers["authorization"] = f"Bearer {key}"
        assert used() is None
        begun = service.clock()
        platform.get("/v1/me")
        service.clock.turn(minutes=9)  # type: ignore[attr-defined]
        platform.get("/v1/me")
        assert used() == begun
        service.clock.turn(minutes=1)  # type: ignore[attr-defined]
        platform.get("/v1/me")
        assert used() == begun + timedelta(minutes=10)
