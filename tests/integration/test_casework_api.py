"""Cases over HTTP: forms as files, uploads that pretend, and a clear error for each wrong thing."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from fastapi.testclient import TestClient
from sqlmodel import select

from alerts import cases, events
from alerts.attachments import LIMIT
from models.audit import AuditEntry
from models.casework import Attachment
from models.database import Database
from models.vocabulary import Domain, Role
from tests.conftest import NOW
from tests.support.services import client_of, make_account, make_service, sign_in
from tests.support.voices import COORDINATOR, demand, plant

PDF = b"%PDF-1.7\n1 0 obj\n%%EOF\n"


@dataclass(frozen=True)
class Office:
    """Somebody at two desks, a reported demand with its case, and the posts behind it."""

    client: TestClient
    database: Database
    event: str
    case: str
    posts: list[str]

    def refused(self, path: str, **sent: Any) -> tuple[int, str]:
        answer = self.client.post(path, **sent)
        assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
        return answer.status_code, answer.json()["code"]


LINKS = ("v1/ratings", "v1/consents", "v1/statements", "rate", "consents", "statements", "invitations")


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Iterator[Office]:
    with database.transaction() as session:
        plant(session, NOW)
        chorus = demand(session, NOW, domain=Domain.HOUSING)
        posts = chorus.many(1, 12, NOW - timedelta(days=1))
        event = events.verify_demand(session, chorus.demand.id, COORDINATOR, now=NOW, note="属实").id
        opened = cases.case_of_event(session, event)
        assert opened is not None
    make_account(database, NOW, "both", (Role.COORDINATOR, "gd"), (Role.OPERATIONS, "gd"))
    with client_of(make_service(database, NOW, attachments=tmp_path)) as client:
        sign_in(client, "both")
        yield Office(client, database, event, opened.id, posts)


def test_a_step_and_a_form_name_what_is_wrong_with_them(office: Office) -> None:
    client, case = office.client, office.case
    shown = client.get(f"/v1/cases/{case}").json()
    assert shown["coverage"] == {
        "authors": 12,
        "told": [],
        "rated": 0,
        "answers": dict.fromkeys(["solved", "partly", "not_solved"], 0),
    }
    assert "submitted" in shown["open_steps"]
    step = f"/v1/cases/{case}:step"
    assert office.refused(step, json={"step": "archived", "version": shown["case"]["version"]}) == (
        409,
        "move_not_allowed",
    )
    assert office.refused(step, json={"step": "submitted", "version": 99, "text": "x"}) == (
        409,
        "stale_version",
    )
    assert office.refused(step, json={"step": "submitted", "version": 1, "text": " "}) == (422, "no_note")
    assert office.refused(step, json={"step": "sleep", "version": 1})[0] == 422
    assert (
        office.refused(step, json={"step": "note", "version": 1, "text": "x", "due_on": "2026-02-31"})[0]
        == 422
    )

    made = client.get(f"/v1/cases/{case}/form.docx").content
    filled = Document(io.BytesIO(made))
    for row in filled.tables[0].rows:
        if row.cells[0].text == "综合协调组意见":
            row.cells[1].text = "请东莞市牵头。"
    kept = io.BytesIO()
    filled.save(kept)
    read = f"/v1/cases/{case}/form:read"
    saved = client.post(read, data={"version": "1"}, files={"file": ("f.docx", kept.getvalue())})
    assert saved.status_code == 200, saved.text
    assert saved.json()["version"] == 2
    assert [one["value"] for one in saved.json()["lines"] if one["key"] == "coordination_opinion"] == [
        "请东莞市牵头。"
    ]
    again = office.refused(read, data={"version": "1"}, files={"file": ("f.docx", kept.getvalue())})
    assert again == (409, "stale_version")
    assert office.refused(read, data={"version": "2"}, files={"file": ("f.docx", PDF)}) == (422, "not_word")
    assert client.get(f"/v1/cases/{case}/form?version=1").json()["version"] == 1
    assert client.get(f"/v1/cases/{case}/form?version=9").status_code == 404
    assert client.get(f"/v1/cases/{case}/form.exe").status_code == 422


def test_a_file_is_what_it_says_or_is_not_taken(office: Office) -> None:
    client, case, event = office.client, office.case, office.event
    put = "/v1/attachments"
    for name, content, wrong in (
        ("a.pdf", b"MZ\x90", (422, "file_disguised")),
        ("a.exe", b"MZ\x90", (422, "file_kind")),
        ("a.txt", b"a" * (LIMIT + 1), (413, "attachment_too_large")),
    ):
        assert office.refused(put, data={"subject": case}, files={"file": (name, content)}) == wrong
    large = client.post(put, data={"subject": case}, files={"file": ("a.pdf", b"a" * 50_000_000)})
    assert large.status_code == 413
    assert office.refused(put, data={"subject": "0" * 32}, files={"file": ("a.pdf", PDF)}) == (
        404,
        "not_found",
    )
    for subject in (case, event):
        added = client.post(put, data={"subject": subject}, files={"file": ("../方案.pdf", PDF)})
        assert added.status_code == 201, added.text
        assert added.json()["name"] == "方案.pdf"
        given = client.get(f"{put}/{added.json()['id']}")
        assert given.content == PDF
        assert given.headers["content-disposition"].startswith("attachment;")
    with office.database.reading() as session:
        assert len(session.exec(select(Attachment)).all()) == 2


def test_an_authors_link_opens_to_nobody_signed_in_and_every_look_is_kept(office: Office) -> None:
    client, event = office.client, office.event
    help_case = client.post(
        "/v1/cases", json={"post_id": office.posts[0], "title": "需要临时住处", "domain": "housing"}
    )
    assert help_case.status_code == 201, help_case.text
    opened_help = help_case.json()["id"]
    assert client.get(f"/v1/cases/{opened_help}").json()["form"]["lines"][1]["value"] == "（本人未同意提供）"
    asked = client.post(f"/v1/cases/{opened_help}:ask-consent", json={"items": ["name", "contact"]})
    link = asked.json()["link"].rsplit("/", 1)[1]
    client.cookies.clear()
    assert client.get(f"/v1/cases/{opened_help}").status_code == 401
    words = client.get(f"/v1/consents/{link}").json()
    assert [one["item"] for one in words["items"]] == ["name", "contact"]
    assert office.refused(f"/v1/consents/{link}", json={"values": {"name": "x" * 81}}) == (422, "too_long")
    assert client.post(f"/v1/consents/{link}", json={"values": {"name": "陈小雨"}}).status_code == 200
    assert client.delete(f"/v1/consents/{link}").json()["items"][0]["given"] is False
    public = client.get(f"/v1/public/demands/{event}").json()
    assert (public["authors"], public["title"]) == (12, "宿舍热水")
    assert client.get(f"/v1/public/demands/{opened_help}").status_code == 404
    with office.database.reading() as session:
        looks = session.exec(select(AuditEntry.subject).where(AuditEntry.action == "case.viewed")).all()
        assert set(looks) == {f"case:{opened_help}"}


def test_a_stranger_with_a_link_takes_no_writers_lock(office: Office, database: Database) -> None:
    with database.transaction():
        seen = [office.client.get(f"/{page}/nothing").status_code for page in LINKS]

    assert seen == [404] * len(LINKS)
