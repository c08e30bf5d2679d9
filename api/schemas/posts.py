"""What goes in and out of `/v1/posts`. `PostIn` describes; `moderation/drafts.py` is what checks."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from models.organisation import PATH_PATTERN
from models.vocabulary import Category, PostKind, PostState, ReasonSource, Verdict
from moderation.drafts import NUMBER_LIMIT, TEXT_LIMIT


class PostEdit(BaseModel):
    """A revision of a post whose source and id stand in the address."""

    model_config = ConfigDict(extra="forbid")

    revision: int = Field(default=1, ge=1, le=NUMBER_LIMIT, description="Ascending; an edit has the next.")
    kind: PostKind
    parent: str | None = Field(default=None, max_length=200, description="external_id of what it answers.")
    organisation: str = Field(pattern=PATH_PATTERN, max_length=200, examples=["gd/dongguan"])
    author: str = Field(min_length=1, max_length=200, description="An opaque key; kept only as a keyed hash.")
    text: str = Field(min_length=1, max_length=TEXT_LIMIT)
    created_at: datetime = Field(description="ISO 8601 with its offset from UTC.")
    place: str | None = Field(default=None, max_length=120)
    likes: int = Field(default=0, ge=0, le=NUMBER_LIMIT)


class PostIn(PostEdit):
    """One revision of one post."""

    source: str = Field(min_length=1, max_length=64, description="The source of the key.")
    external_id: str = Field(min_length=1, max_length=200, description="The platform's own id.")


class ReasonOut(BaseModel):
    """One thing that spoke for a verdict. Spans are [start, end) in code points of the text."""

    source: ReasonSource
    rule: str
    category: Category | None
    clause: str | None
    spans: list[tuple[int, int]]
    probability: float | None


class PostAnswer(BaseModel):
    """The verdict on one revision, and where the post stands now."""

    id: str
    source: str
    external_id: str
    revision: int
    verdict: Verdict
    state: PostState
    category: Category | None
    reasons: list[ReasonOut]
    probabilities: dict[Category, float]
    rulebook: str
    bundle: str | None
    policy: str
    screened_at: datetime
    help: dict[str, Any] | None = Field(
        default=None, description="With verdict refer: whom the author can reach at once."
    )


class DeletionProof(BaseModel):
    """That a post was deleted, when, and how many rows were reached in each table."""

    source: str
    external_id: str
    deleted_at: datetime
    reached: dict[str, int]


class Problem(BaseModel):
    """RFC 9457, with a stable code and the field at fault."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None


class TakenItem(PostAnswer):
    """A post of a batch that was taken; `index` is its place in the batch."""

    index: int
    status: int


class RefusedItem(Problem):
    """A post of a batch that was not taken, and why."""

    index: int


class BatchAnswer(BaseModel):
    """What became of each post, in the order in which they came."""

    results: list[TakenItem | RefusedItem]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}, "description": words}
    for status, words in (
        (400, "The body is not JSON, or nested too deep"),
        (401, "No key, or one that does not hold"),
        (403, "Another source or place than the key's"),
        (404, "No such post, or none that the key reaches"),
        (409, "Another content under the same revision, or an older revision"),
        (410, "The post was deleted"),
        (413, "Too large"),
        (422, "A field breaks its rule"),
    )
}
