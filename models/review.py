"""The review queue, people's decisions, statements of reasons and appeals."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import Action, AppealState, Category, TaskState, Verdict


class ReviewTask(Record, table=True):
    """One post waiting for a person, in the order of `lane`, `urgency` and `due_at`, each ascending.

    Lane 0 is for people in danger, 1 for what is about to pass its limit, 2 for the rest. `rule` is the
    first reason of the screening. `lease` names the page that has the post open, so that a page which
    was left gives back its own lease and no later one. `copy_of` is the fingerprint of the text, written
    after the hold; `noted_at` says that it was looked for. `second` names the removal that a second officer
    has to confirm; meanwhile the task is assigned to nobody. `lot`, drawn by chance when the task was first
    opened, says whether an ordinary card is shown cold (`blind`); nothing else of the row tells it.
    """

    __table_args__ = (
        sa.Index("ix_review_task_queue", "state", "organisation", "urgency", "created_at"),
        # What lists and counts ask stands in the index itself: with 100,000 tasks waiting, looking each
        # of them up in the table takes ten times as long.
        sa.Index(
            "ix_review_task_order", "state", "lane", "urgency", "due_at", "id", "organisation", "second"
        ),
        sa.Index(
            "ix_review_task_category",
            "state",
            "category",
            "lane",
            "urgency",
            "due_at",
            "organisation",
            "second",
            "rule",
        ),
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
    lane: int = Field(default=2, sa_column_kwargs={"server_default": "2"})
    rule: str | None = Field(default=None, max_length=120)
    lease: str | None = Field(default=None, max_length=32)
    leased_at: datetime | None = moment(nullable=True)
    opened_at: datetime | None = moment(nullable=True)
    copy_of: int | None = Field(default=None, sa_type=sa.BigInteger)
    noted_at: datetime | None = moment(nullable=True)
    second: str | None = Field(default=None, max_length=32)
    lot: int | None = Field(default=None, sa_type=sa.SmallInteger)


class TaskLikeness(SQLModel, table=True):
    """A task under one key that it shares with its near-duplicates: keyed hashes, no text."""

    __tablename__ = "task_likeness"

    key: int = Field(primary_key=True, sa_type=sa.BigInteger)
    task_id: str = Field(primary_key=True, foreign_key="reviewtask.id", max_length=32)
    post_id: str = Field(index=True, max_length=32)
    copy_of: int = Field(sa_type=sa.BigInteger)
    noted_at: datetime = moment(index=True)


class Decision(Record, table=True):
    """What a person decided, and what the machine had said.

    Nothing of it leaves before `leaves_at`; until then it can be undone from `before`, what it changed.
    `batch` is common to decisions that were made in one. `second` names its confirmation by another officer.
    """

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
    batch: str | None = Field(default=None, index=True, max_length=32)
    leaves_at: datetime | None = moment(nullable=True)
    before: dict[str, Any] | None = document(nullable=True)
    second: str | None = Field(default=None, max_length=32)


class RuleOutcome(Record, table=True):
    """Whether a person's decision bore out a reason of the machine: counted when a card asks.

    `rule` is what the reason counts for: a rule's id, or the probability of a category.
    """

    __tablename__ = "rule_outcome"
    __table_args__ = (sa.Index("ix_rule_outcome", "rule", "upheld"),)

    rule: str = Field(max_length=200)
    decision_id: str = Field(foreign_key="decision.id", index=True, max_length=32)
    upheld: bool
    decided_at: datetime = moment()


class Statement(Record, table=True):
    """The statement of reasons for one restriction (charter, 4). `token` makes its unguessable link.

    `category` is None for a hold that no rule asked for: there is nothing that it could cite.

    `passages` are offsets into the post's text. `decided_by` is the account that decided, or None
    for a machine; it is kept here so that the database itself can refuse an appeal to the same person.
    Nobody reads it before `leaves_at`, while the decision can still be undone.
    """

    __table_args__ = (sa.Index("ix_statement_post", "post_id"),)

    token: str = Field(unique=True, max_length=64)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    screening_id: str = Field(foreign_key="screening.id", max_length=32)
    decision_id: str | None = Field(default=None, foreign_key="decision.id", max_length=32)
    decided_by: str | None = Field(default=None, max_length=32)
    category: Category | None = word(Category, nullable=True)
    restriction: str = Field(max_length=32)
    reason: str = body()
    passages: list[Any] = document(factory=list)
    automated_detection: bool
    automated_decision: bool
    issued_at: datetime = moment()
    appeal_until: datetime = moment()
    withdrawn_at: datetime | None = moment(nullable=True)
    leaves_at: datetime | None = moment(nullable=True)


class Appeal(Record, table=True):
    """An author's objection. Whoever decided about the post before cannot decide about the objection.

    The database refuses it too: by the check below, and for every decision about the post in `guards`.
    `followed_at` says that what follows from a granted objection was seen to.
    """

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
    followed_at: datetime | None = moment(nullable=True)


class FreshLook(Record, table=True):
    """A removal that a granted objection puts in doubt: same rule, nearly the same text. A suggestion."""

    __tablename__ = "fresh_look"
    __table_args__ = (
        UniqueConstraint("appeal_id", "statement_id"),
        sa.Index("ix_fresh_look_open", "settled_at", "organisation"),
    )

    appeal_id: str = Field(foreign_key="appeal.id", max_length=32)
    statement_id: str = Field(foreign_key="statement.id", index=True, max_length=32)
    post_id: str = Field(foreign_key="post.id", index=True, max_length=32)
    organisation: str = place_in_tree(index=False)
    rule: str = Field(max_length=200)
    proposed_at: datetime = moment()
    settled_at: datetime | None = moment(nullable=True)
    settled_by: str | None = Field(default=None, max_length=32)
    restored: bool | None = None


class RegressionCase(Record, table=True):
    """A post that a granted objection restored: what erred must not err on it again. By reference alone."""

    __tablename__ = "regression_case"
    __table_args__ = (UniqueConstraint("post_id", "revision"),)

    appeal_id: str = Field(foreign_key="appeal.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    category: Category | None = word(Category, nullable=True)
    rules: list[str] = document(factory=list)
    added_at: datetime = moment()
