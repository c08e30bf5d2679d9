"""What people say about demands beside the facts themselves: corrections, suggestions, voices, samples.

A correction is one act of a person, with what stood before it, so that it can be taken back by another
act on record. A suggestion is what the nightly run would do and does not do by itself. A voice is
somebody who joins a demand without a post in it. A sample is a post that officers read blind, to learn
how many demands are missed. A day of a trend is counts alone.

Refuses, by having no column for it: a text of a post, and anything about an author but the keyed hash
by which a voice is counted once.

Neighbours: `demand` holds demands, members and facts; `sentiment/demand` writes all of these.
"""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import (
    CorrectionKind,
    Domain,
    ProbeAnswer,
    SuggestionKind,
    SuggestionState,
)


class DemandCorrection(Record, table=True):
    """One act of a person on a demand. `before` is what undoing puts back: facts, places and titles.

    `other_id` is the new demand of a split, the target of a move, the demand that went in a merge.
    `undoes` names the correction that this one takes back; that one has `undone_at` then.
    """

    __table_args__ = (
        sa.Index("ix_demandcorrection_demand", "demand_id", "made_at"),
        sa.Index("ix_demandcorrection_other", "other_id"),
    )

    kind: CorrectionKind = word(CorrectionKind)
    organisation: str = place_in_tree(index=False)
    demand_id: str = Field(foreign_key="demand.id", max_length=32)
    other_id: str | None = Field(default=None, foreign_key="demand.id", max_length=32)
    posts: list[str] = document(factory=list)
    before: dict[str, Any] = document()
    reason: str = body()
    made_by: str = Field(max_length=120)
    made_at: datetime = moment()
    undo_until: datetime = moment()
    undone_at: datetime | None = moment(nullable=True)
    undoes: str | None = Field(default=None, max_length=32)


class DemandSuggestion(Record, table=True):
    """A split or a merge that the nightly run proposes. It changes nothing until a person accepts it.

    `posts` are those that a split would take out, `other_id` the demand that a merge would take in.
    `fingerprint` keeps what was dismissed from being proposed again.
    """

    __table_args__ = (
        UniqueConstraint("fingerprint"),
        sa.Index("ix_demandsuggestion_state", "state", "organisation"),
    )

    kind: SuggestionKind = word(SuggestionKind)
    organisation: str = place_in_tree(index=False)
    demand_id: str = Field(foreign_key="demand.id", max_length=32)
    other_id: str | None = Field(default=None, foreign_key="demand.id", max_length=32)
    posts: list[str] = document(factory=list)
    probability: float
    reasons: dict[str, Any] = document()
    fingerprint: str = Field(max_length=64)
    state: SuggestionState = word(SuggestionState, default=SuggestionState.OPEN)
    suggested_at: datetime = moment()
    decided_by: str | None = Field(default=None, max_length=120)
    decided_at: datetime | None = moment(nullable=True)
    decided_reason: str | None = body(nullable=True)
    correction_id: str | None = Field(default=None, max_length=32)


class DemandVoice(Record, table=True):
    """Somebody who joined a demand through a platform. `author` is the keyed hash that posts carry.

    Counted once, and not at all while a post of the same author stands in the demand.
    """

    __table_args__ = (UniqueConstraint("demand_id", "author"),)

    demand_id: str = Field(foreign_key="demand.id", max_length=32)
    source: str = Field(max_length=64)
    author: str = Field(max_length=64)
    post_id: str | None = Field(default=None, foreign_key="post.id", max_length=32)
    joined_at: datetime = moment()


class DemandProbe(Record, table=True):
    """A post that an officer reads blind, to say whether it belongs to one of the demands shown.

    `clustered` says whether the service had put it in a demand (`demand_id`) when it was drawn, one of
    `population` such posts of that week. `candidates` stand in an order that says nothing.
    """

    __table_args__ = (
        UniqueConstraint("week", "post_id"),
        sa.Index("ix_demandprobe_open", "answered_at", "organisation"),
    )

    week: date
    post_id: str = Field(foreign_key="post.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    clustered: bool
    demand_id: str | None = Field(default=None, max_length=32)
    population: int
    candidates: list[str] = document(factory=list)
    drawn_at: datetime = moment()
    answer: ProbeAnswer | None = word(ProbeAnswer, nullable=True)
    chosen_id: str | None = Field(default=None, max_length=32)
    answered_by: str | None = Field(default=None, max_length=120)
    answered_at: datetime | None = moment(nullable=True)


class TrendDay(Record, table=True):
    """How many people asked for something on one day, at a node and under it. No domain: in all of them."""

    __tablename__ = "trend_day"
    __table_args__ = (sa.Index("ix_trend_day_place", "organisation", "domain", "day"),)

    day: date
    organisation: str = place_in_tree(index=False)
    domain: Domain | None = word(Domain, nullable=True)
    posts: int
    authors: int
    counted_at: datetime = moment()
