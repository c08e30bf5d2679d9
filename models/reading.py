"""What a published post needs, and where. Kept per post for the window, never per author."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, moment, word
from models.organisation import place_in_tree
from models.vocabulary import Domain, Tone


class Reading(Record, table=True):
    """Need, domain, tone and place of one revision. Probabilities are calibrated, 0 to 1.

    `vector` is float16, little-endian, one unit vector, as the bundle named in `bundle` made it.
    `urgency` (0 to 1) is how much the words say that it cannot wait.
    `place` is the official name, as coarse as it was written; `place_span` are offsets in the text.
    """

    __table_args__ = (
        UniqueConstraint("post_id"),
        sa.Index("ix_reading_window", "is_need", "posted_at"),
    )

    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    organisation: str = place_in_tree(index=False)
    is_need: bool
    need_probability: float
    domain: Domain = word(Domain)
    domain_probability: float
    tone: Tone = word(Tone)
    place: str | None = Field(default=None, max_length=120)
    place_start: int | None = None
    place_end: int | None = None
    vector: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    bundle: str | None = Field(default=None, max_length=64)
    posted_at: datetime = moment()
    read_at: datetime = moment()
    clustered_at: datetime | None = moment(nullable=True, index=True)
    urgency: float | None = None
