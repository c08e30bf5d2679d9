"""A statement of reasons is proven offline against a published anchor, and no change stays hidden."""

import copy
import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from models import anchor, audit, guards
from models.anchor import AuditAnchor, anchor_due
from models.audit import AuditEntry, AuditHead, entry_hash
from models.database import Database
from models.review import Statement
from models.vocabulary import Action, Category
from moderation import leases, review
from tests.support import posting
from tests.support.posting import OFFICER, send
from tests.support.services import Platform

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "verify_statement.py"
DAY = timedelta(days=1)


@pytest.fixture
def platform(database: Database, now: datetime) -> Platform:
    return Platform(database, now)


def removed(platform: Platform, *others: str) -> Statement:
    """Remove a post by machine, with other entries around it, and return its statement."""
    for number, text in enumerate(["今天天气不错加薇", "刷单日结", *others]):
        send(platform.database, platform.clock.now, external_id=f"p{number}", text=text)
    with platform.database.reading() as session:
        return session.exec(select(Statement)).all()[0]


def checked(tmp_path: Path, proof: Any, anchors: Any) -> subprocess.CompletedProcess[str]:
    """Run the script as somebody does who has Python and nothing else."""
    for name, content in (("proof.json", proof), ("anchors.json", anchors)):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    files = [str(path) for path in (SCRIPT, tmp_path / "proof.json", tmp_path / "anchors.json")]
    command = [sys.executable, "-I", "-S", *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_proof_holds_offline_and_nothing_changed_in_it_does(platform: Platform, tmp_path: Path) -> None:
    statement = removed(platform, *[f"刷单第{number}条" for number in range(9)])
    platform.clock.turn(days=1)
    anchor_due(platform.database, platform.clock.now)

    proof = platform.nobody.get(f"/v1/statements/{statement.token}/proof").json()
    anchors = platform.nobody.get("/v1/public/audit/anchors").json()

    held = checked(tmp_path, proof, anchors)
    assert held.returncode == 0, held.stdout + held.stderr
    assert statement.id in held.stdout
    for where, value in (
        (("statement", "category"), "spam"),
        (("statement", "reason"), "别的理由"),
        (("statement", "automated_decision"), False),
        (("spans",), [[0, 1]]),
        (("entry", "hash"), "0" * 64),
        (("entry", "sequence"), proof["entry"]["sequence"] + 1),
        (("path",), proof["path"][:-1]),
        (("anchor", "root"), "0" * 64),
        (("anchor", "day"), "2020-01-01"),
    ):
        forged = copy.deepcopy(proof)
        inner = forged
        for name in where[:-1]:
            inner = inner[name]
        inner[where[-1]] = value
        assert checked(tmp_path, forged, anchors).returncode == 1, where
    assert checked(tmp_path, proof, []).returncode == 1
    assert checked(tmp_path, {}, anchors).returncode == 1


def test_a_proof_names_no_officer_and_no_text(platform: Platform, now: datetime) -> None:
    send(platform.database, now, text="先加薇领资料")
    with platform.database.transaction() as session:
        opened = leases.next_task(session, ["gd"], OFFICER, now=now)
        assert opened is not None
        review.decide(
            session,
            opened.task.id,
            OFFICER,
            Action.REMOVE,
            version=opened.task.version,
            scope=["gd"],
            now=now,
            category=Category.SPAM,
            reason="推销",
        )
        (statement,) = session.exec(select(Statement)).all()
    platform.clock.turn(days=1)
    anchor_due(platform.database, platform.clock.now)

    told = platform.nobody.get(f"/v1/statements/{statement.token}/proof").text

    assert OFFICER not in told
    assert "account:" not in told
    assert "加薇" not in told


def test_a_proof_waits_for_midnight_and_outlives_a_deletion(platform: Platform, tmp_path: Path) -> None:
    statement = removed(platform)
    early = platform.nobody.get(f"/v1/statements/{statement.token}/proof")
    assert (early.status_code, early.json()["code"]) == (409, "not_anchored")
    assert "次日零点后" in platform.nobody.get(f"/statements/{statement.token}").text

    platform.clock.turn(days=1)
    anchor_due(platform.database, platform.clock.now)
    assert (
        f"/v1/statements/{statement.token}/proof"
        in platform.nobody.get(f"/statements/{statement.token}").text
    )
    assert platform.forum.delete("/v1/posts/forum/p1").status_code == 200

    proof = platform.nobody.get(f"/v1/statements/{statement.token}/proof").json()
    assert proof["spans"] is None
    assert checked(tmp_path, proof, platform.nobody.get("/v1/public/audit/anchors").json()).returncode == 0
    assert platform.nobody.get("/v1/statements/nobody/proof").status_code == 404


def test_each_day_that_is_over_has_one_anchor_and_a_quiet_day_none(platform: Platform) -> None:
    database, clock = platform.database, platform.clock
    removed(platform)
    assert anchor_due(database, clock.now).made == 1, "what was there before the first day ends is bound"
    assert anchor_due(database, clock.now).made is None
    clock.turn(days=1)
    assert anchor_due(database, clock.now).made is None, "nothing happened since"
    send(database, clock.now, external_id="later", text="刷单又来")
    assert anchor_due(database, clock.now).made == 2
    assert anchor_due(database, clock.now).made is None

    found = platform.nobody.get("/v1/public/audit/anchors").json()
    assert [one["number"] for one in found] == [1, 2]
    assert found[1]["first"] == found[0]["last"] + 1
    assert platform.nobody.get("/v1/public/audit/anchors?after=1").json() == found[1:]
    with database.reading() as session:
        assert anchor.verify(session, [anchor.Published(**_read(one)) for one in found]) is None


def _read(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"day": datetime.fromisoformat(one["day"]).date()}


@pytest.mark.parametrize("table", [AuditEntry, AuditAnchor])
@pytest.mark.parametrize("how", ["update", "delete"])
def test_the_database_refuses_to_change_or_to_remove_what_is_on_the_log(
    platform: Platform, table: Any, how: str
) -> None:
    removed(platform)
    anchor_due(platform.database, platform.clock.now)

    change = sa.update(table).values(hash="0" * 64) if how == "update" else sa.delete(table)
    with pytest.raises(IntegrityError), platform.database.transaction() as session:
        session.execute(change)

    with platform.database.reading() as session:
        assert anchor.verify(session) is None


def test_the_owner_of_the_database_is_found_out_too(platform: Platform) -> None:
    removed(platform, *[f"刷单第{number}条" for number in range(4)])
    anchor_due(platform.database, platform.clock.now)
    kept = [anchor.Published(**_read(one)) for one in platform.nobody.get("/v1/public/audit/anchors").json()]
    database = platform.database
    with database.engine.begin() as connection:
        guards.lift(connection)

    with database.transaction() as session:  # an edit, and everything after it signed anew
        previous = audit.GENESIS
        for entry in session.exec(select(AuditEntry).order_by(col(AuditEntry.sequence))).all():
            if entry.sequence == 2:
                entry.actor = "account:nobody"
            entry.previous = previous
            entry.hash = previous = entry_hash(entry)
            session.add(entry)
        head = session.exec(select(AuditHead)).one()
        head.hash = previous
        session.add(head)
    with database.reading() as session:
        assert audit.first_break(session) is None, "the chain by itself cannot tell"
        assert anchor.verify(session) is not None

    with database.transaction() as session:  # the tail taken away, with the head and the anchor
        last = session.exec(select(AuditEntry).order_by(col(AuditEntry.sequence).desc())).first()
        assert last is not None
        head = session.exec(select(AuditHead)).one()
        head.sequence, head.hash = last.sequence - 1, last.previous
        session.add(head)
        session.delete(last)
        session.delete(session.exec(select(AuditAnchor)).one())
    with database.reading() as session:
        assert anchor.verify(session) is None
        found = anchor.verify(session, kept)
    assert found is not None
    assert found.what == "published"


def test_the_guards_come_back_after_a_migration(database: Database, now: datetime) -> None:
    with database.engine.begin() as connection:
        guards.lift(connection)
    database.migrate()
    with database.transaction() as session:
        posting.plant(session, now)
        audit.record(session, now, actor="test", action="made", subject="x")

    with pytest.raises(IntegrityError), database.transaction() as session:
        session.delete(session.exec(select(AuditEntry)).one())
