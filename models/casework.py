"""What is worked out in a case: who handles it, what the author consents to, who was told, what was attached.

Nothing here names a person but `CaseConsent.value`, which is sealed, and empty again once the author
takes the consent back, or once the case has been archived for long enough (`alerts/forgetting.py`). A
rating is bound to nobody: `ballot` is a keyed hash that holds for one case and one round, so that ratings
of two cases cannot be laid side by side.

Neighbours: `event` has the case, its form and its record; `alerts` works on all of them.
"""

from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, body, moment, word
from models.organisation import place_in_tree
from models.vocabulary import ConsentItem, Rating, Step, UnitPart


class CaseUnit(Record, table=True):
    """One unit in a case, from when to when. A hand-over ends one row and begins another."""

    __table_args__ = (
        sa.Index("ix_case_unit_case", "case_id", "ended_at"),
        sa.Index("ix_case_unit_place", "organisation", "ended_at"),
    )

    case_id: str = Field(foreign_key="demand_case.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    part: UnitPart = word(UnitPart)
    named_by: str = Field(foreign_key="account.id", max_length=32)
    named_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)


class CaseConsent(Record, table=True):
    """An author's word on passing one thing on: asked for, given in these very words, taken back.

    `token_hash` is the hash of the secret in the author's link, the same for all that was asked together.
    `forgotten_at` is when the value was emptied because nobody needs it any more.
    """

    __table_args__ = (
        UniqueConstraint("token_hash", "item"),
        sa.Index("ix_case_consent_case", "case_id", "item"),
    )

    case_id: str = Field(foreign_key="demand_case.id", max_length=32)
    item: ConsentItem = word(ConsentItem)
    token_hash: str = Field(max_length=64)
    wording: str = body()
    asked_by: str = Field(foreign_key="account.id", max_length=32)
    asked_at: datetime = moment()
    until: datetime = moment()
    value: str | None = body(nullable=True)
    given_at: datetime | None = moment(nullable=True)
    revoked_at: datetime | None = moment(nullable=True)
    forgotten_at: datetime | None = moment(nullable=True)


class CaseTelling(Record, table=True):
    """One telling of the authors of a case, by platform: how many people, of how many.

    `sent` says that the platform takes messages at all; without, nobody there was told.
    """

    __table_args__ = (sa.Index("ix_case_telling_case", "case_id", "round", "step"),)

    case_id: str = Field(foreign_key="demand_case.id", max_length=32)
    round: int
    step: Step = word(Step)
    source: str = Field(max_length=64)
    authors: int
    sent: bool
    at: datetime = moment()


class CaseRating(Record, table=True):
    """One author's word on a result. `ballot` holds for this case and round alone and leads to nobody."""

    __table_args__ = (UniqueConstraint("case_id", "round", "ballot"),)

    case_id: str = Field(foreign_key="demand_case.id", max_length=32)
    round: int
    ballot: str = Field(max_length=32)
    rating: Rating = word(Rating)
    rated_on: date


class Attachment(Record, table=True):
    """A file on the record of an event or a case. Its content lies outside the web root, by its hash."""

    __table_args__ = (sa.Index("ix_attachment_subject", "subject_id", "added_at"),)

    subject_id: str = Field(max_length=32)
    organisation: str = place_in_tree(index=False)
    name: str = Field(max_length=120)
    media_type: str = Field(max_length=100)
    size: int
    sha256: str = Field(max_length=64)
    added_by: str = Field(foreign_key="account.id", max_length=32)
    added_at: datetime = moment()


class EventPost(Record, table=True):
    """One post that tells of an event which no demand stands behind."""

    __table_args__ = (
        UniqueConstraint("event_id", "post_id"),
        sa.Index("ix_event_post_post", "post_id"),
    )

    event_id: str = Field(foreign_key="event.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    joined_at: datetime = moment()
