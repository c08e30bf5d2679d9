"""The duty roster over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from alerts.duty import LayerPlan
from api.schemas.access import Path
from api.schemas.alerts import Body, Identifier, Out
from api.schemas.clocks import Reason
from models.service_vocabulary import DutyCover, DutyOrigin

Month = Annotated[str, StringConstraints(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")]


class LayerBody(Body):
    """A layer as it is to be. `version` is needed for a change."""

    name: str = Field(min_length=1, max_length=60)
    people: list[Identifier] = Field(min_length=1, max_length=60)
    begins_on: date
    ends_on: date | None = None
    cover: DutyCover = DutyCover.EVERY_DAY
    turn_days: int = Field(default=1, ge=1, le=31)
    position: int = Field(default=1, ge=1, le=9)

    def plan(self) -> LayerPlan:
        """Return what is wanted."""
        return LayerPlan(
            name=self.name,
            people=tuple(self.people),
            begins_on=self.begins_on,
            ends_on=self.ends_on,
            cover=self.cover,
            turn_days=self.turn_days,
            position=self.position,
        )


class NewLayerBody(LayerBody):
    """A new layer of an organisation's roster."""

    organisation: Path


class ChangedLayerBody(LayerBody):
    """A layer after the change, begun from `version`."""

    version: int = Field(ge=1)


class LayerOut(Out):
    """One layer."""

    id: str
    organisation: str
    name: str
    position: int
    cover: DutyCover
    people: list[str]
    turn_days: int
    begins_on: date
    ends_on: date | None
    version: int


class TurnOut(Out):
    """Who is on duty on one day in one layer."""

    id: str
    layer_id: str
    organisation: str
    day: date
    account_id: str
    origin: DutyOrigin
    frozen_at: datetime | None


class GapOut(Out):
    """A day that needs somebody and has nobody."""

    organisation: str
    day: date
    holiday: str | None
    found_at: datetime


class RosterOut(BaseModel):
    """A month of the rosters in scope, and the gaps ahead."""

    layers: list[LayerOut]
    turns: list[TurnOut]
    gaps: list[GapOut]


class OverrideBody(Body):
    """Who is on duty on a day instead, and why."""

    day: date
    account_id: Identifier
    reason: Reason


class SwapBody(Body):
    """Two turns whose people change their days, and why."""

    one: Identifier
    other: Identifier
    reason: Reason


class HolidayBody(Body):
    """Which holiday's duty is reported up, by its first day."""

    organisation: Path
    first_day: date


class HolidayReportOut(Out):
    """Who is on duty over a holiday, as it went up."""

    id: str
    organisation: str
    to_organisation: str
    holiday: str
    first_day: date
    last_day: date
    sequence: int
    turns: list[dict[str, Any]]
    late: bool
    reported_at: datetime


class FeedBody(Body):
    """Whose roster a feed is of."""

    organisation: Path


class FeedOut(BaseModel):
    """A new feed; its address is shown this once."""

    id: str
    organisation: str
    address: str
