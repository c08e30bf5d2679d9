"""Events, their disposal records, the reports that go up, and the inbox they arrive in."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import PathText, place_in_tree
from models.vocabulary import CaseKind, CaseState, Domain, EventKind, EventState, Step


class Event(Record, table=True):
    """Something that a level above needs to know. It holds counts and places, never people.

    `summary` is what an officer says of an incident, in their own words. `immediate` means danger to
    several people now: such an event is for few eyes. `verified_at` is None for those before that column.
    """

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
    immediate: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    summary: str | None = body(nullable=True)
    verified_at: datetime | None = moment(nullable=True)


class Report(Record, table=True):
    """One aggregated report about one event (charter, 5). `figures` is all that goes out."""

    __table_args__ = (UniqueConstraint("event_id", "sequence"),)

    event_id: str = Field(foreign_key="event.id", max_length=32)
    sequence: int
    figures: dict[str, Any] = document()
    reported_by: str = Field(foreign_key="account.id", max_length=32)
    reported_at: datetime = moment()


class ReportExample(Record, table=True):
    """A redacted example in a report. It stands apart so that a deletion can reach it.

    `paraphrased` means that an officer put it into other words, so that nobody finds it by searching, and
    nothing else leaves the place; `paraphrased_by` is that officer's account. Rows from before these two
    columns have neither, and those that were not paraphrased are shown to nobody any more.
    """

    __table_args__ = (sa.Index("ix_report_example_post", "post_id"),)

    report_id: str = Field(foreign_key="report.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    text: str | None = body(nullable=True)
    paraphrased: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    paraphrased_by: str | None = Field(default=None, max_length=32)
    paraphrased_at: datetime | None = moment(nullable=True)


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
    """A collective demand 集中诉求 or an individual help case 帮扶个案 on its way through the offices.

    `lead` is the unit that has it now; every unit there ever was stands in `CaseUnit`. `due_at` is set when
    it is assigned and stays when it is handed over. `round` counts how often it was begun; a result that
    was rated "not solved" begins another. `recurs_from` is the case of a solved demand that came back.
    A help case has its post in `post_id`, and its demand in one line in `title`.
    """

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
    title: str | None = Field(default=None, max_length=200)
    domain: Domain | None = word(Domain, nullable=True)
    post_id: str | None = Field(default=None, index=True, max_length=32)
    lead: str | None = Field(default=None, sa_type=PathText, index=True, nullable=True)
    assigned_at: datetime | None = moment(nullable=True)
    due_at: datetime | None = moment(nullable=True)
    settled_at: datetime | None = moment(nullable=True)
    round: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    recurs_from: str | None = Field(default=None, max_length=32)


class FormVersion(Record, table=True):
    """One version of a case's form. Rows are only ever added; the newest holds."""

    __table_args__ = (UniqueConstraint("case_id", "version"),)

    case_id: str = Field(foreign_key="demand_case.id", max_length=32)
    version: int
    fields: dict[str, Any] = document()
    saved_by: str = Field(foreign_key="account.id", max_length=32)
    saved_at: datetime = moment()
