"""Auditors narrow the log, take it away, and see nothing beyond their places."""

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.audit_log import AuditFilter, row_of
from api.commands.audit import app
from models import audit, guards
from models.anchor import anchor_due
from models.audit import AuditEntry
from models.database import Database
from models.errors import InvalidInput
from models.vocabulary import Role
from tests.support.services import client_of, make_account, make_service, plant, sign_in

ENTRIES: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    ("account:a", "post.decided", "post:1", "gd/dongguan", {"action": "remove"}),
    ("account:b", "post.viewed", "post:1", "gd/dongguan", {}),
    ("account:b", "setting.changed", "demand_min_authors", "gd/foshan", {"value": 6, "reason": "=1+1"}),
    ("command:x", "account.created", "target", "", {"login": "wang", "role": "officer"}),
)


@pytest.fixture(autouse=True)
def log(database: Database, now: datetime) -> None:
    plant(database, now)
    with database.transaction() as session:
        for day, (actor, action, subject, place, details) in enumerate(ENTRIES):
            audit.record(
                session,
                now + timedelta(days=day),
                actor=actor,
                action=action,
                subject=subject,
                organisation=place,
                details=details,
            )
    for login, place in (("above", "gd"), ("own", "gd/dongguan")):
        make_account(database, now, login, (Role.AUDITOR, place))


def exported(database: Database, now: datetime, login: str, address: str) -> str:
    with client_of(make_service(database, now)) as client:
        sign_in(client, login)
        answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def actions(text: str) -> list[str]:
    return [json.loads(line)["action"] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("action=post.", {"post.decided", "post.viewed"}),
        ("actor=account:b", {"post.viewed", "setting.changed"}),
        ("subject=post:1&since=2026-03-17", {"post.viewed"}),
        ("until=2026-03-16&action=post", {"post.decided"}),
        ("organisation=gd/foshan&action=setting", {"setting.changed"}),
        ("action=%25", set()),
    ],
)
def test_an_auditor_finds_what_is_looked_for(
    database: Database, now: datetime, sought: str, found: set[str]
) -> None:
    assert set(actions(exported(database, now, "above", f"/audit/export?format=jsonl&{sought}"))) == found


def test_an_auditor_of_a_place_sees_that_place_and_nothing_else(database: Database, now: datetime) -> None:
    text = exported(database, now, "own", "/audit/export?format=jsonl")
    places = {json.loads(line)["organisation"] for line in text.splitlines()}
    assert places == {"gd/dongguan", "gd/dongguan/houjie"}
    page = exported(database, now, "own", "/audit")
    assert "post.decided" in page
    assert "setting.changed" not in page


def test_an_export_chains_and_is_itself_on_the_log(database: Database, now: datetime) -> None:
    text = exported(database, now, "above", "/audit/export?format=jsonl")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["previous"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]
    assert "audit.exported" in actions(exported(database, now, "above", "/audit/export?format=jsonl"))


def test_a_table_runs_no_formula_and_names_nobody(database: Database, now: datetime) -> None:
    text = exported(database, now, "above", "/audit/export?format=csv")
    rows = {row["action"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["setting.changed"]["reason"] == "'=1+1"
    assert "wang" not in text
    assert json.loads(rows["account.created"]["redacted"]) == ["login"]
    assert json.loads(rows["account.created"]["details"]) == {"role": "officer"}


def test_an_unclear_search_shows_everything_and_says_so(database: Database, now: datetime) -> None:
    page = exported(database, now, "above", "/audit?since=yesterday")
    assert "查找条件没有填对" in page
    assert "post.decided" in page
    with pytest.raises(InvalidInput):
        AuditFilter.read({"since": "2026-13-01"})
    with pytest.raises(InvalidInput):
        AuditFilter.read({"actor": "a" * 200})


def test_a_row_leaves_out_what_could_name_a_person(now: datetime) -> None:
    entry = AuditEntry(
        sequence=1,
        at=now,
        actor="author",
        action="x",
        subject="y",
        details={"name": "王", "text": "原文", "reason": "复核"},
        previous="",
        hash="",
    )
    row = row_of(entry)
    assert row["redacted"] == ["name", "text"]
    assert row["reason"] == "复核"
    assert "王" not in str(row)


def test_the_command_verifies_anchors_and_exports(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TINGJIAN_DATABASE_URL", database.url)
    monkeypatch.setenv("TINGJIAN_SECRET", "a secret for tests, long enough to be one")
    anchor_due(database, now)
    run = CliRunner()

    kept = run.invoke(app, ["anchors"])
    (tmp_path / "anchors.json").write_text(kept.stdout)
    whole = run.invoke(app, ["verify", "--anchors", str(tmp_path / "anchors.json")])
    assert whole.exit_code == 0, whole.output
    assert "of them as they were published" in whole.output

    file = tmp_path / "log.csv"
    assert run.invoke(app, ["export", "--format", "csv", "--out", str(file)]).exit_code == 0
    assert "post.decided" in file.read_text()

    with database.engine.begin() as connection:
        guards.lift(connection)
        connection.exec_driver_sql("UPDATE auditentry SET actor = 'account:c' WHERE sequence = 2")
    broken = run.invoke(app, ["verify"])
    assert broken.exit_code == 1
    assert "broken at entry 2" in broken.output
