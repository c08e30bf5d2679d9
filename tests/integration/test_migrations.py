"""The migrations make exactly the tables that the records describe, on both servers."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from models.database import Database
from models.registry import METADATA


def test_records_and_migrations_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": not database.is_sqlite})
        assert compare_metadata(context, METADATA) == []


def test_the_newest_revision_is_the_one_that_is_there(database: Database) -> None:
    assert database.revision() == Database.newest_revision()


def test_migrating_twice_changes_nothing(database: Database) -> None:
    before = database.revision()
    database.migrate()
    assert database.revision() == before
