"""How Alembic reaches the database: over the connection that `models.database` hands it."""

from typing import Any, Literal

from alembic import context
from sqlmodel.sql.sqltypes import AutoString

from models import guards
from models.base import UtcDateTime, Word
from models.organisation import PathText
from models.registry import METADATA


def render_type(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write a migration in the database's words, so that later changes of our types cannot alter it."""
    if kind == "type" and isinstance(item, Word):
        return f"sa.String(length={item.impl.length})"
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, PathText):
        autogen_context.imports.add("from models.organisation import PathText")
        return "PathText()"
    return False


connection = context.config.attributes["connection"]
guards.lift(connection)
connection.commit()
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_type,
    transaction_per_migration=True,
    compare_type=False,
)
try:
    with context.begin_transaction():
        context.run_migrations()
finally:
    connection.rollback()
    guards.set_up(connection)
    connection.commit()
