"""`tingjian organisation`: plant and list the tree of organisations."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from api import organisations
from api.commands.operator import operator
from api.wiring import open_service
from models.errors import InvalidInput
from models.vocabulary import OrganisationKind

app = typer.Typer(no_args_is_help=True)


@app.command("add")
def add(
    path: Annotated[str, typer.Argument(help="Such as gd/dongguan/houjie.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
    kind: Annotated[OrganisationKind, typer.Option(help="What kind of node it is.")],
    name_en: Annotated[str, typer.Option(help="Its name in English.")] = "",
    also: Annotated[list[str] | None, typer.Option(help="What else people call it; may be repeated.")] = None,
) -> None:
    """Add a node; its parent must exist."""
    with open_service() as service, service.database.transaction() as session:
        organisations.add_organisation(
            session,
            operator(),
            path=path,
            name=name,
            kind=kind,
            name_en=name_en,
            names=also or (),
            now=datetime.now(UTC),
        )
    typer.echo(f"organisation {path} added")


@app.command("list")
def listing() -> None:
    """List the tree: path, kind, name."""
    with open_service() as service, service.database.reading() as session:
        for node in organisations.list_organisations(session):
            typer.echo(f"{node.path}\t{node.kind}\t{node.name}")


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON array or of JSON lines.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    content = file.read_bytes()
    try:
        if content.lstrip().startswith(b"["):
            rows = orjson.loads(content)
        else:
            rows = [orjson.loads(line) for line in content.splitlines() if line.strip()]
    except orjson.JSONDecodeError:
        raise InvalidInput(f"{file}: neither a JSON array nor JSON lines") from None
    return list(rows)


@app.command("load")
def load(
    file: Annotated[Path, typer.Argument(help="JSON array or JSON lines of {path, name, kind, …}.")],
) -> None:
    """Add the nodes of a file; those that exist stay as they are."""
    rows = read_rows(file)
    with open_service() as service, service.database.transaction() as session:
        added, known = organisations.load_organisations(session, operator(), rows, datetime.now(UTC))
    typer.echo(f"{added} added, {known} known already")
