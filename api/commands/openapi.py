"""`tingjian openapi`: write the description of the HTTP interface; needs no database."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from api.app import create_app
from api.settings import Settings
from api.wiring import Keys, Service
from models.database import Database


def openapi(
    out: Annotated[Path | None, typer.Option(help="Write here instead of standard output.")] = None,
) -> None:
    """Write the OpenAPI description as JSON."""
    service = Service(Settings(), Database("sqlite:///:memory:"), Keys(b""))
    document = orjson.dumps(create_app(service).openapi(), option=orjson.OPT_INDENT_2).decode()
    if out is None:
        typer.echo(document)
    else:
        out.write_text(document + "\n", encoding="utf-8")
