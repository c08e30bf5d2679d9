"""Records that look after decisions and those who make them: samples, second readings, exposure, reports.

What makes a place in the queue a sample stands here and not on the task, so that nothing an officer is
shown can tell it from an ordinary one. Nothing here holds a text of a post; a report may hold the reporter's
own words, and they go when the report has run out.
"""

from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, UniqueConstraint

from models.base import Record, Word, body, moment, word
from models.organisation import place_in_tree
from models.vocabulary import Action, Category, ReportState, SampleKind, SecondReason, SecondState


class QualitySample(Record, table=True):
    """One post drawn for a blind look, or one golden item put into the queue.

    `chance` is the probability with which it was drawn from its `stratum`. `expected` and
    `expected_category` are a golden item's answer. `twice`: two officers are to read it. `harmful` is
    what was found about a published post in the end; None while nobody knows.
    """

    __tablename__ = "quality_sample"
    __table_args__ = (
        sa.Index("ix_quality_sample_drawn", "kind", "organisation", "drawn_at"),
        sa.Index("ix_quality_sample_post", "post_id"),
    )

    kind: SampleKind = word(SampleKind)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    screening_id: str = Field(foreign_key="screening.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    stratum: str = Field(max_length=64)
    chance: float
    twice: bool = False
    expected: Action | None = word(Action, nullable=True)
    expected_category: Category | None = word(Category, nullable=True)
    harmful: bool | None = None
    drawn_at: datetime = moment()


class SampleTask(SQLModel, table=True):
    """The place in the queue at which a sample is read, once for each reading."""

    __tablename__ = "quality_sample_task"

    task_id: str = Field(primary_key=True, foreign_key="reviewtask.id", max_length=32)
    sample_id: str = Field(foreign_key="quality_sample.id", index=True, max_length=32)


class SampleAnswer(Record, table=True):
    """What one officer said about one sample. `decision_id` is set where the answer took effect at once."""

    __tablename__ = "quality_answer"
    __table_args__ = (
        sa.Index("ix_quality_answer_account", "account_id", "answered_at"),
        sa.Index("ix_quality_answer_due", "settled", "leaves_at"),
    )

    sample_id: str = Field(foreign_key="quality_sample.id", index=True, max_length=32)
    task_id: str = Field(foreign_key="reviewtask.id", index=True, max_length=32)
    account_id: str = Field(foreign_key="account.id", max_length=32)
    action: Action = word(Action)
    category: Category | None = word(Category, nullable=True)
    reason: str = body()
    answered_at: datetime = moment()
    leaves_at: datetime = moment()
    decision_id: str | None = Field(default=None, index=True, max_length=32)
    batch: str | None = Field(default=None, max_length=32)
    settled: bool = False


class SampleFrame(SQLModel, table=True):
    """How many verdicts of one kind there were on one day: what the samples stand for."""

    __tablename__ = "quality_frame"

    day: date = Field(primary_key=True)
    organisation: str = Field(primary_key=True, max_length=200)
    kind: SampleKind = Field(sa_column=sa.Column(Word(SampleKind), primary_key=True))
    stratum: str = Field(primary_key=True, max_length=64)
    verdicts: int = 0


class SampleCursor(SQLModel, table=True):
    """How far the drawing of samples has come through the screenings."""

    __tablename__ = "quality_cursor"

    id: int = Field(primary_key=True, default=1)
    last: str = Field(default="", max_length=32)


class GoldenItem(Record, table=True):
    """A post whose right answer is known, put into the queue again and again. Never an ordinary decision."""

    __tablename__ = "golden_item"
    __table_args__ = (UniqueConstraint("post_id"),)

    post_id: str = Field(foreign_key="post.id", max_length=32)
    organisation: str = place_in_tree()
    expected: Action = word(Action)
    expected_category: Category | None = word(Category, nullable=True)
    added_by: str = Field(max_length=120)
    added_at: datetime = moment()
    retired_at: datetime | None = moment(nullable=True)


class SecondReading(Record, table=True):
    """A removal that a second officer has to confirm. The database itself refuses the same person."""

    __tablename__ = "second_reading"
    __table_args__ = (
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> asked_by", name="ck_second_reading_other_person"
        ),
        sa.CheckConstraint(
            "state <> 'confirmed' OR decided_by IS NOT NULL", name="ck_second_reading_somebody"
        ),
        sa.Index("ix_second_reading_waiting", "state", "organisation", "asked_at"),
        sa.Index("ix_second_reading_post", "post_id"),
    )

    task_id: str = Field(foreign_key="reviewtask.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    screening_id: str = Field(foreign_key="screening.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    why: SecondReason = word(SecondReason)
    category: Category = word(Category)
    reason: str = body()
    asked_by: str = Field(foreign_key="account.id", max_length=32)
    asked_at: datetime = moment()
    expires_at: datetime = moment()
    batch: str | None = Field(default=None, index=True, max_length=32)
    state: SecondState = word(SecondState, default=SecondState.WAITING)
    decided_by: str | None = Field(default=None, foreign_key="account.id", max_length=32)
    decided_at: datetime | None = moment(nullable=True)
    decision_id: str | None = Field(default=None, index=True, max_length=32)


class ExposureDay(SQLModel, table=True):
    """How many harsh posts of a category an officer was shown on one day, and how many they unfolded."""

    __tablename__ = "exposure_day"

    account_id: str = Field(primary_key=True, foreign_key="account.id", max_length=32)
    day: date = Field(primary_key=True)
    category: Category = Field(sa_column=sa.Column(Word(Category), primary_key=True))
    shown: int = 0
    unfolded: int = 0


class TaskPass(SQLModel, table=True):
    """An officer to whom a task is not assigned again until a moment. No reason is asked or kept."""

    __tablename__ = "task_pass"

    task_id: str = Field(primary_key=True, foreign_key="reviewtask.id", max_length=32)
    account_id: str = Field(primary_key=True, foreign_key="account.id", max_length=32)
    until: datetime = moment(index=True)


class UserReport(Record, table=True):
    """A reader's report about a post. `reporter` is a keyed hash, empty once the report has run out."""

    __tablename__ = "user_report"
    __table_args__ = (
        sa.Index("ix_user_report_post", "post_id", "state"),
        sa.Index("ix_user_report_reporter", "reporter", "received_at"),
        sa.Index("ix_user_report_decision", "decision_id"),
        sa.Index("ix_user_report_kept", "received_at"),
    )

    digest: str | None = Field(default=None, unique=True, max_length=64)
    source: str = Field(max_length=64)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    organisation: str = place_in_tree()
    category: Category = word(Category)
    text: str | None = body(nullable=True)
    reporter: str | None = Field(default=None, max_length=64)
    state: ReportState = word(ReportState, default=ReportState.OPEN)
    received_at: datetime = moment()
    decision_id: str | None = Field(default=None, max_length=32)
    settled_at: datetime | None = moment(nullable=True)
