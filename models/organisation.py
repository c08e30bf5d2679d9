"""The tree of organisations, and the one way to ask who is under whom.

A place in the tree is a path of slugs such as `gd/dongguan/houjie`. `under` is a prefix at a
slash and nothing else: `gd/dong` has nothing to do with `gd/dongguan`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.base import document, moment, word
from models.vocabulary import OrganisationKind

PATH_PATTERN = r"^[a-z0-9][a-z0-9-]{0,31}(/[a-z0-9][a-z0-9-]{0,31}){0,5}$"


class Organisation(SQLModel, table=True):
    """One node 组织用户. `names` holds what people call it, for finding it in a post."""

    path: str = Field(primary_key=True, max_length=200)
    name: str = Field(max_length=120)
    name_en: str = Field(default="", max_length=120)
    kind: OrganisationKind = word(OrganisationKind)
    names: list[str] = document(factory=list)
    created_at: datetime = moment()


def is_under(path: str, root: str) -> bool:
    """Return whether `path` is `root` or lies below it."""
    return path == root or path.startswith(root + "/")


def under(column: Any, root: str) -> sa.ColumnElement[bool]:  # noqa: ANN401 - any mapped path column
    """Return the same question as a condition over a column.

    A range instead of LIKE: the index serves it on both databases ('0' follows '/' in ASCII).
    Paths are compared by bytes, so a PostgreSQL column of paths must have the collation "C".
    """
    return sa.or_(column == root, sa.and_(column > root + "/", column < root + "0"))


def within(column: Any, scope: Sequence[str]) -> sa.ColumnElement[bool]:  # noqa: ANN401 - as above
    """Return whether a column's path lies under any root of a scope. An empty scope reaches nothing."""
    return sa.or_(sa.false(), *(under(column, root) for root in scope))


def reaches(scope: Sequence[str], path: str) -> bool:
    """Return the same of one path."""
    return any(is_under(path, root) for root in scope)


def ancestors(path: str) -> list[str]:
    """Return `path` and every node above it, lowest first."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]


def place_in_tree(*, index: bool = True, **options: Any) -> Any:  # noqa: ANN401 - a SQLModel field
    """Declare a column that holds a path in the tree, compared by bytes."""
    return Field(sa_type=PathText, index=index, nullable=False, **options)


class PathText(sa.TypeDecorator[str]):
    """A path, with the collation that makes `under` a range of the index."""

    impl = sa.String(200)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's own signature
        """Ask PostgreSQL for byte order; SQLite has it by default."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.String(200, collation="C"))
        return dialect.type_descriptor(sa.String(200))
