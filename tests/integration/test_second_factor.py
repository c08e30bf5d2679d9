"""A second factor: enrolled, asked for, used once, recovered, reset, and required by a setting."""

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api import second_factor, totp
from api.wiring import Service
from models.account import Account, RecoveryCode, SecondFactor, SignIn
from models.audit import AuditEntry, first_break
from models.database import Database
from models.vocabulary import Role
from tests.support.services import PASSWORD, client_of, make_account, make_service, plant, sign_in


@pytest.fixture
def service(database: Database, now: Any) -> Service:
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


def app_code(secret: str, service: Service, steps: int = 0) -> str:
    raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return totp.code_at(raw, totp.step_at(service.clock()) + steps)


def enrol(client: TestClient, service: Service) -> tuple[str, list[str]]:
    """Enrol a second factor; return its secret and the recovery codes."""
    secret = client.post("/v1/me/second-factor").json()["secret"]
    answer = client.post("/v1/me/second-factor/confirm", json={"code": app_code(secret, service)})
    assert answer.status_code == 200, answer.text
    client.headers["x-csrf-token"] = answer.json()["csrf"]
    return secret, answer.json()["recovery_codes"]


def give(client: TestClient, typed: str) -> Any:
    return client.post("/v1/me/second-factor/give", json={"code": typed})


def account_id(service: Service, login: str) -> str:
    with service.database.reading() as session:
        return session.exec(select(Account.id).where(Account.login == login)).one()


