"""What goes in and out of the review queue."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.posts import ReasonOut
from models.review import Decision
from models.vocabulary import Action, Category, PostKind, PostState, Verdict
from moderation.alignment import Changed
from moderation.card import Card, Past, Standing
from moderation.leases import OpenedTask
from moderation.precision import Precision
from moderation.review import AT_ONCE, Bulk
from moderation.rulings import REASON_LIMIT
from moderation.similarity import Like


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
    rule: str | None


class QueueOut(BaseModel):
    """One page of the queue, and how much waits in all, whatever the filter."""

    items: list[QueueItemOut]
    total: int
    overdue: int
    by_category: dict[str, int]
    by_urgency: dict[int, int]
    next: str | None = Field(description="Send it as `after` for the next page; null at the end.")


class OpenedTaskOut(BaseModel):
    """A task in one's hands, with the text and what the machine said."""

    task_id: str
    version: int
    lease: str | None = Field(description="Send it when you give the task back.")
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
            "lease": task.lease,
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


class KeptOut(BaseModel):
    """Until when a task stays in one's hands."""

    leased_until: datetime


class VoiceOut(BaseModel):
    """A post of the same thread. Who wrote it is not told, only whether it is the same person."""

    model_config = ConfigDict(from_attributes=True)

    post_id: str
    above: bool
    state: PostState
    created_at: datetime
    text: str
    same_author: bool


class ChangedOut(BaseModel):
    """A stretch that folding changed; offsets are code points of the original."""

    model_config = ConfigDict(from_attributes=True)

    start: int
    end: int
    original: str
    folded: str


class PrecisionOut(BaseModel):
    """How often people bore out what the machine said, with the 95 % interval by Wilson."""

    upheld: int
    decided: int
    share: float | None
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, precision: Precision) -> "PrecisionOut":
        """Return a precision as it goes out."""
        return cls(
            upheld=precision.confirmed,
            decided=precision.decided,
            share=precision.share,
            interval=precision.interval,
        )


class PastOut(BaseModel):
    """What became of near-duplicates on which one of the same rules spoke: outcomes, no posts."""

    published: int
    referred: int
    removed: dict[Category, int]

    @classmethod
    def of(cls, past: Past) -> "PastOut":
        """Return past outcomes as they go out."""
        return cls(published=past.published, referred=past.referred, removed=dict(past.removed or {}))


class CardOut(BaseModel):
    """What stands beside an opened post."""

    thread: list[VoiceOut]
    folded: list[ChangedOut]
    precision: dict[str, PrecisionOut] = Field(description="By rule, or by the probability of a category.")
    past: PastOut
    alike: int = Field(description="Other waiting posts that say nearly the same and are free.")
    harsh: bool

    @classmethod
    def of(cls, card: Card, folded: list[Changed]) -> "CardOut":
        """Return a card as it goes out."""
        return cls(
            thread=[VoiceOut.model_validate(one) for one in card.thread],
            folded=[ChangedOut.model_validate(one) for one in folded],
            precision={name: PrecisionOut.of(one) for name, one in card.precision.items()},
            past=PastOut.of(card.past),
            alike=card.alike,
            harsh=card.harsh,
        )


class StandingIn(BaseModel):
    """A request for the author's standing; `again` asks a second time, before five seconds have passed."""

    model_config = ConfigDict(extra="forbid")

    again: bool = False


class StandingOut(BaseModel):
    """Upheld violations of the post's author that have not expired, by category, and nothing else."""

    violations: dict[Category, int]
    since: datetime

    @classmethod
    def of(cls, standing: Standing) -> "StandingOut":
        """Return a standing as it goes out."""
        return cls(violations=dict(standing.violations), since=standing.since)


class LikeOut(BaseModel):
    """A near-duplicate in one's hands. `differs` are spans of its text, in code points."""

    task_id: str
    version: int
    lease: str | None
    post_id: str
    organisation: str
    text: str
    differs: list[tuple[int, int]]

    @classmethod
    def of(cls, like: Like) -> "LikeOut":
        """Return a near-duplicate as it goes out."""
        return cls(
            task_id=like.task.id,
            version=like.task.version,
            lease=like.task.lease,
            post_id=like.post.id,
            organisation=like.post.organisation,
            text=like.text,
            differs=list(like.differs),
        )


REMOVAL: dict[str, Any] = {
    "if": {"properties": {"action": {"const": Action.REMOVE.value}}},
    "then": {
        "required": ["category", "reason"],
        "properties": {"reason": {"type": "string", "pattern": "\\S"}},
    },
}
"""What a removal must bring, as JSON Schema says it. `Ruling` is what refuses one without."""


class DecisionIn(BaseModel):
    """What the officer decided, about the version that they saw. A removal names its harm and its reason."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=REMOVAL)

    action: Action
    version: int = Field(ge=1)
    category: Category | None = Field(default=None, description="A removal names a harm.")
    reason: str = Field(
        default="", max_length=REASON_LIMIT, description="A removal gives one; the author reads it."
    )


class SeenIn(BaseModel):
    """A task, and the version of it that the officer saw."""

    model_config = ConfigDict(extra="forbid")

    task_id: str = Field(max_length=32)
    version: int = Field(ge=1)


class BulkIn(BaseModel):
    """One decision about many posts. A removal names its harm and its reason."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=REMOVAL)

    tasks: list[SeenIn] = Field(min_length=1, max_length=AT_ONCE)
    action: Action
    category: Category | None = Field(default=None, description="A removal names a harm.")
    reason: str = Field(
        default="", max_length=REASON_LIMIT, description="A removal gives one; every author reads it."
    )


class DecisionOut(BaseModel):
    """A decision on record. Until `leaves_at` it can be undone, and nothing of it has left.

    With `second` and without `leaves_at` it waits for another officer, and nothing has changed yet.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    task_id: str | None
    post_id: str
    revision: int
    action: Action
    category: Category | None
    machine_verdict: Verdict
    decided_at: datetime
    leaves_at: datetime | None
    batch: str | None
    second: str | None = None

    @classmethod
    def of(cls, decision: Decision) -> "DecisionOut":
        """Return a decision as it goes out."""
        return cls.model_validate(decision)


class RefusedOut(BaseModel):
    """A task that was left as it is, and why."""

    model_config = ConfigDict(from_attributes=True)

    task_id: str
    code: str
    changed: dict[str, str | None] | None


class BulkOut(BaseModel):
    """What one decision about many posts did."""

    batch: str
    decided: list[DecisionOut]
    refused: list[RefusedOut]

    @classmethod
    def of(cls, bulk: Bulk) -> "BulkOut":
        """Return a bulk as it goes out."""
        return cls(
            batch=bulk.batch,
            decided=[DecisionOut.of(one) for one in bulk.decided],
            refused=[RefusedOut.model_validate(one) for one in bulk.refused],
        )


class UndoneOut(BaseModel):
    """The tasks that are in one's hands again."""

    tasks: list[SeenIn]


class NoticeOut(BaseModel):
    """Something that calls: where, and since when."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    organisation: str
    subject_id: str
    since: datetime
    raised_at: datetime
