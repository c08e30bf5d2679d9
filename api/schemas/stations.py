"""Stations, bookings, referrals and experts over HTTP."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from alerts.stations import StationPlan
from api.schemas.access import Path
from api.schemas.alerts import Body, Identifier, Out
from models.service_vocabulary import BookingState, ExpertField, InvitationState

Hours = dict[str, list[list[str]]]


class StationBody(Body):
    """A station as it is to be. `hours` maps weekdays "1" (Monday) to "7" to pairs of times."""

    name: str = Field(min_length=1, max_length=120)
    address: str = Field(min_length=1, max_length=200)
    hours: Hours = Field(max_length=7)
    services: list[str] = Field(min_length=1, max_length=30)
    capacity: int = Field(default=1, ge=1, le=1_000)
    slot_minutes: int = Field(default=60, ge=10, le=480)
    telephone: str = Field(default="", max_length=40)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    closed_on: list[date] = Field(default_factory=list, max_length=200)
    on_holidays: bool = False

    def plan(self) -> StationPlan:
        """Return what is wanted."""
        return StationPlan(
            name=self.name,
            address=self.address,
            hours=self.hours,
            services=tuple(self.services),
            capacity=self.capacity,
            slot_minutes=self.slot_minutes,
            telephone=self.telephone,
            latitude=self.latitude,
            longitude=self.longitude,
            closed_on=tuple(self.closed_on),
            on_holidays=self.on_holidays,
        )


class NewStationBody(StationBody):
    """A new station of an organisation."""

    organisation: Path


class ChangedStationBody(StationBody):
    """A station after the change, begun from `version`."""

    version: int = Field(ge=1)


class StationOut(Out):
    """One station, as everybody may see it."""

    id: str
    organisation: str
    name: str
    address: str
    telephone: str
    latitude: float | None
    longitude: float | None
    hours: Hours
    closed_on: list[date]
    on_holidays: bool
    services: list[str]
    capacity: int
    slot_minutes: int
    version: int


class SlotOut(Out):
    """One slot of a day, and the places left in it."""

    starts_at: datetime
    ends_at: datetime
    left: int


class BookBody(Body):
    """What a platform books for somebody: under its own key, so that a repeat does no harm."""

    key: str = Field(min_length=1, max_length=120)
    starts_at: datetime
    service: str = Field(min_length=1, max_length=60)
    referral_id: Identifier | None = None


class BookingOut(Out):
    """One booking. `code` is what who comes shows at the station."""

    id: str
    station_id: str
    organisation: str
    key: str
    code: str
    service: str
    referral_id: str | None
    state: BookingState
    requested_at: datetime
    decided_at: datetime | None
    answer: str
    result: str
    rating: int | None
    version: int


class DecideBody(Body):
    """Whether a booking is confirmed; declined with the reason."""

    confirm: bool
    answer: str = Field(default="", max_length=500)
    version: int = Field(ge=1)


class SettleBody(Body):
    """Whether somebody came, and what came of it."""

    served: bool
    result: str = Field(default="", max_length=500)
    version: int = Field(ge=1)


class RateBody(Body):
    """How it was, from 1 to 5."""

    stars: int = Field(ge=1, le=5)


class ReferBody(Body):
    """A post or a case, and the station and the service that could help."""

    station_id: Identifier
    service: str = Field(min_length=1, max_length=60)
    post_id: Identifier | None = None
    case_id: Identifier | None = None


class ReferralOut(Out):
    """One referral."""

    id: str
    station_id: str
    organisation: str
    post_id: str | None
    case_id: str | None
    service: str
    referred_at: datetime


class ExpertBody(Body):
    """An expert on an organisation's list."""

    organisation: Path
    name: str = Field(min_length=1, max_length=64)
    field: ExpertField
    title: str = Field(default="", max_length=120)
    alliance: str = Field(default="", max_length=120)


class ExpertOut(Out):
    """One expert."""

    id: str
    organisation: str
    name: str
    title: str
    alliance: str
    field: ExpertField
    version: int


class FieldFiguresOut(Out):
    """What came of the invitations in one field, the last thirty days."""

    field: ExpertField
    invited: int
    answered: int
    in_time: int
    declined: int
    hours: float | None


class ExpertsOut(BaseModel):
    """The experts in scope, and what came of their invitations."""

    experts: list[ExpertOut]
    figures: list[FieldFiguresOut]


class InviteBody(Body):
    """The question that an expert is invited to, by its clock."""

    clock_id: Identifier


class InvitationOut(BaseModel):
    """A new invitation; its address is shown this once."""

    id: str
    state: InvitationState
    address: str
