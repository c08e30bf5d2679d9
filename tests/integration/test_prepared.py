"""Prepared statements write and read the very same as SQLAlchemy does, over both databases."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import SQLModel

from models.base import new_id
from models.database import Database, is_repeat
from models.post import Post
from models.prepared import LONGEST_LIST, Listed, Prepared, PreparedList
from models.rulebook import RuleTally
from models.sighting import SightingRow
from models.vocabulary import Category, PostKind, PostState

TABLES = SQLModel.metadata.tables
POSTS = TABLES["post"]


def _post(now: datetime, **other: Any) -> dict[str, Any]:
    return {
        "id": new_id(),
        "source": "forum",
        "external_id": new_id(),
        "revision": 1,
        "kind": PostKind.ANSWER,
        "parent": None,
        "organisation": "gd",
        "author": "a" * 64,
        "state": PostState.HELD,
        "category": Category.SCAM,
        "place": "东莞",
        "likes": 3,
        "created_at": now - timedelta(minutes=7, microseconds=1),
        "received_at": now,
        "read_revision": 0,
        "version": 1,
    } | other


def _tally(now: datetime, **other: Any) -> dict[str, Any]:
    return {
        "id": new_id(),
        "subject": "scam/one",
        "day": now.date(),
        "silent": True,
        "posts": 2,
        "answers": {"publish>hold": 1},
        "sample": ["一", "b"],
    } | other


def _sighting(now: datetime, **other: Any) -> dict[str, Any]:
    return {
        "key": -(2**63),
        "post_id": new_id(),
        "author": 2**63 - 1,
        "copy_of": None,
        "selling": False,
        "written_at": now,
        "expires_at": now + timedelta(days=1),
    } | other


@pytest.mark.parametrize(("record", "make"), [(Post, _post), (RuleTally, _tally), (SightingRow, _sighting)])
def test_a_prepared_row_is_the_one_that_a_record_would_be(
    database: Database, now: datetime, record: Any, make: Any
) -> None:
    table = TABLES[record.__tablename__]
    insert = Prepared(sa.insert(table))
    with database.transaction() as session:
        session.add(record(**make(now)))
        session.flush()
        insert.write(session.connection(), [make(now)])
        insert.write(session.connection(), [make(now), make(now)])
    told_apart = {"id", "post_id", "external_id"}
    with database.reading() as session:
        # As the driver has them: what a type would turn back is not turned back here.
        kept = ", ".join(f'"{column.name}"' for column in table.columns if column.name not in told_apart)
        rows = session.connection().exec_driver_sql(f"SELECT {kept} FROM {table.name}").fetchall()

    assert (len(rows), len({repr(row) for row in rows})) == (4, 1)


def test_a_prepared_question_answers_in_our_own_types(database: Database, now: datetime) -> None:
    values = _post(now)
    with database.transaction() as session:
        session.add(Post(**values))
    question = Prepared(
        sa.select(POSTS.c.state, POSTS.c.category, POSTS.c.created_at, POSTS.c.parent)
        .where(POSTS.c.source == sa.bindparam("source", type_=POSTS.c.source.type))
        .limit(5)
    )
    with database.looking() as connection:
        assert question.rows(connection, {"source": "forum"}) == [
            (PostState.HELD, Category.SCAM, values["created_at"], None)
        ]
        assert question.rows(connection, {"source": "other"}) == []


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 8, LONGEST_LIST + 1])
def test_a_list_of_any_length_finds_what_is_on_it_and_nothing_else(
    database: Database, now: datetime, length: int
) -> None:
    with database.transaction() as session:
        for number in (0, 2, 6, LONGEST_LIST, -1):
            session.add(Post(**_post(now, external_id=str(number))))

    def named(listed: Listed) -> sa.Executable:
        return sa.select(POSTS.c.external_id).where(POSTS.c.external_id.in_(listed))

    with database.looking() as connection:
        asked = [str(number) for number in range(length)]
        found = PreparedList(named, POSTS.c.external_id.type).rows(connection, asked)

    assert sorted(found) == sorted((each,) for each in asked if int(each) in {0, 2, 6, LONGEST_LIST})


def test_a_refused_row_is_told_as_elsewhere_and_without_its_values(database: Database, now: datetime) -> None:
    insert = Prepared(sa.insert(POSTS))
    with database.transaction() as session:
        insert.write(session.connection(), [_post(now, external_id="1")])
    twice = _post(now, external_id="1", place="谁也不该看到")
    with pytest.raises(IntegrityError) as refused, database.transaction() as session:
        insert.write(session.connection(), [_post(now, external_id="2"), twice])

    assert is_repeat(refused.value)
    assert "谁也不该看到" not in str(refused.value)
    with database.looking() as connection:
        left = Prepared(sa.select(POSTS.c.external_id)).rows(connection, {})
    assert left == [("1",)]


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
def test_a_connection_that_was_lost_is_not_used_again(database: Database) -> None:
    number = Prepared(sa.select(sa.func.pg_backend_pid()))
    with database.looking() as connection:
        ((pid,),) = number.rows(connection, {})
        with database.engine.connect() as other:
            other.execute(sa.select(sa.func.pg_terminate_backend(pid)))
        with pytest.raises(DBAPIError) as lost:
            number.rows(connection, {})
    with database.looking() as connection:
        ((another,),) = number.rows(connection, {})

    assert (lost.value.connection_invalidated, another != pid) == (True, True)
