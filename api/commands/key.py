"""`tingjian key`: make, list and end keys of sources. A key is printed once and kept as a hash."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from api import keys
from api.commands.operator import operator
from api.wiring import open_service
from models.vocabulary import KeyScope

app = typer.Typer(no_args_is_help=True)


@app.command("create")
def create(
    source: Annotated[str, typer.Argument(help="The platform that the key speaks for.")],
    organisation: Annotated[str, typer.Argument(help="The place it may write to, and under it.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    scope: Annotated[
        list[KeyScope] | None, typer.Option(help="May be repeated; all if none is given.")
    ] = None,
) -> None:
    """Make a key and print it; it cannot be shown again."""
    with open_service() as service, service.database.transaction() as session:
        row, key = keys.create_key(
            session,
            operator(),
            source=source,
            name=name or source,
            organisation=organisation,
            may=scope or list(KeyScope),
            now=datetime.now(UTC),
        )
    typer.echo(f"key {row.id} made for {source} at {organisation}: {', '.join(row.scopes)}", err=True)
    typer.echo(key)


@app.command("list")
def listing() -> None:
    """List the keys: id, source, place, state, scopes, name."""
    with open_service() as service, service.database.reading() as session:
        for row in keys.list_keys(session):
            state = "revoked" if row.revoked_at else "active"
            typer.echo(
                "\t".join((row.id, row.source, row.organisation, state, ",".join(row.scopes), row.name))
            )


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="The key's id, from the list.")]) -> None:
    """End a key at once."""
    with open_service() as service, service.database.transaction() as session:
        keys.revoke_key(session, operator(), key_id, datetime.now(UTC))
    typer.echo(f"key {key_id} revoked")
