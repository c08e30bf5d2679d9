"""Activities of stations and sign-ups to them over HTTP: by code, never by name."""

from datetime import datetime

from pydantic import BaseModel, Field

from api.schemas.alerts import Body, Identifier, Out
from models.service_vocabulary import SignUpState


class ActivityBody(Body):
    """A new activity. Times carry their offset; without a place it is at the station."""

    title: str = Field(min_length=1, max_length=120)
    starts_at: datetime
    ends_at: datetime
    capacity: int = Field(ge=1, le=1_000)
    place: str = Field(default="", max_length=200)


class ActivityOut(Out):
    """One activity; `taken` of its `capacity` are gone."""

    id: str
    station_id: str
    organisation: str
    title: str
    place: str
    starts_at: datetime
    ends_at: datetime
    capacity: int
    taken: int
    cancelled_at: datetime | None
    version: int


class CodeOut(Out):
    """One sign-up as the station sees it."""

    id: str
    code: str
    state: SignUpState
    signed_up_at: datetime
    rating: int | None


class ActivityCardOut(BaseModel):
    """One activity with who signed up for it, by code."""

    activity: ActivityOut
    sign_ups: list[CodeOut]
    photos: int


class CallOffBody(Body):
    """Why an activity is called off; everybody who signed up hears it."""

    reason: str = Field(min_length=1, max_length=500)
    version: int = Field(ge=1)


class AttendanceBody(Body):
    """Who came, by sign-up; the others did not."""

    came: list[Identifier] = Field(max_length=1_000)
    version: int = Field(ge=1)


class SignUpBody(Body):
    """The platform's own key, made anew for each sign-up; it leads to nobody."""

    key: str = Field(min_length=1, max_length=120)


class SignUpOut(CodeOut):
    """One sign-up as its platform sees it. `code` is what who comes shows."""

    activity_id: str
    key: str
