"""The pool of a database whose end has come, and what a lock reads."""

import gc
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import select

from models.database import Database
from models.organisation import Organisation
from models.vocabulary import OrganisationKind


def test_a_connection_that_comes_back_after_the_end_is_closed(database_url: str) -> None:
    database = Database(database_url)
    out = database.engine.connect()
    driver = out.connection.driver_connection
    database.close()
    out.execute(sa.text("SELECT 1"))
    out.close()
    assert _is_closed(driver)

    with database.engine.connect() as late:
        driver = late.connection.driver_connection
    assert _is_closed(driver)
    gc.collect()  # a connection that nobody closed would warn here


def test_a_row_that_is_locked_is_read_as_it_is_now(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        session.add(Organisation(path="gd", name="广东", kind=OrganisationKind.PROVINCE, created_at=now))
    with database.transaction() as session:
        seen = session.exec(select(Organisation)).one()
        # Past the session, as another transaction would write before this one locks the row.
        session.connection().execute(sa.update(Organisation).values(name="广东省"))
        locked = session.exec(select(Organisation).with_for_update()).one()

        assert (locked is seen, locked.name) == (True, "广东省")


def _is_closed(driver: object) -> bool:
    if hasattr(driver, "closed"):
        return bool(driver.closed)
    try:
        driver.execute("SELECT 1")  # type: ignore[attr-defined]
    except Exception as error:  # noqa: BLE001 - sqlite3 knows no other sign
        return "closed" in str(error)
    return False
