"""`tingjian serve`: the HTTP interface and the console, with the jobs beside them if asked for."""

from datetime import UTC, datetime
from typing import Annotated

import typer
import uvicorn

from api import logging
from api.app import create_app, settle
from api.help_lines import help_lines
from api.settings import Settings
from api.wiring import build_service, open_service
from models.errors import InvalidInput

ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - what an operator may have asked for


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8311,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that serve.")] = 1,
    *,
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="Run the jobs too, in a process beside this one.")
    ] = False,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample", help="Bring the schema up to date, and fill an empty database with the sample."
        ),
    ] = False,
) -> None:
    """Serve HTTP and the console until told to end."""
    if with_worker and workers > 1:
        raise InvalidInput("--with-worker goes with one process; run `tingjian worker` beside several")
    settings = Settings.from_environment()
    logging.configure(settings.log_level)
    warn_of_stale_help_lines(settings)
    if workers > 1:
        with open_service():
            pass  # refuses a database of another schema before processes start
        uvicorn.run(
            "api.app:application",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            access_log=False,
            server_header=False,
            log_config=None,
        )
        return
    if "public_url" not in settings.model_fields_set:
        # Nobody said where people reach it, so it is where it listens.
        shown = "127.0.0.1" if host in ANYWHERE else host
        shown = f"[{shown}]" if ":" in shown else shown
        settings = settings.model_copy(update={"public_url": f"http://{shown}:{port}"})
    service = build_service(settings)
    if sample:
        from api.commands.sample import prepare  # noqa: PLC0415 - only who wants the sample reads it

        service.database.migrate()
        prepare(service)
    service.database.refuse_other_schema()
    typer.echo(f"听见 Tingjian at {settings.public_url}", err=True)
    app = create_app(service, with_worker=with_worker)
    settle()
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        log_config=None,
    )


def warn_of_stale_help_lines(settings: Settings) -> None:
    """Say on standard error which help lines nobody has checked for half a year.

    Raises
    ------
    ConfigurationError
        If the operator's own lines cannot be read.
    """
    for line in help_lines(settings.help_lines).stale(datetime.now(UTC).date()):
        typer.echo(
            f"warning: help line {line.number} was last checked on {line.checked}; check it, and say so",
            err=True,
        )
