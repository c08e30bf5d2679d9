"""`tingjian audit`: prove that the audit log is whole, or say where it is broken."""

from typing import Annotated

import typer
from sqlmodel import col, select

from api.wiring import open_service
from models.audit import AuditEntry, AuditHead, first_break

app = typer.Typer(no_args_is_help=True)


@app.command("verify")
def verify() -> None:
    """Walk the chain of hashes; the exit status is 1 if it is broken."""
    with open_service() as service, service.database.reading() as session:
        broken = first_break(session)
        length = session.exec(select(AuditHead.sequence).where(col(AuditHead.id) == 1)).one()
    if broken is not None:
        typer.echo(f"the audit log is broken at entry {broken} of {length}", err=True)
        raise typer.Exit(1)
    typer.echo(f"the audit log holds: {length} entries")


@app.command("list")
def listing(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
) -> None:
    """List the newest entries: number, time, actor, action, subject, place."""
    query = select(AuditEntry).order_by(col(AuditEntry.sequence).desc()).limit(limit)
    with open_service() as service, service.database.reading() as session:
        for entry in session.exec(query):
            typer.echo(
                f"{entry.sequence}\t{entry.at:%Y-%m-%dT%H:%M:%SZ}\t{entry.actor}\t{entry.action}\t"
                f"{entry.subject}\t{entry.organisation or '-'}"
            )
