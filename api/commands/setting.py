"""`tingjian setting`: settings that a person changes, each with its reason."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from api.adjustments import change_setting, list_settings
from api.commands.operator import operator
from api.wiring import open_service

app = typer.Typer(no_args_is_help=True)


@app.command("set")
def change(
    key: Annotated[str, typer.Argument(help="Such as demand_min_authors.")],
    value: Annotated[int, typer.Argument(help="The value.")],
    organisation: Annotated[str, typer.Option(help="The node it holds for, and under it.")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
) -> None:
    """Set a value at a node and under it."""
    with open_service() as service, service.database.transaction() as session:
        change_setting(
            session,
            operator(),
            key=key,
            value=value,
            organisation=organisation,
            reason=reason,
            now=datetime.now(UTC),
        )
    typer.echo(f"{key} is {value} at {organisation}")


@app.command("list")
def listing() -> None:
    """List every change, newest first: time, key, value, place, who, why."""
    with open_service() as service, service.database.reading() as session:
        for row in list_settings(session):
            typer.echo(
                f"{row.changed_at:%Y-%m-%dT%H:%M:%SZ}\t{row.key}\t{row.value}\t{row.organisation}\t"
                f"{row.changed_by}\t{row.reason}"
            )
