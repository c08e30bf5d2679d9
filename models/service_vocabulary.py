"""The words of clocks, duty, experts, stations and dispatch; `vocabulary` has those of posts and demands.

Neighbours: `clock`, `duty`, `expert` and `station` are the records that hold them.
"""

from enum import StrEnum


class ClockSubject(StrEnum):
    """What a reply clock is about."""

    QUESTION = "question"
    INVITATION = "invitation"
    BOOKING = "booking"


class ClockRule(StrEnum):
    """Which limit holds (workflows: reply clocks 答复时限)."""

    WORKING_HOURS = "working_hours"
    """3 hours: a working day between 9:00 and 21:00."""
    OFF_HOURS = "off_hours"
    """12 hours: a working day between 21:00 and 9:00, or a day off."""
    CAMPUS = "campus"
    """24 hours: a campus's own board."""
    STATION_OPEN = "station_open"
    """1 hour: a booking made while the station is open."""
    STATION_CLOSED = "station_closed"
    """12 hours: a booking made while it is closed."""


class DayKind(StrEnum):
    """What kind of day the State Council's calendar makes of a date."""

    WORKING_DAY = "working_day"
    MAKE_UP_DAY = "make_up_day"
    """A Saturday or Sunday on which people work 调休上班."""
    WEEKEND = "weekend"
    HOLIDAY = "holiday"

    @property
    def is_working(self) -> bool:
        """Whether people work."""
        return self in {DayKind.WORKING_DAY, DayKind.MAKE_UP_DAY}


class Answerer(StrEnum):
    """Who may answer a question (workflows: reply clocks)."""

    LIAISON_OFFICER = "liaison_officer"
    DUTY_OFFICER = "duty_officer"
    EXPERT = "expert"
    YOUTH_EXPERT = "youth_expert"
    YOUNG_PERSON = "young_person"
    OFFICIAL_ACCOUNT = "official_account"


class CallStage(StrEnum):
    """How far a clock has called people: before its limit, at it, and after it ever higher."""

    WARNING = "warning"
    BREACH = "breach"
    LEAD = "lead"
    ABOVE = "above"


class HandoverState(StrEnum):
    """What became of a question's way to another organisation."""

    SUGGESTED = "suggested"
    DISMISSED = "dismissed"
    HANDED = "handed"
    RETURNED = "returned"


class DutyCover(StrEnum):
    """Which days a layer of the roster is for."""

    WORKING_DAYS = "working_days"
    DAYS_OFF = "days_off"
    EVERY_DAY = "every_day"


class DutyOrigin(StrEnum):
    """Why somebody is on duty on a day."""

    ROTATION = "rotation"
    OVERRIDE = "override"
    SWAP = "swap"


class ExpertField(StrEnum):
    """The fields of the service alliances 服务联盟, and the league's own cadres."""

    STARTUPS = "startups"
    RELATIONSHIPS = "relationships"
    LAW = "law"
    COUNSELLING = "counselling"
    JOBS = "jobs"
    VOLUNTEERING = "volunteering"
    YOUTH_WORK = "youth_work"


class InvitationState(StrEnum):
    """What became of an invitation to answer a question."""

    OPEN = "open"
    ANSWERED = "answered"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class BookingState(StrEnum):
    """How far a booking at a station has come."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    SERVED = "served"
    MISSED = "missed"

    @property
    def holds_a_seat(self) -> bool:
        """Whether it takes one of the slot's places."""
        return self not in {BookingState.DECLINED, BookingState.CANCELLED}


class SignUpState(StrEnum):
    """How far a sign-up to a station's activity has come."""

    SIGNED_UP = "signed_up"
    CANCELLED = "cancelled"
    CAME = "came"
    MISSED = "missed"
