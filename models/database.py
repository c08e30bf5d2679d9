"""Sessions, transactions and migrations over SQLite or PostgreSQL.

Only the edge (a route, a command, a job's runner) opens and commits; rooms `add` and `flush`.
A SQLite transaction begins as a writer (BEGIN IMMEDIATE), so that two of them queue instead of
failing half-way; WAL lets readers go on beside it.

Refuses: any server but those two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlmodel import Session

from models.errors import ConfigurationError

MIGRATIONS = Path(__file__).parent / "migrations"
SQLITE_BUSY_MS = 15_000


def normal_url(url: str) -> str:
    """Return `url` with the driver this service uses.

    Raises
    ------
    ConfigurationError
        If it names another database than SQLite or PostgreSQL.
    """
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    if url.startswith(("postgresql+psycopg://", "sqlite:///")):
        return url
    raise ConfigurationError("the database must be sqlite:///PATH or postgresql://…")


def _sqlite_engine(url: str) -> Engine:
    engine = sa.create_engine(
        url,
        connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_MS / 1000},
        hide_parameters=True,  # an error must not repeat the text of a post
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:  # noqa: ANN401 - the driver's connection
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",  # what is deleted is overwritten, and not only unlinked
            f"busy_timeout = {SQLITE_BUSY_MS}",
            "cache_size = -64000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


class Database:
    """One database, its pool and its transactions."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = normal_url(url)
        if self.url.startswith("sqlite"):
            path = Path(self.url.removeprefix("sqlite:///"))
            path.parent.mkdir(parents=True, exist_ok=True)
            self.engine = _sqlite_engine(self.url)
        else:
            self.engine = sa.create_engine(
                self.url,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=True,
                hide_parameters=True,
            )
        self.readers = self.engine.execution_options(sqlite_begin="DEFERRED")

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded database is in use."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a session whose work is committed at the end, or undone if anything is raised."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session that must not write; it takes no writer's lock."""
        with Session(self.readers, expire_on_commit=False) as session:
            yield session

    @staticmethod
    def newest_revision() -> str | None:
        """Return the revision of the schema that this release needs."""
        return ScriptDirectory(str(MIGRATIONS)).get_current_head()

    def revision(self) -> str | None:
        """Return the revision of the schema that is there, or None for an empty database."""
        with self.readers.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def refuse_other_schema(self) -> None:
        """Refuse a database whose schema is not the one this release needs.

        Raises
        ------
        ConfigurationError
            With the command that helps.
        """
        if self.revision() != self.newest_revision():
            raise ConfigurationError(
                "the database has not the schema of this release; run `tingjian migrate`"
            )

    def migrate(self, revision: str = "head") -> None:
        """Bring the schema to `revision`."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()
