"""Collective demands 集中诉求 and the posts that voice them."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import DemandState, Domain, Trend


class Demand(Record, table=True):
    """One need that many people voice. Its id is permanent; a merge leaves `merged_into` behind.

    `authors` counts distinct authors. `tenth_author_at` is when the threshold was reached, by the
    clock of the posts; `proposed_at` is when the service noticed: their difference is the delay.
    `recount_due` says that posts left and the words of the row are still to be made anew.
    `cohesion` is the probability that its posts are one demand, as the last run that formed it found.
    `delay_seconds` and `delay_posts` lie between the tenth author and the first proposal, kept as they
    were then. `in_concert` are accounts that post in concert and are not counted as people; `voices` are
    people who joined without a post. `heat` (0 to 100), its parts and `trend` are counted by a job.
    """

    __table_args__ = (sa.Index("ix_demand_board", "state", "organisation", "last_posted_at"),)

    title: str = Field(max_length=200)
    titled_by: str | None = Field(default=None, max_length=120)
    domain: Domain = word(Domain)
    organisation: str = place_in_tree(index=False)
    place: str | None = Field(default=None, max_length=120)
    state: DemandState = word(DemandState, default=DemandState.GATHERING)
    posts: int = 0
    authors: int = 0
    terms: list[str] = document(factory=list)
    first_posted_at: datetime = moment()
    last_posted_at: datetime = moment()
    tenth_author_at: datetime | None = moment(nullable=True)
    proposed_at: datetime | None = moment(nullable=True)
    verified_by: str | None = Field(default=None, foreign_key="account.id", max_length=32)
    verified_at: datetime | None = moment(nullable=True)
    rejected_reason: str | None = body(nullable=True)
    merged_into: str | None = Field(default=None, foreign_key="demand.id", max_length=32)
    recount_due: bool = False
    version: int = 1
    cohesion: float | None = None
    delay_seconds: float | None = None
    delay_posts: int | None = None
    in_concert: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    voices: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    heat: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    heat_parts: dict[str, Any] | None = document(nullable=True)
    trend: Trend | None = word(Trend, nullable=True)


class DemandMember(Record, table=True):
    """One post in one demand, with the probability of the join and its parts."""

    __table_args__ = (
        UniqueConstraint("post_id"),
        sa.Index("ix_demand_member_demand", "demand_id"),
    )

    demand_id: str = Field(foreign_key="demand.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    probability: float
    parts: dict[str, Any] = document()
    joined_at: datetime = moment()


class DemandFact(Record, table=True):
    """What a person said about a post and a demand; every later run of the grouping keeps it."""

    __table_args__ = (
        UniqueConstraint("demand_id", "post_id"),
        sa.Index("ix_demand_fact_post", "post_id"),
    )

    demand_id: str = Field(foreign_key="demand.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    belongs: bool
    reason: str = body()
    decided_by: str = Field(max_length=120)
    decided_at: datetime = moment()
    correction_id: str | None = Field(default=None, max_length=32)


class Setting(Record, table=True):
    """A setting that a person changed, with the reason. The newest row of a key and place holds."""

    __table_args__ = (sa.Index("ix_setting_key", "key", "organisation", "changed_at"),)

    key: str = Field(max_length=64)
    organisation: str = place_in_tree(index=False)
    value: Any = document()
    reason: str = body()
    changed_by: str = Field(max_length=120)
    changed_at: datetime = moment()
