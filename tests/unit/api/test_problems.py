from datetime import datetime

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from api import problems
from models.database import Database
from models.organisation import Organisation
from models.vocabulary import OrganisationKind


@pytest.mark.parametrize(
    ("name", "status", "code"), [("广东", 409, "stale_version"), (None, 500, "internal_error")]
)
def test_who_writes_what_another_wrote_in_the_same_moment_is_told_to_look_again(
    database: Database, now: datetime, name: str | None, status: int, code: str
) -> None:
    app = FastAPI()
    problems.install(app)

    @app.post("/twice")
    def twice() -> None:
        row = {
            "path": "gd",
            "name": name,
            "name_en": "",
            "kind": OrganisationKind.PROVINCE,
            "names": [],
            "created_at": now,
        }
        with database.transaction() as session:
            session.connection().execute(sa.insert(Organisation).values(**row))
            session.connection().execute(sa.insert(Organisation).values(**row))

    with capture_logs() as logs:
        answer = TestClient(app, raise_server_exceptions=False).post("/twice")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "gd" not in answer.text
    assert len(logs) == 1
