"""What makes a run cheap and takes nothing from what it shows.

Memory for a disk, one event loop, one heap, and each SQL statement compiled once in a process.

No test measures a disk's patience, a password's cost or a thread's start but those that say so.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from anyio.from_thread import start_blocking_portal
from argon2 import PasswordHasher
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.util import LRUCache
from starlette.testclient import TestClient

from api import passwords
from models.database import Database

MEMORY = Path("/dev/shm")  # noqa: S108 - pytest and tempfile make folders of their own in it
ROOM_BYTES = 6 << 30
"""A container often has 64 MiB there; a run keeps a few hundred MiB and a failed one more."""

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def write_to_memory() -> None:
    """Put temporary folders into memory, where a commit waits for no disk, unless TMPDIR names a place."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def spare_the_collector() -> None:
    """Let the garbage collector no longer walk what stays until the end: modules, routes, models, tests."""
    gc.collect()
    gc.freeze()


@contextmanager
def one_loop_for_clients() -> Iterator[None]:
    """Let every test client share one running event loop, as a server has one, not two for each request."""
    with start_blocking_portal() as portal:
        TestClient.portal = portal
        try:
            yield
        finally:
            TestClient.portal = None


STATEMENTS = 5000

_shared: dict[str, tuple[Dialect, LRUCache[Any, Any]]] = {}


def share_statements(engine: Engine) -> None:
    """Let every database of this kind, made from now on, use the statements that another one compiled.

    SQLAlchemy keeps what it compiled with an engine and its dialect. A test has a database of its own, and
    would compile the same few hundred statements anew: a third of what it costs.
    """
    engine.connect().close()  # a dialect asks its first connection what the server can do
    _shared.setdefault(engine.dialect.name, (engine.dialect, LRUCache(STATEMENTS)))


@contextmanager
def statements_compiled_once() -> Iterator[None]:
    """Compile each statement once in this process, for SQLite at once and for PostgreSQL when it is there."""
    memory = sa.create_engine("sqlite://")
    share_statements(memory)
    memory.dispose()
    real = Database.__init__

    def made(database: Database, *given: Any, **options: Any) -> None:
        real(database, *given, **options)
        known = _shared.get(database.engine.dialect.name)
        if known is not None:
            for engine in (database.engine, database.readers):
                engine.dialect, engine._compiled_cache = known
            database.engine.pool._dialect = known[0]

    Database.__init__ = made  # type: ignore[method-assign]
    try:
        yield
    finally:
        Database.__init__ = real  # type: ignore[method-assign]
        _shared.clear()


@contextmanager
def cheap_passwords() -> Iterator[None]:
    """Hash new passwords in a moment. Stored hashes name their own cost, so a dear one is checked dearly."""
    real = passwords.HASHER
    passwords.HASHER = CHEAP
    try:
        yield
    finally:
        passwords.HASHER = real
