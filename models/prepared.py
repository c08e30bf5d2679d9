"""Statements that are compiled once, for the few places that every post passes.

SQLAlchemy looks at a statement anew each time it runs: at its cache key, its parameters, its result. For
a post that comes alone that costs several times what the database itself takes. What is prepared here
is compiled once for each kind of database, and then runs on the driver's own cursor, inside whatever
transaction its connection is in. Values are turned by the columns' own types, so that a row is the very
one that SQLAlchemy would write.

An error of the driver becomes the one that SQLAlchemy would raise, without any value: a value may be
the text of a post.

Neighbours: `database` lends the connections; `moderation/intake.py` and those it calls are the places.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Row = tuple[Any, ...]
_Turn = Callable[[Any], Any] | None
Listed = Sequence[sa.BindParameter[Any]]

LONGEST_LIST: Final = 4_096
"""Values in one list at most; who has more asks more than once."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as one driver takes it: its text, its parameters in order, and how values are turned.

    `own` are the values that the statement brings itself.
    """

    text: str
    positional: bool
    parameters: tuple[tuple[str, _Turn], ...]
    results: tuple[_Turn, ...]
    own: Mapping[str, Any]

    def values(self, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as the driver takes them
        if self.own:
            given = {**self.own, **given}
        if self.positional:
            return [given[name] if turn is None else turn(given[name]) for name, turn in self.parameters]
        return {name: given[name] if turn is None else turn(given[name]) for name, turn in self.parameters}

    def row(self, found: Row) -> Row:
        return tuple(
            [value if turn is None else turn(value) for turn, value in zip(self.results, found, strict=True)]
        )


def _to_database(kind: TypeEngine[Any], dialect: Dialect) -> _Turn:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _from_database(kind: TypeEngine[Any], dialect: Dialect) -> _Turn:
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _compiled(statement: sa.Executable, dialect: Dialect) -> _Compiled:
    if not isinstance(statement, sa.ClauseElement):
        raise TypeError("only what SQLAlchemy compiles can be prepared")
    names = statement.table.columns.keys() if isinstance(statement, sa.Insert) else None
    made = statement.compile(dialect=dialect, column_keys=names)
    if not isinstance(made, sa.sql.compiler.SQLCompiler):
        raise TypeError("only a statement can be prepared")
    order = made.positiontup if made.positional else list(made.binds)
    columns: Any = statement.selected_columns if isinstance(statement, sa.Select) else ()
    return _Compiled(
        made.string,
        made.positional,
        tuple((name, _to_database(made.binds[name].type, dialect)) for name in order or ()),
        tuple(_from_database(column.type, dialect) for column in columns),
        {name: bind.value for name, bind in made.binds.items() if not bind.required},
    )


@contextmanager
def _errors_told(connection: Connection, text: str) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy's, and let no one use a connection that was lost."""
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as error:
        lost = connection.dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            text,
            None,
            error,
            connection.dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=connection.dialect,
        ) from error


class Prepared:
    """One statement with its parameters by name. Safe to share between threads.

    Parameters
    ----------
    statement
        A query, or an insertion into a table with all of the table's columns.
    """

    def __init__(self, statement: sa.Executable) -> None:
        self.statement = statement
        self._made: dict[str, _Compiled] = {}

    def _for(self, connection: Connection) -> _Compiled:
        dialect = connection.dialect
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = _compiled(self.statement, dialect)
        return made

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[Row]:
        """Return what a query finds, in the order of its columns."""
        made = self._for(connection)
        with _errors_told(connection, made.text):
            cursor = connection.connection.cursor()
            try:
                cursor.execute(made.text, made.values(values))
                found = cursor.fetchall()
            finally:
                cursor.close()
        return [made.row(row) for row in found]

    def write(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; none is an error."""
        made = self._for(connection)
        with _errors_told(connection, made.text):
            cursor = connection.connection.cursor()
            try:
                if len(rows) == 1:
                    cursor.execute(made.text, made.values(rows[0]))
                else:
                    cursor.executemany(made.text, [made.values(row) for row in rows])
            finally:
                cursor.close()

    def written(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Insert rows one by one; tell of each whether it was inserted, or gave way to one that was there."""
        made = self._for(connection)
        found: list[bool] = []
        with _errors_told(connection, made.text):
            cursor = connection.connection.cursor()
            try:
                for row in rows:
                    cursor.execute(made.text, made.values(row))
                    found.append(cursor.rowcount == 1)
            finally:
                cursor.close()
        return found


class PreparedList:
    """A query with one list of values, prepared for lists of 1, 2, 4, … values.

    A list of another length is filled up with its last value, which finds nothing more.

    Parameters
    ----------
    make
        Returns the query over the parameters that stand for the values.
    kind
        The type of a value.
    """

    def __init__(self, make: Callable[[Listed], sa.Executable], kind: TypeEngine[Any]) -> None:
        self._make = make
        self._kind = kind
        self._made: dict[int, tuple[Prepared, tuple[str, ...]]] = {}

    def rows(
        self, connection: Connection, listed: Sequence[Any], values: Mapping[str, Any] | None = None
    ) -> list[Row]:
        """Return what the query finds for the listed values; nothing for no value."""
        if not listed:
            return []
        if len(listed) > LONGEST_LIST:
            found: list[Row] = []
            for begin in range(0, len(listed), LONGEST_LIST):
                found += self.rows(connection, listed[begin : begin + LONGEST_LIST], values)
            return found
        length = 1 << (len(listed) - 1).bit_length()
        made = self._made.get(length)
        if made is None:
            names = tuple(f"listed_{place}" for place in range(length))
            parameters = [sa.bindparam(name, type_=self._kind) for name in names]
            made = self._made[length] = Prepared(self._make(parameters)), names
        prepared, names = made
        filled = [*listed, *[listed[-1]] * (length - len(listed))]
        return prepared.rows(connection, {**(values or {}), **dict(zip(names, filled, strict=True))})
