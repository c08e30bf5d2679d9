"""`tingjian calendar`: the confirmed years of holidays and make-up days, and how a new one comes in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alerts import confirming
from alerts.calendar import load_calendar
from api.commands.operator import operator
from api.wiring import open_service

app = typer.Typer(no_args_is_help=True)

Year = Annotated[int, typer.Argument(min=2016, max=2100, help="Such as 2027.")]
File = Annotated[
    Path | None,
    typer.Option(
        help="TOML with `holidays` (name, first, last) and `working`; without it, the library's days."
    ),
]


@app.command("show")
def show(year: Year, notice: File = None) -> None:
    """Show a year's days: as confirmed, or as a notice or the library would have them."""
    with open_service() as service, service.database.reading() as session:
        calendar = load_calendar(session)
    if year in calendar.years and notice is None:
        off, working, state = calendar.holidays, calendar.working, "confirmed"
    else:
        proposed = confirming.read_file(notice, year) if notice else confirming.by_library(year)
        off, working, state = proposed.holidays, proposed.working, "not confirmed"
    typer.echo(f"{year}\t{state}")
    for day in sorted(off):
        if day.year == year:
            typer.echo(f"{day}\toff\t{off[day]}")
    for day in sorted(working):
        if day.year == year:
            typer.echo(f"{day}\tworking")


@app.command("confirm")
def confirm(
    year: Year,
    reason: Annotated[str, typer.Option(help="On what ground, such as the notice's number; kept.")],
    notice: File = None,
    *,
    despite_library: Annotated[
        bool, typer.Option("--despite-library", help="Take the notice's word where the library differs.")
    ] = False,
) -> None:
    """Confirm a year after you compared it with the State Council's notice."""
    found = confirming.read_file(notice, year) if notice else confirming.by_library(year)
    with open_service() as service, service.database.transaction() as session:
        confirming.confirm_year(
            session,
            found,
            actor=operator().name,
            reason=reason,
            now=datetime.now(UTC),
            despite_library=despite_library,
        )
    typer.echo(
        f"{year} is confirmed: {len(found.holidays)} days off, {len(found.working)} make-up working days"
    )
