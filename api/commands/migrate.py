"""`tingjian migrate`: bring the database to this release's schema."""

import typer

from api.settings import Settings
from models.database import Database


def migrate() -> None:
    """Bring the database to this release's schema. Nothing happens if it has it."""
    settings = Settings.from_environment()
    database = Database(settings.database_url)
    try:
        before = database.revision()
        database.migrate()
        after = database.revision()
    finally:
        database.close()
    typer.echo(f"schema {after}" + (" already there" if before == after else f", was {before or 'empty'}"))
