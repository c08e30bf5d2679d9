"""The deliveries log for operators and the audit log for auditors: identifiers, never a text of a post."""

from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from api.console import page
from api.console.console import pages
from api.dependencies import Reading, require
from api.security import Permission, Principal, scopes
from models.account import Account
from models.audit import AuditEntry
from models.organisation import under
from models.outbox import DeliveryAttempt, OutboxMessage, WebhookEndpoint

router = pages()
SHOWN = 100

DeliveryReader = Annotated[Principal, Depends(require(Permission.DELIVERY_READ))]
Auditor = Annotated[Principal, Depends(require(Permission.AUDIT_READ))]


@router.get("/deliveries")
def deliveries(request: Request, principal: DeliveryReader, session: Reading) -> Response:
    """Show the newest messages, where they went and how it ended."""
    roots = scopes(principal, Permission.DELIVERY_READ)
    rows = session.exec(
        select(OutboxMessage, WebhookEndpoint.url)
        .outerjoin(WebhookEndpoint, col(WebhookEndpoint.id) == col(OutboxMessage.endpoint_id))
        .where(or_(*(under(col(OutboxMessage.organisation), root) for root in roots)))
        .order_by(col(OutboxMessage.created_at).desc(), col(OutboxMessage.id).desc())
        .limit(SHOWN)
    ).all()
    statuses = dict(
        session.exec(
            select(DeliveryAttempt.message_id, func.max(DeliveryAttempt.status))
            .where(col(DeliveryAttempt.message_id).in_([message.id for message, _ in rows]))
            .group_by(col(DeliveryAttempt.message_id))
        ).all()
    )
    return page.render(request, "deliveries.html", principal=principal, rows=rows, statuses=statuses)


@router.get("/audit")
def audit_log(request: Request, principal: Auditor, session: Reading) -> Response:
    """Show the newest entries of the audit log, a page at a time."""
    roots = scopes(principal, Permission.AUDIT_READ)
    before = request.query_params.get("before", "")
    seen = [under(col(AuditEntry.organisation), root) for root in roots]
    if any("/" not in root for root in roots):
        # What belongs to no place, such as the operator's own commands, is looked after at the top.
        seen.append(col(AuditEntry.organisation) == "")
    query = select(AuditEntry).where(or_(*seen))
    if before.isdecimal() and len(before) < len(str(2**31)):
        query = query.where(col(AuditEntry.sequence) < int(before))
    entries = session.exec(query.order_by(col(AuditEntry.sequence).desc()).limit(SHOWN + 1)).all()
    return page.render(
        request,
        "audit.html",
        principal=principal,
        entries=entries[:SHOWN],
        more=entries[SHOWN - 1].sequence if len(entries) > SHOWN else None,
        people=_people(session, [entry.actor for entry in entries]),
    )


def _people(session: Session, actors: list[str]) -> dict[str, str]:
    """Return the names of the accounts among the actors, by actor."""
    ids = {actor.removeprefix("account:") for actor in actors if actor.startswith("account:")}
    rows = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(ids))).all()
    return {f"account:{identifier}": name for identifier, name in rows}
