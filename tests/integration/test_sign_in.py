"""Signing in and out, and what a cookie or a key is refused for."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.security import Permission
from api.wiring import Service
from models.account import Account, SignIn, SignInAttempt
from models.audit import AuditEntry, first_break
from models.database import Database
from models.vocabulary import KeyScope, Role
from tests.support.services import PASSWORD, client_of, make_account, make_key, make_service, plant, sign_in


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    plant(database, now)
    make_account(database, now, "boss", (Role.ADMINISTRATOR, "gd"))
    make_account(database, now, "wang", (Role.OFFICER, "gd/dongguan"))
    return make_service(database, now)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_cookie_is_signed_and_out_of_reach_of_scripts(client: TestClient, service: Service) -> None:
    answer = client.post("/v1/sign-in", json={"login": "wang", "password": PASSWORD})

    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    assert "secure" not in flags
    value = client.cookies["tingjian"]
    with service.database.reading() as session:
        (opened,) = session.exec(select(SignIn)).all()
    assert value.startswith(opened.id + ".")
    assert PASSWORD not in answer.text


def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(database: Database, now: datetime) -> None:
    plant(database, now)
    make_account(database, now, "wang", (Role.OFFICER, "gd/dongguan"))
    with client_of(make_service(database, now, public_url="https://tj.example.org")) as client:
        answer = client.post("/v1/sign-in", json={"login": "wang", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith("__host-tingjian=")
        assert "; secure" in cookie
        assert "domain=" not in cookie
        assert client.get("/v1/me").status_code == 200


def test_me_tells_what_may_be_done_where(client: TestClient) -> None:
    sign_in(client, "wang")
    me = client.get("/v1/me").json()
    assert me["grants"] == [{"role": "officer", "organisation": "gd/dongguan"}]
    assert Permission.REVIEW_DECIDE.value in me["permissions"]["gd/dongguan"]


@pytest.mark.parametrize(("login", "password"), [("wang", "not the password"), ("nobody", PASSWORD)])
def test_a_wrong_login_and_a_wrong_password_look_the_same(
    client: TestClient, login: str, password: str
) -> None:
    answer = client.post("/v1/sign-in", json={"login": login, "password": password})
    assert code(answer) == (401, "wrong_credentials")
    assert answer.json()["detail"] == "the login or the password is wrong"
    assert "set-cookie" not in answer.headers


def test_a_disabled_account_neither_signs_in_nor_stays_signed_in(
    client: TestClient, service: Service
) -> None:
    sign_in(client, "wang")
    with client_of(service) as boss:
        sign_in(boss, "boss")
        with service.database.reading() as session:
            account = session.exec(select(Account).where(Account.login == "wang")).one()
        assert boss.post(f"/v1/accounts/{account.id}/disable").status_code == 200

    assert code(client.get("/v1/me")) == (401, "session_ended")
    answer = client.post("/v1/sign-in", json={"login": "wang", "password": PASSWORD})
    assert code(answer) == (401, "wrong_credentials")


def test_five_failures_close_the_door_for_a_quarter_of_an_hour(client: TestClient, service: Service) -> None:
    for _ in range(5):
        client.post("/v1/sign-in", json={"login": "wang", "password": "a wrong password"})

    answer = client.post("/v1/sign-in", json={"login": "WANG ", "password": PASSWORD})
    assert code(answer) == (429, "too_many_requests")
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60 + 1
    assert client.post("/v1/sign-in", json={"login": "boss", "password": PASSWORD}).status_code == 200

    service.clock.turn(minutes=16)  # type: ignore[attr-defined]
    assert client.post("/v1/sign-in", json={"login": "wang", "password": PASSWORD}).status_code == 200


def test_an_unknown_login_is_slowed_down_like_a_known_one(client: TestClient) -> None:
    for _ in range(5):
        client.post("/v1/sign-in", json={"login": "nobody", "password": "a wrong password"})
    answer = client.post("/v1/sign-in", json={"login": "nobody", "password": PASSWORD})
    assert code(answer) == (429, "too_many_requests")


def test_further_failures_make_the_wait_longer(client: TestClient, service: Service) -> None:
    for _ in range(5):
        client.post("/v1/sign-in", json={"login": "wang", "password": "a wrong password"})
    service.clock.turn(minutes=16)  # type: ignore[attr-defined]
    for _ in range(5):
        client.post("/v1/sign-in", json={"login": "wang", "password": "a wrong password"})
    service.clock.turn(minutes=16)  # type: ignore[attr-defined]
    answer = client.post("/v1/sign-in", json={"login": "wang", "password": PASSWORD})
    assert code(answer) == (429, "too_many_requests")


def test_signing_in_well_forgets_the_failures(client: TestClient, service: Service) -> None:
    for _ in range(4):
        client.post("/v1/sign-in", json={"login": "wang", "password": "a wrong password"})
    sign_in(client, "wang")
    with service.database.reading() as session:
        assert session.exec(select(SignInAttempt)).all() == []


def test_each_sign_in_is_a_new_session_and_ends_the_browsers_old_one(
    client: TestClient, service: Service
) -> None:
    sign_in(client, "wang")
    old = client.cookies["tingjian"]
    sign_in(client, "wang")
    assert client.cookies["tingjian"] != old

    with client_of(service) as other:
        other.cookies.set("tingjian", old)
        assert code(other.get("/v1/me")) == (401, "session_ended")


def test_a_session_that_somebody_planted_is_not_taken_over(client: TestClient, service: Service) -> None:
    sign_in(client, "boss")
    planted = client.cookies["tingjian"]
    with client_of(service) as victim:
        answer = victim.post(
            "/v1/sign-in",
            json={"login": "wang", "password": PASSWORD},
            headers={"cookie": f"tingjian={planted}"},
        )
        assert answer.status_code == 200
        assert "tingjian=" in answer.headers["set-cookie"]
        assert planted not in answer.headers["set-cookie"]
    assert code(client.get("/v1/me")) == (401, "session_ended")


@pytest.mark.parametrize("forged", ["", "x", "0" * 32, "0" * 32 + ".AAAA", "é.é"])
def test_a_forged_cookie_is_nobody(client: TestClient, forged: str) -> None:
    answer = client.get("/v1/me", headers={"cookie": f"tingjian={forged}".encode()})
    assert answer.status_code == 401


def test_a_session_ends_by_itself(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    service.clock.turn(hours=12)  # type: ignore[attr-defined]
    assert code(client.get("/v1/me")) == (401, "session_ended")


def test_signing_out_ends_the_session_everywhere(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    stolen = client.cookies["tingjian"]
    assert client.post("/v1/sign-out").status_code == 204
    with client_of(service) as thief:
        thief.cookies.set("tingjian", stolen)
        assert code(thief.get("/v1/me")) == (401, "session_ended")


@pytest.mark.parametrize("token", [None, "", "wrong", "令牌"])
def test_a_cookie_alone_changes_nothing(client: TestClient, token: str | None) -> None:
    sign_in(client, "boss")
    del client.headers["x-csrf-token"]
    headers = {} if token is None else {"x-csrf-token": token.encode()}
    body = {"path": "gd/zhuhai", "name": "珠海市", "kind": "city"}
    assert code(client.post("/v1/organisations", json=body, headers=headers)) == (403, "csrf")


def test_another_sessions_token_does_not_do(client: TestClient, service: Service) -> None:
    sign_in(client, "boss")
    with client_of(service) as other:
        client.headers["x-csrf-token"] = sign_in(other, "wang")
    assert code(client.post("/v1/sign-out")) == (403, "csrf")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_sites_page_neither_changes_anything_nor_signs_anybody_in(
    client: TestClient, headers: dict[str, str]
) -> None:
    body = {"login": "wang", "password": PASSWORD}
    assert code(client.post("/v1/sign-in", json=body, headers=headers)) == (403, "wrong_origin")
    sign_in(client, "boss")
    assert code(client.post("/v1/sign-out", headers=headers)) == (403, "wrong_origin")


def test_our_own_page_may(client: TestClient) -> None:
    sign_in(client, "wang")
    headers = {"origin": "http://127.0.0.1:8311", "sec-fetch-site": "same-origin"}
    assert client.post("/v1/sign-out", headers=headers).status_code == 204


def test_a_one_time_password_opens_nothing_but_its_own_change(client: TestClient, service: Service) -> None:
    with client_of(service) as boss:
        sign_in(boss, "boss")
        made = boss.post(
            "/v1/accounts",
            json={
                "login": "li",
                "name": "李",
                "grants": [{"role": "auditor", "organisation": "gd"}],
            },
        )
        assert made.status_code == 201
        one_time = made.json()["one_time_password"]

    sign_in(client, "li", one_time)
    assert code(client.get("/v1/accounts")) == (403, "password_change_needed")
    change = {"current": one_time, "new": "a much longer one"}
    assert client.put("/v1/me/password", json=change).status_code == 204
    assert client.get("/v1/accounts").status_code == 200
    with service.database.reading() as session:
        assert one_time not in str([entry.details for entry in session.exec(select(AuditEntry))])


@pytest.mark.parametrize("new", ["short", PASSWORD, "my login is wang"])
def test_a_new_password_has_to_be_a_good_one(client: TestClient, new: str) -> None:
    sign_in(client, "wang")
    answer = client.put("/v1/me/password", json={"current": PASSWORD, "new": new})
    assert code(answer) == (422, "weak_password")
    assert new not in answer.json()["detail"]


def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(
    client: TestClient, service: Service
) -> None:
    sign_in(client, "wang")
    with client_of(service) as elsewhere:
        sign_in(elsewhere, "wang")
        wrong = client.put("/v1/me/password", json={"current": "guessed", "new": "a much longer one"})
        assert code(wrong) == (403, "wrong_credentials")
        right = client.put("/v1/me/password", json={"current": PASSWORD, "new": "a much longer one"})
        assert right.status_code == 204
        assert elsewhere.get("/v1/me").status_code == 401
        assert client.get("/v1/me").status_code == 200


def test_a_key_needs_no_csrf_token_and_is_nobody_once_revoked(client: TestClient, service: Service) -> None:
    key = make_key(service.database, service.clock(), KeyScope.POSTS_READ)
    bearer = {"authorization": f"Bearer {key}"}
    me = client.get("/v1/me", headers=bearer).json()
    assert me["source"] == "forum"

    with client_of(service) as boss:
        sign_in(boss, "boss")
        assert boss.delete(f"/v1/keys/{me['id']}").status_code == 204
    assert code(client.get("/v1/me", headers=bearer)) == (401, "wrong_key")


def test_a_wrong_key_is_refused_although_a_good_cookie_is_there(client: TestClient) -> None:
    sign_in(client, "wang")
    answer = client.get("/v1/me", headers={"authorization": "Bearer tj_wrong"})
    assert code(answer) == (401, "wrong_key")


def test_only_the_hash_of_a_key_is_kept(service: Service) -> None:
    key = make_key(service.database, service.clock())
    with service.database.reading() as session:
        rows = session.connection().exec_driver_sql("SELECT * FROM apikey").all()
        audit = session.connection().exec_driver_sql("SELECT * FROM auditentry").all()
    assert key not in str(rows)
    assert key not in str(audit)


def test_an_administrator_can_neither_raise_themselves_nor_reach_above_their_node(
    client: TestClient, service: Service
) -> None:
    now = service.clock()
    chief = make_account(service.database, now, "chief", (Role.ADMINISTRATOR, "gd/dongguan"))
    boss = make_account(
        service.database, now, "high", (Role.ADMINISTRATOR, "gd"), (Role.OFFICER, "gd/dongguan")
    )
    sign_in(client, "chief")

    own = client.post(
        f"/v1/accounts/{chief.id}/grants", json={"role": "officer", "organisation": "gd/dongguan"}
    )
    assert code(own) == (403, "own_role")
    above = client.post(
        "/v1/accounts",
        json={"login": "friend", "name": "f", "grants": [{"role": "administrator", "organisation": "gd"}]},
    )
    assert code(above) == (403, "not_permitted")
    for action in ("disable", "password"):
        assert client.post(f"/v1/accounts/{boss.id}/{action}").status_code == 403
    key = {"source": "forum", "name": "f", "organisation": "gd", "scopes": ["posts:write"]}
    assert client.post("/v1/keys", json=key).status_code == 403
    assert client.post(f"/v1/accounts/{chief.id}/disable").status_code == 409


def test_a_source_that_another_place_speaks_for_is_not_given_away(
    client: TestClient, service: Service
) -> None:
    make_key(service.database, service.clock(), organisation="gd/foshan", source="foshan-forum")
    make_account(service.database, service.clock(), "chief", (Role.ADMINISTRATOR, "gd/dongguan"))
    sign_in(client, "chief")
    body = {
        "source": "foshan-forum",
        "name": "f",
        "organisation": "gd/dongguan",
        "scopes": ["posts:write"],
    }
    assert code(client.post("/v1/keys", json=body)) == (409, "source_taken")


def test_every_change_stands_on_the_audit_log_and_the_chain_holds(
    client: TestClient, service: Service
) -> None:
    sign_in(client, "boss")
    made = client.post(
        "/v1/accounts",
        json={"login": "li", "name": "李", "grants": [{"role": "officer", "organisation": "gd/foshan"}]},
    ).json()["account"]
    grant = client.post(
        f"/v1/accounts/{made['id']}/grants", json={"role": "auditor", "organisation": "gd"}
    ).json()
    client.delete(f"/v1/accounts/{made['id']}/grants/{grant['id']}")
    client.post(f"/v1/accounts/{made['id']}/password")
    client.post(f"/v1/accounts/{made['id']}/disable")
    client.post(f"/v1/accounts/{made['id']}/enable")

    with service.database.reading() as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.subject == made["id"])).all()
        assert first_break(session) is None
    assert [entry.action for entry in entries] == [
        "account.created",
        "role.granted",
        "role.granted",
        "role.revoked",
        "account.password_reset",
        "account.disabled",
        "account.enabled",
    ]
    assert len({entry.actor for entry in entries}) == 1
    assert entries[0].actor.startswith("account:")


def test_metrics_are_for_this_machine_or_the_operators_token(database: Database, now: datetime) -> None:
    with client_of(make_service(database, now, metrics_token="a token of the operator")) as client:
        assert client.get("/metrics").status_code == 200
        proxied = {"x-forwarded-for": "203.0.113.9"}
        assert client.get("/metrics", headers=proxied).status_code == 403
        bearer = {"authorization": "Bearer a token of the operator"}
        assert client.get("/metrics", headers=proxied | bearer).status_code == 200
