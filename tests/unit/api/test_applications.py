"""Several applications in one process: routes are worked out once, and each answers from its own service."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app
from api.wiring import Service
from models.database import Database
from tests.support.bundles import WrittenBundle
from tests.support.screeners import ScriptedScreener
from tests.support.services import Caller, make_service


@pytest.fixture
def service(sqlite_template: Path, now: datetime) -> Iterator[Service]:
    service = make_service(Database(f"sqlite:///{sqlite_template}"), now)
    service.screener = ScriptedScreener()  # type: ignore[assignment]
    yield service
    service.database.close()


def test_each_application_of_a_process_answers_from_its_own_service(service: Service, now: datetime) -> None:
    other = make_service(service.database, now)
    other.screener, other.bundle = service.screener, WrittenBundle()
    callers = [Caller(create_app(one)) for one in (service, other)]

    ready = [caller.get("/health/ready").json() for caller in callers]
    again = callers[0].get("/health/ready").json()

    assert ready == [
        {"status": "ok", "classifier": "none"},
        {"status": "ok", "classifier": "written-bundle"},
    ]
    assert again == ready[0]


def test_a_second_application_works_no_route_out_again(service: Service) -> None:
    first, second = (
        {
            f"{sorted(context.methods or ())} {context.path}": context.dependant
            for context in iter_route_contexts(create_app(service).routes)
            if hasattr(context, "dependant")
        }
        for _ in range(2)
    )

    assert len(first) > 300
    assert all(second[path] is asked for path, asked in first.items())
