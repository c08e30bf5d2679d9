"""The inbox of an office: the reports that came up to it, and the receipt when it opens one.

Every look is audited; the first one by the office itself is the receipt, and it stands on the
disposal record of the event. An auditor, or somebody from a level above, looks in and leaves no
receipt: whoever opens a report says which offices they sign for.

Neighbours: `events` puts reports in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from alerts import disposal
from alerts.actor import Actor
from models import audit
from models.errors import NotFound
from models.event import DisposalEntry, Event, InboxItem, Report, ReportExample
from models.organisation import reaches, within
from models.vocabulary import Step

RECEIVED: Final = "上报已签收。"


@dataclass(frozen=True, slots=True)
class Letter:
    """One opened report: figures, examples in an officer's words, and the disposal record so far."""

    item: InboxItem
    event: Event
    report: Report
    examples: list[str]
    record: list[DisposalEntry]


def list_items(
    session: Session,
    scope: Sequence[str],
    *,
    unread: bool = False,
    incidents: Sequence[str] = (),
    before: str | None = None,
    limit: int = 50,
) -> list[InboxItem]:
    """Return what came to the offices at and under `scope`, newest first.

    Reports of immediate danger are there only at and under the nodes of `incidents`.
    """
    open_to_all = col(InboxItem.event_id).not_in(select(Event.id).where(col(Event.immediate).is_(True)))
    query = select(InboxItem).where(
        within(InboxItem.organisation, scope), open_to_all | within(InboxItem.organisation, incidents)
    )
    if unread:
        query = query.where(col(InboxItem.read_at).is_(None))
    if before is not None:
        query = query.where(col(InboxItem.id) < before)
    return list(session.exec(query.order_by(col(InboxItem.id).desc()).limit(limit)))


def open_item(
    session: Session,
    item_id: str,
    actor: Actor,
    *,
    now: datetime,
    signs_for: Sequence[str] = (),
    incidents: Sequence[str] = (),
) -> Letter:
    """Open a report; the first look by the office itself is its receipt.

    Parameters
    ----------
    signs_for
        The very offices that the actor speaks for; a look at what came to any other signs nothing.
    incidents
        The nodes at which the actor handles immediate danger; elsewhere such a report is not there.

    Raises
    ------
    NotFound
        If there is none, or none in the actor's scope.
    """
    item = session.exec(select(InboxItem).where(col(InboxItem.id) == item_id).with_for_update()).one_or_none()
    if item is None:
        raise NotFound("no such report, or none that you may see")
    actor.require(item.organisation)
    event = session.exec(select(Event).where(col(Event.id) == item.event_id).with_for_update()).one()
    if event.immediate and not reaches(incidents, item.organisation):
        raise NotFound("no such report, or none that you may see")
    if item.read_at is None and item.organisation in signs_for:
        item.read_at, item.read_by = now, actor.account_id
        session.add(item)
        disposal.take(
            session,
            event,
            Step.DELIVERED,
            RECEIVED,
            actor=actor,
            now=now,
            details={"report": item.report_id, "item": item.id},
            organisation=item.organisation,
        )
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="inbox.viewed",
        subject=f"report:{item.report_id}",
        organisation=item.organisation,
    )
    session.flush()
    report = session.get_one(Report, item.report_id)
    texts = session.exec(
        select(ReportExample.text)
        .where(col(ReportExample.report_id) == report.id, col(ReportExample.paraphrased).is_(True))
        .order_by(col(ReportExample.id))
    ).all()
    return Letter(
        item, event, report, [text for text in texts if text], disposal.record_of(session, event.id)
    )
