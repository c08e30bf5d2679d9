"""What goes in and out of the review queue."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.posts import ReasonOut
from models.review import Decision
from models.vocabulary import Action, Category, PostKind, Verdict
from moderation.queue import OpenedTask
from moderation.review import REASON_LIMIT


class QueueItemOut(BaseModel):
    """One waiting task: what it is about and how urgent, and no text."""

    model_config = ConfigDict(from_attributes=True)

    task_id: str
    post_id: str
    kind: PostKind
    organisation: str
    place: str | None
    category: Category | None
    verdict: Verdict
    urgency: int = Field(description="0 is the lane for people in danger.")
    created_at: datetime
    due_at: datetime
    overdue: bool
    leased_by: str | None
    version: int


class QueueOut(BaseModel):
    """One page of the queue, and how much waits in all."""

    items: list[QueueItemOut]
    total: int
    overdue: int
    by_category: dict[str, int]
    by_urgency: dict[int, int]


class OpenedTaskOut(BaseModel):
    """A task in one's hands, with the text and what the machine said."""

    task_id: str
    version: int
    leased_until: datetime
    post_id: str
    kind: PostKind
    organisation: str
    place: str | None
    created_at: datetime
    revision: int
    text: str
    verdict: Verdict
    category: Category | None
    reasons: list[ReasonOut]
    probabilities: dict[Category, float]

    @classmethod
    def of(cls, opened: OpenedTask) -> "OpenedTaskOut":
        """Return an opened task as it goes out."""
        task, post, screening = opened.task, opened.post, opened.screening
        values: dict[str, Any] = {
            "task_id": task.id,
            "version": task.version,
            "leased_until": task.leased_until,
            "post_id": post.id,
            "kind": post.kind,
            "organisation": post.organisation,
            "place": post.place,
            "created_at": post.created_at,
            "revision": screening.revision,
            "text": opened.text,
            "verdict": screening.verdict,
            "category": screening.category,
            "reasons": screening.reasons,
            "probabilities": screening.probabilities,
        }
        return cls.model_validate(values)


class DecisionIn(BaseModel):
    """What the officer decided, about the version that they saw."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    version: int = Field(ge=1)
    category: Category | None = Field(default=None, description="A removal names a harm.")
    reason: str = Field(
        default="", max_length=REASON_LIMIT, description="A removal gives one; the author reads it."
    )


class DecisionOut(BaseModel):
    """A decision on record."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    task_id: str | None
    post_id: str
    revision: int
    action: Action
    category: Category | None
    machine_verdict: Verdict
    decided_at: datetime

    @classmethod
    def of(cls, decision: Decision) -> "DecisionOut":
        """Return a decision as it goes out."""
        return cls.model_validate(decision)
