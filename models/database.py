"""Sessions, transactions and migrations over SQLite or PostgreSQL.

Only the edge (a route, a command, a job's runner) opens and commits; rooms `add` and `flush`.
A SQLite transaction begins as a writer (BEGIN IMMEDIATE), so that two of them queue instead of
failing half-way; WAL lets readers go on beside it.

Refuses: any server but those two.
"""

import fcntl
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import UniqueViolation
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session

from models.errors import ConfigurationError

MIGRATIONS = Path(__file__).parent / "migrations"
SQLITE_BUSY_MS = 15_000
SQLITE_WAL_PAGES = 10_000
"""So many pages of the log until a commit has to copy them back itself; a server does it beside them."""

CHECKPOINT_BYTES = 4 << 20
CHECKPOINT_S = 1.0
LOOK_AGAIN_S = 0.001
GIVEN_WAY_S = 0.05


@event.listens_for(Session, "do_orm_execute")
def _read_what_is_locked(state: ORMExecuteState) -> None:
    """Read a row that is locked as it is now, also where this session has seen it before.

    Without that, whoever looked first and locked then would compare with a version that another
    transaction has overtaken, and write over what it wrote.
    """
    if state.is_select and getattr(state.statement, "_for_update_arg", None) is not None:
        state.update_execution_options(populate_existing=True)


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


def is_repeat(error: IntegrityError) -> bool:
    """Tell whether a write failed because the same thing is there already."""
    return isinstance(error.orig, UniqueViolation) or "UNIQUE constraint failed" in str(error.orig)


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
            f"wal_autocheckpoint = {SQLITE_WAL_PAGES}",
            f"journal_size_limit = {CHECKPOINT_BYTES // 4}",
            "cache_size = -64000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _lock(file: IO[bytes], *, until: float) -> None:
    """Lock a file; after `until` go on without, and leave it to SQLite to wait or refuse."""
    while time.monotonic() < until:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_AGAIN_S)
        else:
            return


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
        self._closed = False
        event.listen(self.engine, "checkin", self._returned)
        self.readers = self.engine.execution_options(sqlite_begin="DEFERRED")
        # Writers of this process wait for each other here and are woken at once. For another process's
        # writer SQLite itself would let them sleep longer and longer, and never find the moment between
        # two transactions of a job; so one file is locked around each, and looked at every millisecond.
        self._writing = threading.Lock() if self.is_sqlite else None
        self.gives_way = False
        """Whether a writer here leaves as much time to others as it took: for jobs that nobody waits for."""

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded database is in use."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a session whose work is committed at the end, or undone if anything is raised."""
        with (
            self._turn(),
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for this process's other writers, but no longer than SQLite would wait itself."""
        if self._writing is None:
            yield
            return
        began = time.monotonic()
        mine = self._writing.acquire(timeout=SQLITE_BUSY_MS / 1000)
        try:
            with Path(f"{self.engine.url.database}.writer.lock").open("ab") as file:
                _lock(file, until=began + SQLITE_BUSY_MS / 1000)
                began = time.monotonic()
                yield
        finally:
            if self.gives_way:
                time.sleep(min(GIVEN_WAY_S, time.monotonic() - began))
            if mine:
                self._writing.release()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session that must not write; it takes no writer's lock."""
        with Session(self.readers, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Yield a connection for prepared questions (`prepared`), each of which sees the newest state."""
        with self.readers.connect() as connection:
            yield connection

    @contextmanager
    def alone(self, work: str) -> Iterator[bool]:
        """Yield whether this is the only one at `work`, among all processes on this database.

        Nobody waits. The claim ends with the block, or with the process or its connection: a crash
        leaves nothing behind that would have to run out.
        """
        if self.is_sqlite:
            with Path(f"{self.engine.url.database}.{work}.lock").open("ab") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                else:
                    yield True
            return
        number = zlib.crc32(f"tingjian/{work}".encode())
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            mine = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))))
            try:
                yield mine
            finally:
                if mine:
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))

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
        with self.engine.connect() as connection, self._remaking(connection):
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    @contextmanager
    def _remaking(self, connection: Connection) -> Iterator[None]:
        """Let SQLite remake a table that others refer to, and make sure afterwards that they still do.

        Raises
        ------
        ConfigurationError
            If a row refers to one that is not there.
        """
        driver = connection.connection.driver_connection
        if not self.is_sqlite or driver is None:
            yield
            return
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield
            connection.rollback()
            if driver.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise ConfigurationError("a row of the database refers to one that is not there")
        finally:
            connection.rollback()
            driver.execute("PRAGMA foreign_keys = ON")

    def checkpoint(self) -> None:
        """Copy what SQLite's log holds back into the database, mostly beside the writers.

        The first pass waits for nobody and does the bulk; the second has little left to do, and lets
        the log begin anew. Somebody else's long read only puts it off.
        """
        with closing(self.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            # Not for a moment may it wait for a reader while it keeps the writers waiting.
            cursor.execute("PRAGMA busy_timeout = 0")
            try:
                with self._turn():
                    cursor.execute("PRAGMA wal_checkpoint(RESTART)")
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")

    def close(self) -> None:
        """Close every connection; one that a thread still works with is closed when it comes back."""
        self._closed = True
        self.engine.dispose()

    def _returned(self, _: object, record: ConnectionPoolEntry) -> None:
        if self._closed:
            record.invalidate()


class Checkpoints:
    """A thread that keeps SQLite's log short while a server runs, so that no commit has to stop for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._log = Path(f"{database.engine.url.database}-wal")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin; does nothing over PostgreSQL, which has its own."""
        if self._database.is_sqlite:
            self._thread.start()

    def stop(self) -> None:
        """Come to an end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(CHECKPOINT_S):
            try:
                if self._log.stat().st_size > CHECKPOINT_BYTES:
                    self._database.checkpoint()
            except (FileNotFoundError, OperationalError):
                continue  # no log yet, or somebody was in the way; the next round comes
