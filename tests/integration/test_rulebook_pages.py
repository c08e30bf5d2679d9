"""The rulebook over HTTP and in the console: who sees what, from a back-test to a promotion and back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.rules import base_of
from api.wiring import Service
from models.audit import AuditEntry
from models.database import Database
from models.rulebook import Backtest
from models.vocabulary import Action, Category, Role, RuleState, Verdict
from moderation import automation, backtest
from moderation.editions import Change
from moderation.intake import take
from moderation.policy import Proof
from moderation.proposals import Proposal, ProposalKind
from moderation.switching import switch
from tests.support import deciding, posting, services
from tests.support.bundles import WrittenBundle
from tests.support.rulebooks import pack_text, rule, running

SALE = "招代理了，有意的来"
DIET = "独家祖传秘方包瘦十斤"
HARMLESS = "图书馆周末几点开门"
CANDIDATE = pack_text(rule(id="operator.diet", any=["祖传秘方"], tests={"hit": [DIET]}))
OPINION = pack_text(rule(id="operator.calm", any=["上访"], tests={"hit": ["上访"]}))


@pytest.fixture
def service(database: Database, tmp_path: Path, now: datetime) -> Service:
    made = services.make_service(database, now)
    secret = rule(id="spam.secret", public=False, any=["密语"], tests={"hit": ["密语"]})
    made.screener = running(
        database,
        tmp_path,
        rule(action="remove"),
        secret,
        bundle=WrittenBundle(),
        proven={"spam.test": Proof(0.985, "the calibration set")},
    )
    with database.transaction() as session:
        posting.plant(session, now)
    for role, place in (
        (Role.ADMINISTRATOR, "gd"),
        (Role.ADMINISTRATOR, "gd/dongguan"),
        (Role.OFFICER, "gd/dongguan"),
        (Role.OFFICER, "gd/foshan"),
        (Role.AUDITOR, "gd"),
    ):
        services.make_account(database, now, f"{role.value}-{place.replace('/', '-')}", (role, place))
    drafts = [
        posting.a_draft(now, external_id=str(number), author=f"u{number}", text=text)
        for number, text in enumerate([DIET, HARMLESS, DIET])
    ]
    taken = take(database, made.screener, drafts, caller=posting.CALLER, keys=posting.KEYS, now=now)
    with database.transaction() as session:
        assert taken[0].answer is not None
        deciding.decide(session, taken[0].answer.id, Action.REMOVE, now)
    return made


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with services.client_of(service) as client:
        yield client


def as_(client: TestClient, login: str) -> TestClient:
    client.cookies.clear()
    client.headers.pop("x-csrf-token", None)
    services.sign_in(client, login)
    return client


ADMIN, TOWN, OFFICER, OTHER, AUDITOR = (
    "administrator-gd",
    "administrator-gd-dongguan",
    "officer-gd-dongguan",
    "officer-gd-foshan",
    "auditor-gd",
)


def body(now: datetime, **given: Any) -> dict[str, Any]:
    return {
        "kind": "pack",
        "source": CANDIDATE,
        "organisation": "gd/dongguan",
        "since": (now - timedelta(days=1)).isoformat(),
        "until": (now + timedelta(days=1)).isoformat(),
        "reason": "people complain",
        **given,
    }


def work(service: Service) -> None:
    while backtest.backtest_due(service.database, base_of(service), service.clock).run is not None:
        pass


def ran(client: TestClient, service: Service, now: datetime, **given: Any) -> str:
    answer = client.post("/v1/backtests", json=body(now, **given))
    assert answer.status_code == 202, answer.text
    work(service)
    return str(answer.json()["id"])


def test_a_back_test_is_started_read_promoted_and_rolled_back_over_http(
    client: TestClient, service: Service, now: datetime
) -> None:
    run = ran(as_(client, OFFICER), service, now)
    found = client.get(f"/v1/backtests/{run}").json()
    assert (found["state"], found["figures"]["hits"], found["figures"]["confirmed"]) == ("done", 2, 1)
    assert [one["text"] for one in client.get(f"/v1/backtests/{run}/sample").json()] == [DIET, DIET]
    assert (
        client.post(f"/v1/backtests/{run}:switch", json={"state": "active", "reason": "x"}).status_code == 403
    )

    as_(client, ADMIN)
    made = client.post(f"/v1/backtests/{run}:switch", json={"state": "active", "reason": "precise"})
    assert (made.status_code, made.json()["action"], made.json()["reason"]) == (
        200,
        "pack.promoted",
        "precise",
    )
    assert service.screener is not None
    assert service.screener.refresh().screen([DIET])[0].verdict is Verdict.HOLD  # type: ignore[attr-defined]
    public = {one["id"]: one for one in client.get("/v1/public/rules").json()}
    assert public["operator.diet"]["state"] == "active"

    back = client.post("/v1/editions:rollback", json={"reason": "too wide"})
    assert (back.status_code, back.json()["action"]) == (200, "rulebook.rolled_back")
    assert service.screener.refresh().screen([DIET])[0].verdict is Verdict.PUBLISH  # type: ignore[attr-defined]
    assert [one["number"] for one in client.get("/v1/editions").json()] == [2, 1]


def test_every_rule_is_public_with_its_state_hits_and_error_rate(
    client: TestClient, service: Service, now: datetime
) -> None:
    sent = posting.send(service.database, now, screener=service.screener, external_id="s", text=SALE)  # type: ignore[arg-type]
    with service.database.transaction() as session:
        deciding.decide(session, sent.answer.id, Action.REMOVE, now)  # type: ignore[union-attr]

    public = {one["id"]: one for one in client.get("/v1/public/rules").json()}
    as_(client, AUDITOR)
    audited = {one["id"]: one for one in client.get("/v1/rules").json()}

    one = public["spam.test"]
    assert (one["hits"], one["reviewed"], one["error_rate"], one["removes"]) == (1, 1, 0.0, True)
    assert one["error_low"] == 0.0
    assert 0.5 < one["error_high"] < 1.0
    assert (public["spam.secret"]["terms"], audited["spam.secret"]["terms"]) == (None, ["密语"])


def test_a_rule_is_changed_over_http_by_an_administrator_of_the_whole_tree_alone(
    client: TestClient, service: Service
) -> None:
    def put(state: str, login: str) -> int:
        as_(client, login)
        sent = {"state": state, "reason": "a test"}
        return int(client.post("/v1/rules/spam.test/state", json=sent).status_code)

    assert [put("retired", login) for login in (OFFICER, AUDITOR, TOWN)] == [403, 403, 403]
    assert put("retired", ADMIN) == 200
    assert put("retired", ADMIN) == 409
    assert (
        client.post("/v1/rules/spam.none/state", json={"state": "retired", "reason": "x"}).status_code == 404
    )
    sent = client.post("/v1/rules/spam.test/proof", json={"reason": "x"})
    assert (sent.status_code, sent.json()["code"]) == (422, "never_removes")
    with service.database.reading() as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "rule.retired")).one()
    assert entry.details == {"edition": 1, "reason": "a test", "from": "active", "to": "retired"}


def test_what_cannot_be_used_is_answered_with_file_line_and_reason(
    client: TestClient, service: Service, now: datetime
) -> None:
    as_(client, ADMIN)
    broken = client.post("/v1/backtests", json=body(now, source=CANDIDATE.replace("C1", "C2")))
    run = ran(client, service, now, source=OPINION)
    refused = client.post(f"/v1/backtests/{run}:switch", json={"state": "shadow", "reason": "x"})

    assert (broken.status_code, broken.json()["code"]) == (422, "rulebook_refused")
    assert "proposal.yaml:4: rule operator.diet" in broken.json()["detail"]
    assert client.get(f"/v1/backtests/{run}").json()["state"] == "failed"
    assert refused.status_code == 422
    assert "operator.yaml:4: rule operator.calm acts on" in refused.json()["detail"]
    assert client.get("/v1/editions").json() == []


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "rule"},
        {"kind": "pack", "source": ""},
        {"kind": "bands"},
        {"kind": "bundle", "bundle": "../../etc"},
        {"organisation": "gd/nowhere"},
        {"since": "2026-03-01T00:00:00"},
        {"until": "2020-03-01T00:00:00Z"},
    ],
)
def test_a_back_test_that_says_too_little_is_refused(
    client: TestClient, now: datetime, given: dict[str, Any]
) -> None:
    as_(client, ADMIN)

    assert client.post("/v1/backtests", json=body(now, **given)).status_code in {403, 422}


def test_a_run_and_its_sample_stay_within_the_tree(
    client: TestClient, service: Service, now: datetime
) -> None:
    run = ran(as_(client, OFFICER), service, now)

    as_(client, OTHER)
    assert client.get("/v1/backtests").json() == []
    for path in (f"/v1/backtests/{run}", f"/v1/backtests/{run}/sample", f"/rulebook/backtests/{run}"):
        assert client.get(path).status_code == 404
    assert client.post(f"/v1/backtests/{run}:cancel").status_code == 404
    assert client.post("/v1/backtests", json=body(now)).status_code == 403


def test_small_counts_of_a_place_are_coarse_for_who_reads_no_posts(
    client: TestClient, service: Service, now: datetime
) -> None:
    run = ran(as_(client, TOWN), service, now)
    found = client.get(f"/v1/backtests/{run}").json()["figures"]

    assert (found["hits"], found["changes"], found["precision"]) == ("<5", {"publish>hold": "<5"}, None)
    assert client.get(f"/v1/backtests/{run}/sample").status_code == 403
    page = client.get(f"/rulebook/backtests/{run}")
    assert page.status_code == 200
    assert "祖传秘方包瘦" not in page.text


def test_a_waiting_run_is_cancelled(client: TestClient, service: Service, now: datetime) -> None:
    as_(client, OFFICER)
    run = client.post("/v1/backtests", json=body(now)).json()["id"]

    assert client.post(f"/v1/backtests/{run}:cancel").status_code == 204
    work(service)
    assert client.get(f"/v1/backtests/{run}").json()["state"] == "cancelled"
    assert client.post(f"/v1/backtests/{run}:cancel").status_code == 409


def test_the_pages_lead_from_a_back_test_to_a_promotion_and_back(
    client: TestClient, service: Service, now: datetime
) -> None:
    services.make_account(service.database, now, "both", (Role.ADMINISTRATOR, "gd"), (Role.OFFICER, "gd"))
    as_(client, "both")
    day = f"{now:%Y-%m-%d}"
    form = {
        "kind": "pack",
        "source": CANDIDATE,
        "organisation": "gd",
        "since": day,
        "until": day,
        "reason": "试一试",
    }
    started = client.post("/rulebook/backtests", data=form)
    address = started.headers["location"]
    assert 'hx-trigger="every 1s"' in client.get(address).text
    work(service)
    result = client.get(address).text
    assert "hx-trigger" not in result
    assert "<mark>祖传秘方</mark>" in result
    assert "50.0%" not in result
    assert "100.0%" in result

    promoted = client.post(address, data={"to": "active", "reason": "够准"})
    assert promoted.headers["location"] == f"{address}?done=rule_changed"
    assert service.screener is not None
    assert service.screener.screen([DIET])[0].verdict is Verdict.HOLD
    assert "operator.diet" in client.get("/rulebook").text
    assert client.get("/rulebook/rules/operator.diet").status_code == 200
    assert "够准" in client.get("/rulebook/editions").text
    client.post("/rulebook/rules/operator.diet", data={"to": "shadow", "reason": "再看看"})
    assert service.screener.screen([DIET])[0].verdict is Verdict.PUBLISH
    client.post("/rulebook/editions", data={"number": "0", "reason": "回到文件"})
    assert "operator.diet" not in client.get("/rulebook").text


def test_a_page_shows_what_the_door_refuses(client: TestClient, service: Service, now: datetime) -> None:
    as_(client, ADMIN)
    day = f"{now:%Y-%m-%d}"
    form = {
        "kind": "pack",
        "source": "rules: [",
        "organisation": "gd",
        "since": day,
        "until": day,
        "reason": "x",
    }
    broken = client.post("/rulebook/backtests", data=form)
    assert (broken.status_code, "proposal.yaml:2" in broken.text) == (422, True)
    assert "rules: [" in broken.text

    started = client.post("/rulebook/backtests", data={**form, "source": OPINION})
    work(service)
    address = started.headers["location"]
    assert "operator.yaml:4: rule operator.calm acts on" in client.get(address).text
    refused = client.post(address, data={"to": "active", "reason": "x"})
    assert (refused.status_code, "operator.calm" in refused.text) == (422, True)
    assert client.post(address, data={"to": "active", "reason": " "}).status_code == 422
    assert client.post("/rulebook/rules/spam.test", data={"to": "sideways", "reason": "x"}).status_code == 422
    assert client.post("/rulebook/rules/spam.test", data={"to": "proof", "reason": "x"}).status_code == 409
    assert client.get("/rulebook/rules/spam.none").status_code == 404


def test_a_demotion_is_shown_until_somebody_has_seen_it(
    client: TestClient, service: Service, now: datetime
) -> None:
    found = [
        posting.send(service.database, now, screener=service.screener, external_id=f"d{n}", text=SALE)  # type: ignore[arg-type]
        for n in range(2)
    ]
    with service.database.transaction() as session:
        for one in found:
            deciding.decide(session, one.answer.id, Action.PUBLISH, now)  # type: ignore[union-attr]
    automation.review_due(service.database, base_of(service).policy, now)
    service.screener.refresh()  # type: ignore[union-attr]

    as_(client, ADMIN)
    (notice,) = client.get("/v1/rule-notices").json()
    page = client.get("/rulebook").text
    assert notice["text"] in page
    assert "已自动降级" in client.get("/rulebook/rules/spam.test").text
    public = {one["id"]: one for one in client.get("/v1/public/rules").json()}
    assert (public["spam.test"]["removes"], public["spam.test"]["demoted"]) == (
        False,
        "0.9685 < 0.98, 2026-03-16",
    )
    assert client.post(f"/rulebook/notices/{notice['id']}").status_code == 303
    assert client.get("/v1/rule-notices").json() == []
    as_(client, OFFICER)
    assert client.get("/rulebook").status_code == 200
    assert client.get("/v1/rule-notices").status_code == 403


def test_an_officer_reads_the_rules_and_tries_without_changing(
    client: TestClient, service: Service, now: datetime
) -> None:
    switch(
        service.database,
        base_of(service),
        Proposal(ProposalKind.RULE, rule="spam.test"),
        RuleState.SHADOW,
        Change("account:tester", "a test", now),
    )
    posting.send(service.database, now, screener=service.screener.refresh(), external_id="t", text=SALE)  # type: ignore[union-attr]
    as_(client, OFFICER)

    page = client.get("/rulebook/rules/spam.test").text
    assert "发布 → 移除" in page
    assert 'name="to"' not in page
    assert "密语" not in client.get("/rulebook/rules/spam.secret").text
    assert client.get("/rulebook?state=shadow").text.count("/rulebook/rules/") == 1
    assert client.get("/rulebook/backtests?rule=spam.test").status_code == 200
    assert client.post("/rulebook/rules/spam.test", data={"to": "active", "reason": "x"}).status_code == 403


def test_thresholds_and_bundles_are_tried_from_the_page(
    client: TestClient, service: Service, now: datetime
) -> None:
    as_(client, ADMIN)
    day = f"{now:%Y-%m-%d}"
    shared = {"organisation": "gd", "since": day, "until": day, "reason": "x"}
    bands = {**shared, "kind": "bands", "category": "spam", "review": "0.7", "with_signal": ""}
    assert client.post("/rulebook/backtests", data=bands).status_code == 303
    with service.database.reading() as session:
        (run,) = session.exec(select(Backtest)).all()
    assert Proposal.of(run.proposal).bands == {Category.SPAM: (0.7, 0.7)}
    assert client.post("/rulebook/backtests", data={**bands, "review": "much"}).status_code == 422
    assert client.post("/rulebook/backtests", data={**bands, "kind": "everything"}).status_code == 422
    assert client.post("/rulebook/backtests", data={**bands, "since": "yesterday"}).status_code == 422
    assert (
        client.post("/rulebook/backtests", data={**shared, "kind": "bundle", "bundle": "x"}).status_code
        == 422
    )
