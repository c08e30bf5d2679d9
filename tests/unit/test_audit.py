from datetime import datetime

import pytest
from sqlmodel import col, select

from models import audit, guards
from models.audit import AuditEntry
from models.database import Database


def fill(database: Database, now: datetime, entries: int = 5) -> None:
    with database.transaction() as session:
        for number in range(entries):
            audit.record(
                session, now, actor="test", action="made", subject=str(number), details={"n": number}
            )


def test_an_untouched_chain_holds(database: Database, now: datetime) -> None:
    fill(database, now)
    with database.reading() as session:
        assert audit.first_break(session) is None


@pytest.fixture(autouse=True)
def owner_of_the_database(database: Database) -> None:
    """Who owns the database can take its guards away; the chain shows it all the same."""
    with database.engine.begin() as connection:
        guards.lift(connection)


@pytest.mark.parametrize("sequence", [1, 3, 5])
def test_an_edited_entry_is_found(database: Database, now: datetime, sequence: int) -> None:
    fill(database, now)
    with database.transaction() as session:
        entry = session.exec(select(AuditEntry).where(col(AuditEntry.sequence) == sequence)).one()
        entry.details = {"n": 99}
        session.add(entry)
    with database.reading() as session:
        assert audit.first_break(session) == sequence


@pytest.mark.parametrize("sequence", [1, 3, 5])
def test_a_removed_entry_is_found(database: Database, now: datetime, sequence: int) -> None:
    fill(database, now)
    with database.transaction() as session:
        session.delete(session.exec(select(AuditEntry).where(col(AuditEntry.sequence) == sequence)).one())
    with database.reading() as session:
        assert audit.first_break(session) == sequence