def test_with_a_second_factor_a_password_alone_opens_nothing(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    secret, _ = enrol(client, service)
    assert client.get("/v1/reviews").status_code == 200
    with client_of(service) as later:
        sign_in(later, "wang")
        assert later.get("/v1/me").json()["owes_code"] is True
        for path in ("/v1/reviews", "/v1/demands", "/v1/me/sessions"):
            assert code(later.get(path)) == (403, "second_factor_needed")
        change = {"current": PASSWORD, "new": "a much longer one"}
        assert code(later.put("/v1/me/password", json=change)) == (403, "second_factor_needed")
        assert code(later.post("/v1/me/second-factor")) == (403, "second_factor_needed")
        assert later.get("/queue").headers["location"] == "/second-factor"
        service.clock.turn(seconds=30)  # type: ignore[attr-defined]
        given = give(later, app_code(secret, service))
        assert given.status_code == 200, given.text
        assert later.get("/v1/reviews").status_code == 200


def test_giving_the_code_brings_a_new_session_and_a_new_token(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    secret, _ = enrol(client, service)
    service.clock.turn(minutes=1)  # type: ignore[attr-defined]
    with client_of(service) as later:
        token = sign_in(later, "wang")
        planted = later.cookies["tingjian"]
        given = give(later, app_code(secret, service))
        assert given.json()["csrf"] != token
        assert later.cookies["tingjian"] != planted
        with client_of(service) as thief:
            thief.cookies.set("tingjian", planted)
            assert code(thief.get("/v1/me")) == (401, "session_ended")


def test_a_code_opens_once(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    secret, _ = enrol(client, service)
    with client_of(service) as first, client_of(service) as second:
        for one in (first, second):
            sign_in(one, "wang")
        # The one that confirmed the enrolment is used up as well.
        assert code(give(first, app_code(secret, service))) == (401, "wrong_code")
        service.clock.turn(minutes=1)  # type: ignore[attr-defined]
        typed = app_code(secret, service)
        assert give(first, typed).status_code == 200
        assert code(give(second, typed)) == (401, "wrong_code")
        assert code(give(second, app_code(secret, service, -1))) == (401, "wrong_code")
        assert give(second, app_code(secret, service, 1)).status_code == 200


def test_of_two_that_send_one_code_at_once_one_comes_in(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    secret, recovery = enrol(client, service)
    service.clock.turn(minutes=1)  # type: ignore[attr-defined]
    identifier = account_id(service, "wang")

    def try_it(typed: str) -> str | None:
        with service.database.transaction() as session:
            return second_factor.verify(session, service.keys, identifier, typed, service.clock())

    for typed in (app_code(secret, service), recovery[0]):
        with ThreadPoolExecutor(4) as pool:
            opened = [how for how in pool.map(try_it, [typed] * 4) if how is not None]
        assert len(opened) == 1


def test_each_recovery_code_opens_once_however_it_is_typed(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    _, recovery = enrol(client, service)
    assert len(set(recovery)) == 10
    with client_of(service) as later:
        sign_in(later, "wang")
        assert give(later, f" {recovery[3].upper().replace('-', ' ')} ").status_code == 200
        sign_in(later, "wang")
        assert code(give(later, recovery[3])) == (401, "wrong_code")
        assert give(later, recovery[4]).status_code == 200


def test_guessing_closes_the_door(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    secret, recovery = enrol(client, service)
    service.clock.turn(minutes=1)  # type: ignore[attr-defined]
    with client_of(service) as thief:
        sign_in(thief, "wang")
        for _ in range(5):
            assert give(thief, "000000").status_code == 401
        for typed in (app_code(secret, service), recovery[0]):
            answer = give(thief, typed)
            assert code(answer) == (429, "too_many_requests")
            assert int(answer.headers["retry-after"]) > 0


def test_neither_the_secret_nor_a_code_stands_anywhere(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    secret, recovery = enrol(client, service)
    raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    with service.database.reading() as session:
        kept = str(session.exec(select(SecondFactor)).all()) + str(session.exec(select(RecoveryCode)).all())
        told = str(session.exec(select(AuditEntry)).all())
        assert first_break(session) is None
    for hidden in (secret, raw.hex(), base64.urlsafe_b64encode(raw).decode(), *recovery):
        assert hidden not in kept
        assert hidden not in told
        assert hidden.replace("-", "") not in kept


def test_a_sealed_secret_that_is_moved_to_another_account_does_not_open(
    client: TestClient, service: Service
) -> None:
    from models.sealing import BrokenSeal

    sign_in(client, "wang")
    secret, _ = enrol(client, service)
    with service.database.transaction() as session:
        row = session.exec(select(SecondFactor)).one()
        row.account_id = account_id(service, "boss")
        session.add(row)
    with pytest.raises(BrokenSeal), service.database.transaction() as session:
        second_factor.verify(
            session, service.keys, account_id(service, "boss"), app_code(secret, service, 1), service.clock()
        )


def test_an_enrolment_counts_only_once_it_is_confirmed(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    first = client.post("/v1/me/second-factor").json()
    assert client.post("/v1/me/second-factor").json() == first
    wrong = client.post("/v1/me/second-factor/confirm", json={"code": "000000"})
    assert code(wrong) == (401, "wrong_code")
    with client_of(service) as later:
        sign_in(later, "wang")
        assert later.get("/v1/reviews").status_code == 200


def test_whoever_has_one_cannot_enrol_another(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    enrol(client, service)
    assert code(client.post("/v1/me/second-factor")) == (409, "second_factor_exists")


@pytest.mark.parametrize(
    ("key", "place", "login", "asked"),
    [
        ("second_factor_officers", "gd", "wang", True),
        ("second_factor_officers", "gd/dongguan", "wang", True),
        ("second_factor_officers", "gd/foshan", "wang", False),
        ("second_factor_administrators", "gd", "wang", False),
        ("second_factor_administrators", "gd", "boss", True),
    ],
)
def test_a_setting_asks_for_it_by_role_and_place(
    client: TestClient, service: Service, key: str, place: str, login: str, *, asked: bool
) -> None:
    sign_in(client, "boss")
    body = {"key": key, "value": 1, "organisation": place, "reason": "安全要求"}
    assert client.post("/v1/settings", json=body).status_code == 201
    with client_of(service) as later:
        sign_in(later, login)
        assert later.get("/v1/me").json()["owes_enrolment"] == asked
        wanted = "/v1/demands" if login == "wang" else "/v1/accounts"
        answer = later.get(wanted)
        if not asked:
            assert answer.status_code == 200
            return
        assert code(answer) == (403, "enrolment_needed")
        assert later.get("/audit").headers["location"] == "/second-factor/enrol"
        enrol(later, service)
        assert later.get(wanted).status_code == 200


def test_a_county_does_not_switch_off_what_its_province_asks_for(
    client: TestClient, service: Service
) -> None:
    sign_in(client, "boss")
    for place, value in (("gd", 1), ("gd/dongguan", 0)):
        body = {"key": "second_factor_officers", "value": value, "organisation": place, "reason": "试"}
        assert client.post("/v1/settings", json=body).status_code == 201
    with client_of(service) as later:
        sign_in(later, "wang")
        assert later.get("/v1/me").json()["owes_enrolment"] is True
    body = {"key": "second_factor_officers", "value": 0, "organisation": "gd", "reason": "试"}
    client.post("/v1/settings", json=body)
    with client_of(service) as later:
        sign_in(later, "wang")
        assert later.get("/v1/me").json()["owes_enrolment"] is False


def test_an_administrator_resets_it_with_a_reason_and_every_session_ends(
    client: TestClient, service: Service
) -> None:
    sign_in(client, "wang")
    enrol(client, service)
    wang = account_id(service, "wang")
    with client_of(service) as boss:
        sign_in(boss, "boss")
        assert boss.get(f"/v1/accounts/{wang}").json()["second_factor"] is True
        reset = boss.delete(f"/v1/accounts/{wang}/second-factor", params={"reason": "手机丢失"})
        assert reset.status_code == 204
        assert code(boss.delete(f"/v1/accounts/{wang}/second-factor")) == (409, "no_second_factor")
        own = boss.delete(f"/v1/accounts/{account_id(service, 'boss')}/second-factor")
        assert code(own) == (409, "own_account")
    assert code(client.get("/v1/me")) == (401, "session_ended")
    sign_in(client, "wang")
    assert client.get("/v1/reviews").status_code == 200
    with service.database.reading() as session:
        assert session.exec(select(RecoveryCode)).all() == []
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "second_factor.reset")).one()
        assert (entry.subject, entry.details) == (wang, {"reason": "手机丢失"})


def test_a_console_session_enrols_and_gives_its_code_without_a_script(
    client: TestClient, service: Service
) -> None:
    sign_in(client, "wang")
    page = client.get("/second-factor/enrol").text
    assert "<svg" in page
    assert "style=" not in page
    secret = "".join(re.search(r'class="secret">([A-Z2-7 ]+)<', page).group(1).split())  # type: ignore[union-attr]
    wrong = client.post("/second-factor/enrol", data={"code": "000000"})
    assert wrong.status_code == 422
    assert secret[:4] in wrong.text
    done = client.post("/second-factor/enrol", data={"code": app_code(secret, service)})
    assert done.status_code == 200
    recovery = re.findall(r'class="secret">([a-z0-9-]{14})<', done.text)
    assert len(recovery) == 10
    assert client.get("/sessions").status_code == 200
    with client_of(service) as later:
        sign_in(later, "wang")
        assert later.get("/").headers["location"] == "/second-factor"
        refused = later.post("/second-factor", data={"code": "000000", "next": "/demands"})
        assert refused.status_code == 422
        assert "验证码不对" in refused.text
        given = later.post("/second-factor", data={"code": recovery[0], "next": "/demands"})
        assert (given.status_code, given.headers["location"]) == (303, "/demands")
        assert later.get("/demands").status_code == 200


def test_new_recovery_codes_need_a_code_and_end_the_old_ones(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    secret, old = enrol(client, service)
    assert client.post("/second-factor/codes", data={"code": "000000"}).status_code == 401
    service.clock.turn(minutes=1)  # type: ignore[attr-defined]
    page = client.post("/second-factor/codes", data={"code": app_code(secret, service)})
    new = re.findall(r'class="secret">([a-z0-9-]{14})<', page.text)
    assert len(new) == 10
    with client_of(service) as later:
        sign_in(later, "wang")
        assert code(give(later, old[0])) == (401, "wrong_code")
        assert give(later, new[0]).status_code == 200


def test_a_session_that_gave_its_code_keeps_its_absolute_limit(client: TestClient, service: Service) -> None:
    sign_in(client, "wang")
    with service.database.reading() as session:
        before = session.exec(select(SignIn.expires_at)).one()
    service.clock.turn(minutes=30)  # type: ignore[attr-defined]
    enrol(client, service)
    with service.database.reading() as session:
        after = session.exec(select(SignIn).where(SignIn.revoked_at == None)).one()  # noqa: E711 - a column
    assert after.expires_at == before
