"""The duty roster 值班制度: layers and rotations, who is on duty when, gaps, holiday reports, feeds.

What has begun is frozen: `guards` refuses a change of a turn with `frozen_at`, whoever asks.
"""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, document, moment, word
from models.organisation import place_in_tree
from models.service_vocabulary import DutyCover, DutyOrigin


class DutyLayer(Record, table=True):
    """One layer of an organisation's roster: people take turns of `turn_days` days from `begins_on` on.

    `position` 1 is called first. `people` are accounts in the order of their turns.
    """

    __tablename__ = "duty_layer"
    __table_args__ = (UniqueConstraint("organisation", "name"),)

    organisation: str = place_in_tree(index=False)
    name: str = Field(max_length=60)
    position: int = 1
    cover: DutyCover = word(DutyCover, default=DutyCover.EVERY_DAY)
    people: list[str] = document(factory=list)
    turn_days: int = 1
    begins_on: date
    ends_on: date | None = None
    created_by: str = Field(max_length=120)
    created_at: datetime = moment()
    version: int = 1


class DutyTurn(Record, table=True):
    """Who is on duty on one day in one layer."""

    __tablename__ = "duty_turn"
    __table_args__ = (
        UniqueConstraint("layer_id", "day"),
        sa.Index("ix_duty_turn_day", "organisation", "day"),
        sa.Index("ix_duty_turn_frozen", "frozen_at", "day"),
    )

    layer_id: str = Field(foreign_key="duty_layer.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    day: date
    account_id: str = Field(foreign_key="account.id", max_length=32)
    origin: DutyOrigin = word(DutyOrigin, default=DutyOrigin.ROTATION)
    changed_by: str = Field(max_length=120)
    changed_at: datetime = moment()
    frozen_at: datetime | None = moment(nullable=True)


class DutyGap(Record, table=True):
    """A finding: a day that needs somebody has nobody. Closed when somebody is there, or never."""

    __tablename__ = "duty_gap"
    __table_args__ = (UniqueConstraint("organisation", "day"),)

    organisation: str = place_in_tree(index=False)
    day: date
    holiday: str | None = Field(default=None, max_length=40)
    found_at: datetime = moment()
    closed_at: datetime | None = moment(nullable=True)


class HolidayReport(Record, table=True):
    """Who is on duty over a statutory holiday, reported to the level above, ahead of it."""

    __tablename__ = "holiday_report"
    __table_args__ = (UniqueConstraint("organisation", "first_day", "sequence"),)

    organisation: str = place_in_tree(index=False)
    to_organisation: str = place_in_tree()
    holiday: str = Field(max_length=40)
    first_day: date
    last_day: date
    sequence: int = 1
    turns: list[dict[str, Any]] = document(factory=list)
    late: bool = False
    reported_by: str = Field(foreign_key="account.id", max_length=32)
    reported_at: datetime = moment()


class DutyFeed(Record, table=True):
    """A roster as a calendar feed under a link that cannot be guessed; only its hash is kept."""

    __tablename__ = "duty_feed"

    organisation: str = place_in_tree()
    token_hash: str = Field(unique=True, max_length=64)
    created_by: str = Field(max_length=120)
    created_at: datetime = moment()
    revoked_at: datetime | None = moment(nullable=True)
