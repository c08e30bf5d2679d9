"""What every record shares: the base class, identifiers, UTC times, enums by value.

Neighbours: `database` opens sessions over these records; `migrations` describes them to a server.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa
import uuid_utils
from sqlalchemy.engine import Dialect
from sqlmodel import Field, SQLModel

ID_LENGTH = 32


def new_id() -> str:
    """Return a new identifier: 32 hex digits, ascending with time (UUID version 7)."""
    return uuid_utils.uuid7().hex


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A moment in UTC, aware on both sides of the database.

    SQLite keeps no time zone: a value is written as naive UTC there and read back as aware UTC.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time, turn the rest into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a record takes aware times only")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware time in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(sa.TypeDecorator[Any]):
    """A member of a `StrEnum`, stored by its value."""

    impl = sa.String(32)
    cache_ok = True

    def __init__(self, words: type[Enum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401 - SQLAlchemy's own signature
        """Return the value of a member; refuse a word that is not one."""
        del dialect
        return None if value is None else str(self.words(value).value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401 - as above
        """Return the member."""
        del dialect
        return None if value is None else self.words(value)


class Record(SQLModel):
    """A row with an identifier."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=ID_LENGTH)


def moment(*, nullable: bool = False, index: bool = False) -> Any:  # noqa: ANN401 - a SQLModel field
    """Declare a column that holds a moment in UTC."""
    default: dict[str, Any] = {"default": None} if nullable else {}
    return Field(sa_type=UtcDateTime, nullable=nullable, index=index, **default)


def word(words: type[Enum], *, nullable: bool = False, index: bool = False, **default: Any) -> Any:  # noqa: ANN401 - a SQLModel field
    """Declare a column that holds a member of an enumeration, by value."""
    if nullable:
        default.setdefault("default", None)
    return Field(sa_type=Word(words), nullable=nullable, index=index, **default)


def document(*, nullable: bool = False, factory: Any = dict) -> Any:  # noqa: ANN401 - a SQLModel field
    """Declare a column that holds JSON."""
    default: dict[str, Any] = {"default": None} if nullable else {"default_factory": factory}
    return Field(sa_type=sa.JSON, nullable=nullable, **default)


def body(*, nullable: bool = False) -> Any:  # noqa: ANN401 - a SQLModel field
    """Declare a column that holds text of any length."""
    default: dict[str, Any] = {"default": None} if nullable else {}
    return Field(sa_type=sa.Text, nullable=nullable, **default)
