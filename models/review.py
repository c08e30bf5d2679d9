"""The review queue, people's decisions, statements of reasons and appeals."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import Action, AppealState, Category, TaskState, Verdict


class ReviewTask(Record, table=True):
    """One post waiting for a person. Lower `urgency` comes first; 0 is the lane for people in danger."""

    __table_args__ = (
        sa.Index("ix_review_task_queue", "state", "organisation", "urgency", "created_at"),
        sa.Index("ix_review_task_post", "post_id"),
    )

    post_id: str = Field(foreign_key="post.id", max_length=32)
    screening_id: str = Field(foreign_key="screening.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    category: Category | None = word(Category, nullable=True)
    urgency: int = 5
    state: TaskState = word(TaskState, default=TaskState.OPEN)
    due_at: datetime = moment()
    leased_by: str | None = Field(default=None, max_length=32)
    leased_until: datetime | None = moment(nullable=True)
    version: int = 1
    created_at: datetime = moment()
    closed_at: datetime | None = moment(nullable=True)


class Decision(Record, table=True):
    """What a person decided, and what the machine had said."""

    __table_args__ = (sa.Index("ix_decision_post", "post_id"),)

    task_id: str | None = Field(default=None, foreign_key="reviewtask.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    screening_id: str = Field(foreign_key="screening.id", max_length=32)
    account_id: str = Field(foreign_key="account.id", max_length=32)
    action: Action = word(Action)
    category: Category | None = word(Category, nullable=True)
    reason: str = body()
    machine_verdict: Verdict = word(Verdict)
    decided_at: datetime = moment(index=True)


class Statement(Record, table=True):
    """The statement of reasons for one removal (charter, 4). `token` makes its unguessable link.

    `passages` are offsets into the post's text. `decided_by` is the account that decided, or None
    for a machine; it is kept here so that the database itself can refuse an appeal to the same person.
    """

    __table_args__ = (sa.Index("ix_statement_post", "post_id"),)

    token: str = Field(unique=True, max_length=64)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    screening_id: str = Field(foreign_key="screening.id", max_length=32)
    decision_id: str | None = Field(default=None, foreign_key="decision.id", max_length=32)
    decided_by: str | None = Field(default=None, max_length=32)
    category: Category = word(Category)
    restriction: str = Field(max_length=32)
    reason: str = body()
    passages: list[Any] = document(factory=list)
    automated_detection: bool
    automated_decision: bool
    issued_at: datetime = moment()
    appeal_until: datetime = moment()
    withdrawn_at: datetime | None = moment(nullable=True)


class Appeal(Record, table=True):
    """An author's objection. Whoever made the decision cannot decide about the objection."""

    __table_args__ = (
        UniqueConstraint("statement_id"),
        sa.CheckConstraint(
            "decided_by IS NULL OR original_decider IS NULL OR decided_by <> original_decider",
            name="ck_appeal_other_person",
        ),
        sa.Index("ix_appeal_queue", "state", "organisation", "submitted_at"),
    )

    statement_id: str = Field(foreign_key="statement.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    text: str | None = body(nullable=True)
    original_decider: str | None = Field(default=None, max_length=32)
    state: AppealState = word(AppealState, default=AppealState.OPEN)
    submitted_at: datetime = moment()
    decided_by: str | None = Field(default=None, foreign_key="account.id", max_length=32)
    decided_at: datetime | None = moment(nullable=True)
    answer: str | None = body(nullable=True)
