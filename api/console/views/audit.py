"""The audit log for auditors: narrowed by who, what, about what, where and when, and to take away."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response
from sqlmodel import Session, col, select

from api import audit_log
from api.audit_log import AuditFilter, ExportFormat
from api.console import page
from api.console.console import pages
from api.dependencies import Now, Reading, Transaction, require
from api.security import Permission, Principal, scopes
from models import anchor, audit
from models.account import Account
from models.errors import InvalidInput

router = pages()
SHOWN: Final = 100
EXPORTED: Final = 50_000
"""Entries that one export of the console has at most; the command has no such bound."""

Auditor = Annotated[Principal, Depends(require(Permission.AUDIT_READ))]


@router.get("/audit")
def audit_page(request: Request, principal: Auditor, session: Reading) -> Response:
    """Show the newest entries that are looked for, a page at a time."""
    sought, problem = _sought(request)
    before = request.query_params.get("before", "")
    entries = audit_log.newest(
        session,
        sought,
        seen=audit_log.seen_by(principal),
        before=int(before) if before.isdecimal() and len(before) < len(str(2**31)) else None,
        limit=SHOWN + 1,
    )
    more = entries[SHOWN - 1].sequence if len(entries) > SHOWN else None
    return page.render(
        request,
        "audit.html",
        principal=principal,
        entries=entries[:SHOWN],
        older=f"/audit?{urlencode({**sought.asked, 'before': more})}" if more else None,
        people=_people(session, [entry.actor for entry in entries]),
        sought=sought,
        problem=problem,
        exports=[
            (kind.value, f"/audit/export?{urlencode({**sought.asked, 'format': kind.value})}")
            for kind in ExportFormat
        ],
        anchor=anchor.newest(session),
    )


@router.get("/audit/export")
def audit_export(
    *,
    principal: Auditor,
    session: Transaction,
    now: Now,
    request: Request,
    kind: Annotated[ExportFormat, Query(alias="format")],
) -> Response:
    """Give what is looked for as a file, oldest first; the export is on the log too."""
    sought = AuditFilter.read(request.query_params)
    seen = audit_log.seen_by(principal)
    rows: list[dict[str, Any]] = []
    for row in audit_log.export_rows(session, sought, seen=seen):
        if len(rows) == EXPORTED:
            raise InvalidInput("more entries than one file has; narrow the days", code="too_many_entries")
        rows.append(row)
    audit.record(
        session,
        now,
        actor=principal.actor,
        action="audit.exported",
        subject="audit",
        organisation=sought.organisation or scopes(principal, Permission.AUDIT_READ)[0],
        details={"entries": len(rows), "sought": sought.asked},
    )
    return Response(
        b"".join(audit_log.written(rows, kind)),
        media_type="text/csv; charset=utf-8" if kind is ExportFormat.CSV else "application/jsonl",
        headers={
            "content-disposition": f'attachment; filename="audit.{kind.value}"',
            "cache-control": "no-store",
        },
    )


def _sought(request: Request) -> tuple[AuditFilter, str | None]:
    """Return what is looked for, or everything and what was wrong."""
    try:
        return AuditFilter.read(request.query_params), None
    except InvalidInput:
        return AuditFilter(), "audit.unclear"


def _people(session: Session, actors: list[str]) -> dict[str, str]:
    """Return the names of the accounts among the actors, by actor."""
    ids = {actor.removeprefix("account:") for actor in actors if actor.startswith("account:")}
    rows = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(ids))).all()
    return {f"account:{identifier}": name for identifier, name in rows}
