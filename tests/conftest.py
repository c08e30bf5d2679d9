"""What every test may ask for: an empty migrated database, on SQLite and on PostgreSQL."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from models.database import Database
from tests.support import databases, fast

NOW = datetime(2026, 3, 16, 4, 0, tzinfo=UTC)
"""A Monday at noon in Shanghai."""


# The same examples in every run and no clock: on a busy machine a deadline would fail by chance.
settings.load_profile("ci")


def pytest_configure() -> None:
    fast.write_to_memory()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from tests.support.grouping import ByGroup

    return ByGroup(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_finish() -> None:
    fast.spare_the_collector()


@pytest.fixture(scope="session", autouse=True)
def cheaply() -> Iterator[None]:
    with fast.one_loop_for_clients(), fast.cheap_passwords(), fast.statements_compiled_once():
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return databases.migrated_sqlite(tmp_path_factory.mktemp("template") / "template.db")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[tuple[str, str]]:
    """The server's address and the name of a migrated template."""
    if "TINGJIAN_TEST_POSTGRESQL_URL" not in os.environ and databases.postgresql_programs() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed, and CI may not go without it")
        pytest.skip("PostgreSQL is not installed")
    with databases.postgresql_server() as address:
        template = databases.create_database(address)
        database = Database(databases.server_url(address, template))
        database.migrate()
        fast.share_statements(database.engine)
        database.close()
        yield address, template


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        path = tmp_path / "tingjian.db"
        shutil.copy(template, path)
        yield f"sqlite:///{path}"
        return
    address, template = request.getfixturevalue("postgresql")
    name = databases.create_database(address, template=template)
    yield databases.server_url(address, name)
    databases.drop_database(address, name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated database; a test that uses it runs on both servers."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A secret for servers in processes of their own: the first passes the door, the others remember it."""
    return tmp_path_factory.mktemp("installation") / "secret"


@pytest.fixture
def now() -> datetime:
    return NOW
