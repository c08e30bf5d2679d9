"""Real databases for tests: a migrated SQLite file and a migrated PostgreSQL, copied for each test."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from models.database import Database

FOR_A_MOMENT = " ".join(
    f"-c {setting}"
    for setting in (
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "wal_level=minimal",
        "max_wal_senders=0",
        "autovacuum=off",
        "jit=off",
    )
)
"""A server that lives for one run and is never started again owes nothing to a crash of the machine."""

FILE_COPY_SINCE = 150_000
"""From this version on a copy of a database goes through the log, page by page, unless told otherwise."""


def postgresql_programs() -> Path | None:
    """Return the folder of initdb and postgres, newest first, or None if they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Yield the address of a server of our own, or of the one named by the environment."""
    given = os.environ.get("TINGJIAN_TEST_POSTGRESQL_URL")
    if given:
        yield given.rstrip("/")
        return
    programs = postgresql_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="tingjian-pg-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    socket = folder
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8",
         "--locale=C.UTF-8", "--no-sync"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    subprocess.run(
        [*as_user, programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o",
         f"-k {socket} -c listen_addresses='' -c max_connections=200 {FOR_A_MOMENT}", "start"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    try:
        yield f"postgresql://postgres@/{{name}}?host={socket}"
    finally:
        subprocess.run(
            [*as_user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"],
            check=False, capture_output=True, cwd=folder,
        )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)


def server_url(address: str, name: str) -> str:
    """Return the URL of one database on the server."""
    return address.format(name=name) if "{name}" in address else f"{address}/{name}"


def create_database(address: str, *, template: str | None = None) -> str:
    """Create a database, as a copy of `template` if one is named; return its name."""
    name = f"tj_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url(address, "postgres"), autocommit=True) as connection:
        how = f" TEMPLATE {template}" if template else ""
        if connection.info.server_version >= FILE_COPY_SINCE:
            how += " STRATEGY file_copy"
        connection.execute(f"CREATE DATABASE {name}{how}")
    return name


def drop_database(address: str, name: str) -> None:
    """Drop a database whoever is still connected."""
    with psycopg.connect(server_url(address, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def migrated_sqlite(path: Path) -> Path:
    """Make a migrated, empty SQLite file without a write-ahead log beside it."""
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.close()
    return path
