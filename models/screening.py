"""What the machine said about one revision of a post."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, document, moment, word
from models.vocabulary import Category, Verdict


class Screening(Record, table=True):
    """One verdict with its evidence.

    `reasons` is a list of {"source", "rule", "category", "clause", "spans": [[start, end], …],
    "probability"}; spans are offsets in code points of the original text, never the text itself.
    `is_current` is false for verdicts that a later revision or re-screening replaced.
    """

    __table_args__ = (
        UniqueConstraint("post_id", "revision", "sequence"),
        sa.Index("ix_screening_verdict", "verdict", "screened_at"),
    )

    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    sequence: int = 1
    verdict: Verdict = word(Verdict)
    category: Category | None = word(Category, nullable=True)
    reasons: list[dict[str, Any]] = document(factory=list)
    probabilities: dict[str, float] = document()
    rulebook: str = Field(max_length=64)
    bundle: str | None = Field(default=None, max_length=64)
    policy: str = Field(max_length=64)
    screened_at: datetime = moment()
