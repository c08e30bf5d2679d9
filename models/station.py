"""Service stations 线下服务站: what they are, their slots, bookings, activities, and referrals.

Who books or signs up is known by a code and never by a name.

A slot's places are counted in the slot's own row, and the database refuses more than its capacity: two
bookings that race for the last place cannot both have it.
"""

from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.service_vocabulary import BookingState, SignUpState


class Station(Record, table=True):
    """One station. `hours` maps an ISO weekday ("1" is Monday) to pairs of times; `closed_on` are dates.

    `on_holidays` tells whether it opens on statutory holidays. `capacity` is people per slot.
    """

    organisation: str = place_in_tree()
    name: str = Field(max_length=120)
    address: str = Field(max_length=200)
    telephone: str = Field(default="", max_length=40)
    latitude: float | None = None
    longitude: float | None = None
    hours: dict[str, list[list[str]]] = document()
    closed_on: list[str] = document(factory=list)
    on_holidays: bool = False
    services: list[str] = document(factory=list)
    capacity: int = 1
    slot_minutes: int = 60
    created_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)
    version: int = 1


class StationSlot(Record, table=True):
    """One stretch of a station's day, made with its first booking."""

    __tablename__ = "station_slot"
    __table_args__ = (
        UniqueConstraint("station_id", "starts_at"),
        sa.CheckConstraint("booked >= 0 AND booked <= capacity", name="ck_station_slot_room"),
    )

    station_id: str = Field(foreign_key="station.id", max_length=32)
    day: date
    starts_at: datetime = moment()
    ends_at: datetime = moment()
    capacity: int
    booked: int = 0


class StationReferral(Record, table=True):
    """An officer points the author of a post, or a case, to a station. Nobody books for them."""

    __tablename__ = "station_referral"
    __table_args__ = (sa.Index("ix_station_referral_post", "post_id"),)

    station_id: str = Field(foreign_key="station.id", max_length=32)
    organisation: str = place_in_tree()
    post_id: str | None = Field(default=None, foreign_key="post.id", max_length=32)
    case_id: str | None = Field(default=None, foreign_key="demand_case.id", max_length=32)
    service: str = Field(max_length=60)
    referred_by: str = Field(max_length=120)
    referred_at: datetime = moment()


class Booking(Record, table=True):
    """One booking. Who comes shows `code`; the station learns no name. `key` makes a repeat harmless."""

    __table_args__ = (
        UniqueConstraint("source", "key"),
        sa.Index("ix_booking_station", "station_id", "state", "requested_at"),
        sa.Index("ix_booking_place", "organisation", "requested_at"),
    )

    station_id: str = Field(foreign_key="station.id", max_length=32)
    slot_id: str = Field(foreign_key="station_slot.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    source: str = Field(max_length=64)
    key: str = Field(max_length=120)
    code: str = Field(max_length=12)
    service: str = Field(max_length=60)
    referral_id: str | None = Field(default=None, foreign_key="station_referral.id", max_length=32)
    state: BookingState = word(BookingState, default=BookingState.REQUESTED)
    requested_at: datetime = moment()
    decided_by: str | None = Field(default=None, max_length=120)
    decided_at: datetime | None = moment(nullable=True)
    answer: str = body()
    result: str = body()
    result_at: datetime | None = moment(nullable=True)
    rating: int | None = None
    rated_at: datetime | None = moment(nullable=True)
    version: int = 1


class StationActivity(Record, table=True):
    """One activity of a station: when, where, and for how many. `taken` are the places that are gone."""

    __tablename__ = "station_activity"
    __table_args__ = (
        sa.CheckConstraint("taken >= 0 AND taken <= capacity", name="ck_station_activity_room"),
        sa.Index("ix_station_activity_station", "station_id", "starts_at"),
        sa.Index("ix_station_activity_place", "organisation", "starts_at"),
    )

    station_id: str = Field(foreign_key="station.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    title: str = Field(max_length=120)
    place: str = Field(max_length=200)
    starts_at: datetime = moment()
    ends_at: datetime = moment()
    capacity: int
    taken: int = 0
    made_by: str = Field(max_length=120)
    made_at: datetime = moment()
    cancelled_at: datetime | None = moment(nullable=True)
    version: int = 1


class ActivitySignUp(Record, table=True):
    """One place at an activity. `key` is the platform's own word for it; who comes shows `code`."""

    __tablename__ = "activity_sign_up"
    __table_args__ = (UniqueConstraint("activity_id", "source", "key"),)

    activity_id: str = Field(foreign_key="station_activity.id", max_length=32)
    source: str = Field(max_length=64)
    key: str = Field(max_length=120)
    code: str = Field(max_length=12)
    state: SignUpState = word(SignUpState, default=SignUpState.SIGNED_UP)
    signed_up_at: datetime = moment()
    settled_at: datetime | None = moment(nullable=True)
    rating: int | None = None
    rated_at: datetime | None = moment(nullable=True)
    version: int = 1
