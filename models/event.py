"""Events, their disposal records, the reports that go up, and the inbox they arrive in."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import CaseKind, CaseState, Domain, EventKind, EventState, Step


class Event(Record, table=True):
    """Something that a level above needs to know. It holds counts and places, never people."""

    __table_args__ = (sa.Index("ix_event_board", "organisation", "state", "created_at"),)

    kind: EventKind = word(EventKind)
    organisation: str = place_in_tree(index=False)
    demand_id: str | None = Field(default=None, foreign_key="demand.id", max_length=32, unique=True)
    title: str = Field(max_length=200)
    domain: Domain = word(Domain)
    place: str | None = Field(default=None, max_length=120)
    state: EventState = word(EventState, default=EventState.VERIFIED)
    created_at: datetime = moment()
    version: int = 1


class Report(Record, table=True):
    """One aggregated report about one event (charter, 5). `figures` is all that goes out."""

    __table_args__ = (UniqueConstraint("event_id", "sequence"),)

    event_id: str = Field(foreign_key="event.id", max_length=32)
    sequence: int
    figures: dict[str, Any] = document()
    reported_by: str = Field(foreign_key="account.id", max_length=32)
    reported_at: datetime = moment()


class ReportExample(Record, table=True):
    """A redacted example in a report. It stands apart so that a deletion can reach it."""

    __table_args__ = (sa.Index("ix_report_example_post", "post_id"),)

    report_id: str = Field(foreign_key="report.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    text: str | None = body(nullable=True)


class DisposalEntry(Record, table=True):
    """One step on the disposal record of an event or a case. Rows are only ever added."""

    __table_args__ = (UniqueConstraint("subject_id", "sequence"),)

    subject_id: str = Field(max_length=32)
    sequence: int
    step: Step = word(Step)
    actor_id: str | None = Field(default=None, max_length=32)
    actor_name: str = Field(max_length=120)
    organisation: str = place_in_tree(index=False)
    text: str = body()
    details: dict[str, Any] = document()
    at: datetime = moment()


class InboxItem(Record, table=True):
    """A report waiting in the inbox of an office, with its receipt."""

    __table_args__ = (
        UniqueConstraint("organisation", "report_id"),
        sa.Index("ix_inbox_item_office", "organisation", "read_at", "arrived_at"),
    )

    organisation: str = place_in_tree(index=False)
    report_id: str = Field(foreign_key="report.id", max_length=32)
    event_id: str = Field(foreign_key="event.id", max_length=32)
    title: str = Field(max_length=200)
    arrived_at: datetime = moment()
    read_at: datetime | None = moment(nullable=True)
    read_by: str | None = Field(default=None, foreign_key="account.id", max_length=32)


class Case(Record, table=True):
    """A collective demand 集中诉求 or an individual help case 帮扶个案 on its way through the offices."""

    __tablename__ = "demand_case"
    __table_args__ = (sa.Index("ix_case_board", "organisation", "state", "opened_at"),)

    kind: CaseKind = word(CaseKind)
    event_id: str | None = Field(default=None, foreign_key="event.id", max_length=32, unique=True)
    demand_id: str | None = Field(default=None, foreign_key="demand.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    state: CaseState = word(CaseState, default=CaseState.DRAFTED)
    form_version: int = 1
    opened_by: str = Field(foreign_key="account.id", max_length=32)
    opened_at: datetime = moment()
    version: int = 1


class FormVersion(Record, table=True):
    """One version of a case's form. Rows are only ever added; the newest holds."""

    __table_args__ = (UniqueConstraint("case_id", "version"),)

    case_id: str = Field(foreign_key="demand_case.id", max_length=32)
    version: int
    fields: dict[str, Any] = document()
    saved_by: str = Field(foreign_key="account.id", max_length=32)
    saved_at: datetime = moment()
