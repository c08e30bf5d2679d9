"""`tingjian audit`: prove that the log is whole or say where it is broken; list, anchor and export it."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import TypeAdapter, ValidationError
from sqlmodel import col, select

from api.audit_log import AuditFilter, ExportFormat, export_rows, written
from api.commands.operator import operator
from api.wiring import open_service
from models import anchor, audit
from models.anchor import Break, Published
from models.audit import AuditEntry, AuditHead
from models.errors import InvalidInput
from moderation import presence
from moderation.presence import Lost

app = typer.Typer(no_args_is_help=True)

_WORDS = {
    "entry": "the audit log is broken at entry {number} of {length}",
    "tail": "the end of the audit log is missing or was replaced at entry {number} of {length}",
    "anchor": "anchor {number} does not fit the audit log",
    "published": "anchor {number} is not the one that was published",
}


_LOST = {
    Lost.GONE: "it is not there any more",
    Lost.EMPTIED: "its text is gone without a deletion",
    Lost.DELETED: "it was deleted without a proof of it",
    Lost.REMOVED: "it was removed without a person's decision on the log",
    Lost.HELD: "it is held and waits for nobody",
}


@app.command("verify")
def verify(
    anchors: Annotated[
        Path | None,
        typer.Option(help="Anchors that you kept: the JSON of /v1/public/audit/anchors."),
    ] = None,
) -> None:
    """Walk the chain and its anchors, and look at the posts of demands that it names.

    The exit status is 1 if something was changed or is missing.
    """
    kept = read_anchors(anchors) if anchors is not None else []
    with open_service() as service, service.database.reading() as session:
        broken = anchor.verify(session, kept)
        length = session.exec(select(AuditHead.sequence).where(col(AuditHead.id) == 1)).one()
        newest = anchor.newest(session)
        present = presence.look(session)
    if broken is not None:
        typer.echo(told(broken, length), err=True)
        raise typer.Exit(1)
    covered = f", {newest.number} anchors up to entry {newest.last}" if newest else ", no anchor yet"
    compared = f", {len(kept)} of them as they were published" if kept else ""
    typer.echo(f"the audit log holds: {length} entries{covered}{compared}")
    for one in present.vanished:
        typer.echo(f"post {one.post_id} of a demand: {_LOST[one.how]}", err=True)
    if present.vanished:
        raise typer.Exit(1)
    typer.echo(f"no post of a demand vanished without a record: {present.posts} looked at")


def told(broken: Break, length: int) -> str:
    """Return what is broken, in words."""
    return _WORDS[broken.what].format(number=broken.number, length=length)


def read_anchors(path: Path) -> list[Published]:
    """Return the anchors of a file.

    Raises
    ------
    InvalidInput
        If it holds no anchors.
    """
    try:
        return TypeAdapter(list[Published]).validate_json(path.read_bytes())
    except ValidationError:
        raise InvalidInput(f"{path.name} is not a list of anchors") from None


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


@app.command("anchors")
def anchors_command(
    after: Annotated[int, typer.Option(min=0, help="The number of the last one you have.")] = 0,
) -> None:
    """Write the anchors as JSON, as they are published; make the last day's if it is still due."""
    with open_service() as service:
        anchor.anchor_due(service.database, datetime.now(UTC))
        with service.database.reading() as session:
            found = [anchor.document(one) for one in anchor.listed(session, after, 100_000)]
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


@app.command("export")
def export(  # noqa: PLR0917 - each is an option of the command
    kind: Annotated[
        ExportFormat, typer.Option("--format", help="JSON lines, or a table.")
    ] = ExportFormat.JSONL,
    out: Annotated[Path | None, typer.Option(help="A file; standard output if none is given.")] = None,
    organisation: Annotated[str, typer.Option(help="The place; what is under it comes too.")] = "",
    since: Annotated[str, typer.Option(help="The first day in Shanghai, such as 2026-03-01.")] = "",
    until: Annotated[str, typer.Option(help="The last day.")] = "",
    action: Annotated[str, typer.Option(help="How the action begins, such as appeal.")] = "",
    actor: Annotated[str, typer.Option(help="Who, such as account:ID.")] = "",
) -> None:
    """Write entries for auditors, oldest first: no text of a post, no author. It stands in the log itself."""
    sought = AuditFilter.read(
        {"organisation": organisation, "since": since, "until": until, "action": action, "actor": actor}
    )
    count = 0
    with open_service() as service:
        with service.database.transaction() as session:
            audit.record(
                session,
                datetime.now(UTC),
                actor=operator().name,
                action="audit.exported",
                subject="audit",
                organisation=sought.organisation,
                details={"sought": sought.asked},
            )
        file = out.open("wb") if out is not None else sys.stdout.buffer
        try:
            with service.database.reading() as session:
                for line in written(export_rows(session, sought), kind):
                    file.write(line)
                    count += 1
        finally:
            if out is not None:
                file.close()
            else:
                file.flush()
    typer.echo(f"{count - (kind is ExportFormat.CSV)} entries", err=True)
