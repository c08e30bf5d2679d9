"""The pool of a database whose end has come."""

import gc

import sqlalchemy as sa

from models.database import Database


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


def _is_closed(driver: object) -> bool:
    if hasattr(driver, "closed"):
        return bool(driver.closed)
    try:
        driver.execute("SELECT 1")  # type: ignore[attr-defined]
    except Exception as error:  # noqa: BLE001 - sqlite3 knows no other sign
        return "closed" in str(error)
    return False
