"""Reply clocks 答复时限 as rows that a job sweeps, and what belongs to them; no text of a post.

The answers that stop them, the calls that they raise, the hand-overs of their questions, and the
years whose calendar a person confirmed.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.service_vocabulary import Answerer, CallStage, ClockRule, ClockSubject, HandoverState


class ConfirmedYear(SQLModel, table=True):
    """A year of the State Council's calendar beyond the shipped table, as a person confirmed it.

    `holidays` maps a day off to its holiday's name, `working` lists the make-up working days; both in
    ISO form. A year is confirmed once; a change of the notice is another row of the same year.
    """

    __tablename__ = "confirmed_year"

    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    sequence: int = Field(primary_key=True, default=1, sa_column_kwargs={"autoincrement": False})
    holidays: dict[str, str] = document()
    working: list[str] = document(factory=list)
    reason: str = body()
    confirmed_by: str = Field(max_length=120)
    confirmed_at: datetime = moment()


class Clock(Record, table=True):
    """One deadline. It runs until `stopped_at`, or until it is `withdrawn_at` with its subject.

    `organisation` is who has to reply now; a hand-over changes it and nothing else. `next_at` is when the
    sweep looks at it again, `stage` what it has called for last.
    """

    __table_args__ = (
        UniqueConstraint("subject", "subject_id"),
        sa.Index("ix_clock_sweep", "stopped_at", "withdrawn_at", "next_at"),
        sa.Index("ix_clock_board", "organisation", "stopped_at", "due_at"),
    )

    subject: ClockSubject = word(ClockSubject)
    subject_id: str = Field(max_length=32)
    organisation: str = place_in_tree(index=False)
    rule: ClockRule = word(ClockRule)
    started_at: datetime = moment()
    due_at: datetime = moment()
    stopped_at: datetime | None = moment(nullable=True)
    stopped_by: Answerer | None = word(Answerer, nullable=True)
    withdrawn_at: datetime | None = moment(nullable=True)
    stage: CallStage | None = word(CallStage, nullable=True)
    next_at: datetime | None = moment(nullable=True)
    version: int = 1


class QuestionAnswer(Record, table=True):
    """That somebody answered a question, on whose word. `post_id` names the answer if it is a post here."""

    __tablename__ = "question_answer"
    __table_args__ = (UniqueConstraint("clock_id", "answer_key"),)

    clock_id: str = Field(foreign_key="clock.id", max_length=32)
    answer_key: str = Field(max_length=200)
    post_id: str | None = Field(default=None, foreign_key="post.id", index=True, max_length=32)
    answered_by: Answerer = word(Answerer)
    answered_at: datetime = moment()
    reported_by: str = Field(max_length=120)
    reported_at: datetime = moment()
    withdrawn_at: datetime | None = moment(nullable=True)


class ClockCall(Record, table=True):
    """People are called to the clocks of one organisation at once: grouped, and not again for a while.

    `organisation` is who is called, `about` whose clocks they are.
    """

    __tablename__ = "clock_call"
    __table_args__ = (
        sa.Index("ix_clock_call_open", "organisation", "seen_at"),
        sa.Index("ix_clock_call_last", "about", "stage", "raised_at"),
    )

    stage: CallStage = word(CallStage)
    organisation: str = place_in_tree(index=False)
    about: str = place_in_tree(index=False)
    clocks: list[str] = document(factory=list)
    earliest_due: datetime = moment()
    raised_at: datetime = moment()
    seen_by: str | None = Field(default=None, foreign_key="account.id", max_length=32)
    seen_at: datetime | None = moment(nullable=True)


class Handover(Record, table=True):
    """One step of a question from one organisation to another, or the suggestion of one. Kept for good."""

    __table_args__ = (
        sa.Index("ix_handover_clock", "clock_id"),
        sa.Index("ix_handover_open", "state", "from_organisation"),
    )

    clock_id: str = Field(foreign_key="clock.id", max_length=32)
    from_organisation: str = place_in_tree(index=False)
    to_organisation: str = place_in_tree(index=False)
    state: HandoverState = word(HandoverState)
    place: str | None = Field(default=None, max_length=120)
    reason: str = body()
    made_by: str = Field(max_length=120)
    made_at: datetime = moment()
    settled_by: str | None = Field(default=None, max_length=120)
    settled_at: datetime | None = moment(nullable=True)
