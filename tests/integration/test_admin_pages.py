"""The administrators' pages: what each form does, what stands on the audit log, and what is shown once."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from alerts.settings import AlertsSettings
from api.wiring import Service
from models.account import Account, ApiKey, Grant
from models.audit import AuditEntry, first_break
from models.database import Database
from models.demand import Setting
from models.outbox import OutboxMessage, WebhookEndpoint
from models.vocabulary import Role
from tests.support.services import client_of, make_account, make_service, plant, sign_in

WHY = {"reason": "人员调整"}


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    plant(database, now)
    make_account(database, now, "boss", (Role.ADMINISTRATOR, "gd"))
    make_account(database, now, "chief", (Role.ADMINISTRATOR, "gd/dongguan"))
    make_account(database, now, "wang", (Role.OFFICER, "gd/dongguan"))
    make_account(database, now, "zhou", (Role.OFFICER, "gd/foshan"))
    service = make_service(database, now)
    service.alerts = AlertsSettings(allow_private=True)
    return service


@pytest.fixture
def chief(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        sign_in(client, "chief")
        yield client


def newest(service: Service, action: str) -> AuditEntry:
    with service.database.reading() as session:
        assert first_break(session) is None
        return session.exec(select(AuditEntry).where(AuditEntry.action == action)).all()[-1]


def account(service: Service, login: str) -> str:
    with service.database.reading() as session:
        return session.exec(select(Account.id).where(Account.login == login)).one()


def shown_once(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(re.search(r'class="secret"><bdi>([^<]+)<', answer.text).group(1))  # type: ignore[union-attr]


def test_an_account_is_made_with_a_role_and_its_password_is_shown_once(
    chief: TestClient, service: Service
) -> None:
    made = chief.post(
        "/accounts",
        data={"login": "li", "name": "李", "role": "officer", "organisation": "gd/dongguan/houjie", **WHY},
    )
    password = shown_once(made)
    assert password not in chief.get(f"/accounts/{account(service, 'li')}").text
    with client_of(service) as li:
        sign_in(li, "li", password)
        assert li.get("/queue").headers["location"] == "/password"
    assert newest(service, "account.created").details == WHY
    assert newest(service, "role.granted").details == {"role": "officer", **WHY}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/accounts", {"login": "li", "name": "李", "role": "officer", "organisation": "gd/dongguan"}),
        ("/accounts/{wang}/lock", {}),
        ("/accounts/{wang}/password", {}),
        ("/accounts/{wang}/grant", {"role": "auditor", "organisation": "gd/dongguan"}),
        ("/accounts/{wang}/email", {"email": "wang@example.cn"}),
        ("/keys", {"source": "forum", "organisation": "gd/dongguan", "scope": "posts:read"}),
        ("/webhooks", {"url": "http://127.0.0.1:9/in", "organisation": "gd/dongguan"}),
        ("/settings", {"key": "demand_min_authors", "value": "20", "organisation": "gd/dongguan"}),
    ],
)
@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_changes_without_a_reason(
    chief: TestClient, service: Service, path: str, form: dict[str, str], reason: str
) -> None:
    with service.database.reading() as session:
        before = len(session.exec(select(AuditEntry)).all())
    answer = chief.post(path.format(wang=account(service, "wang")), data={**form, "reason": reason})
    assert answer.status_code == 422
    assert "变更需要写明理由" in answer.text
    with service.database.reading() as session:
        assert len(session.exec(select(AuditEntry)).all()) == before


def test_an_account_is_locked_unlocked_and_reset(chief: TestClient, service: Service) -> None:
    wang = account(service, "wang")
    with client_of(service) as session_of_wang:
        sign_in(session_of_wang, "wang")
        assert chief.post(f"/accounts/{wang}/lock", data=WHY).status_code == 303
        assert session_of_wang.get("/v1/me").status_code == 401
    assert newest(service, "account.disabled").details == WHY
    assert "已锁定" in chief.get(f"/accounts/{wang}").text
    assert chief.post(f"/accounts/{wang}/unlock", data=WHY).status_code == 303
    password = shown_once(chief.post(f"/accounts/{wang}/password", data=WHY))
    with client_of(service) as again:
        sign_in(again, "wang", password)


def test_roles_are_given_and_taken(chief: TestClient, service: Service) -> None:
    wang = account(service, "wang")
    form = {"role": "auditor", "organisation": "gd/dongguan", **WHY}
    assert chief.post(f"/accounts/{wang}/grant", data=form).status_code == 303
    with service.database.reading() as session:
        row = session.exec(select(Grant).where(Grant.account_id == wang, Grant.role == Role.AUDITOR)).one()
    assert chief.post(f"/accounts/{wang}/ungrant", data={"grant": row.id, **WHY}).status_code == 303
    assert newest(service, "role.revoked").details == {"role": "auditor", **WHY}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/accounts", {"login": "li", "name": "李", "role": "officer", "organisation": "gd/foshan"}),
        ("/accounts", {"login": "li", "name": "李", "role": "administrator", "organisation": "gd"}),
        ("/accounts/{zhou}/lock", {}),
        ("/accounts/{boss}/password", {}),
        ("/accounts/{wang}/grant", {"role": "officer", "organisation": "gd/foshan"}),
        ("/keys", {"source": "forum", "organisation": "gd/foshan", "scope": "posts:read"}),
        ("/webhooks", {"url": "http://127.0.0.1:9/in", "organisation": "gd/foshan"}),
        ("/settings", {"key": "demand_min_authors", "value": "20", "organisation": "gd"}),
    ],
)
def test_an_administrator_of_a_city_reaches_no_sibling_and_nothing_above(
    chief: TestClient, service: Service, path: str, form: dict[str, str]
) -> None:
    names = {login: account(service, login) for login in ("wang", "zhou", "boss")}
    answer = chief.post(path.format(**names), data={**form, **WHY})
    assert answer.status_code in {403, 404}, answer.text
    with service.database.reading() as session:
        assert session.exec(select(ApiKey)).all() == []
        assert session.exec(select(Setting)).all() == []
        assert session.exec(select(WebhookEndpoint)).all() == []
        assert session.exec(select(Account).where(Account.login == "li")).all() == []


def test_the_forms_offer_the_places_that_one_manages_and_no_other(chief: TestClient) -> None:
    for path in ("/accounts", "/keys", "/webhooks", "/settings"):
        page = chief.get(path).text
        assert 'value="gd/dongguan/houjie"' in page, path
        assert 'value="gd/foshan"' not in page, path
        assert 'value="gd"' not in page, path


def test_a_key_is_shown_once_works_and_is_revoked(chief: TestClient, service: Service) -> None:
    form = {"source": "forum", "name": "论坛", "organisation": "gd/dongguan", "scope": "posts:read", **WHY}
    key = shown_once(chief.post("/keys", data=form))
    bearer = {"authorization": f"Bearer {key}"}
    with client_of(service) as platform:
        identifier = platform.get("/v1/me", headers=bearer).json()["id"]
        page = chief.get("/keys").text
        assert key not in page
        assert "论坛" in page
        assert chief.post(f"/keys/{identifier}/revoke", data=WHY).status_code == 303
        assert platform.get("/v1/me", headers=bearer).status_code == 401
    assert newest(service, "key.revoked").details == {"source": "forum", **WHY}


def test_an_endpoint_is_made_tested_given_a_new_secret_and_disabled(
    chief: TestClient, service: Service
) -> None:
    form = {"url": "http://127.0.0.1:9/in", "organisation": "gd/dongguan", "topic": "event.reported", **WHY}
    first = shown_once(chief.post("/webhooks", data=form))
    with service.database.reading() as session:
        identifier = session.exec(select(WebhookEndpoint.id)).one()
    assert chief.post(f"/webhooks/{identifier}/test").status_code == 303
    second = shown_once(chief.post(f"/webhooks/{identifier}/rotate", data=WHY))
    assert first != second
    with service.database.reading() as session:
        assert session.exec(select(WebhookEndpoint.secret)).one() == second
        assert len(session.exec(select(OutboxMessage)).all()) == 1
    page = chief.get("/webhooks").text
    assert second not in page
    assert "接收地址测试" in page
    assert newest(service, "webhook.secret_rotated").details == WHY
    topics = {"topic": ["duty.gap", "clock.called"], **WHY}
    assert chief.post(f"/webhooks/{identifier}/topics", data=topics).status_code == 303
    assert newest(service, "webhook.topics_changed").details == WHY | {
        "before": ["event.reported"],
        "after": ["clock.called", "duty.gap"],
    }
    assert 'value="duty.gap" checked' in chief.get("/webhooks").text
    assert chief.post(f"/webhooks/{identifier}/disable", data=WHY).status_code == 303
    assert "127.0.0.1:9" not in chief.get("/webhooks").text


def test_a_setting_shows_who_changed_it_and_why(chief: TestClient, service: Service) -> None:
    form = {"key": "second_factor_officers", "value": "1", "organisation": "gd/dongguan", **WHY}
    assert chief.post("/settings", data=form).status_code == 303
    page = chief.get("/settings").text
    assert "工作人员需要两步验证" in page
    assert "chief" in page
    assert WHY["reason"] in page
    for value in ("4", "many", ""):
        refused = chief.post(
            "/settings",
            data={"key": "demand_min_authors", "value": value, "organisation": "gd/dongguan", **WHY},
        )
        assert refused.status_code == 422, value
    with service.database.reading() as session:
        assert len(session.exec(select(Setting)).all()) == 1


def test_an_auditor_sees_the_pages_and_no_form(service: Service, database: Database, now: datetime) -> None:
    make_account(database, now, "auditor", (Role.AUDITOR, "gd"))
    with client_of(service) as client:
        sign_in(client, "auditor")
        for path in ("/accounts", f"/accounts/{account(service, 'wang')}", "/keys", "/webhooks", "/settings"):
            page = client.get(path)
            assert page.status_code == 200
            assert set(re.findall(r'method="post" action="([^"]+)"', page.text)) == {"/language", "/sign-out"}
