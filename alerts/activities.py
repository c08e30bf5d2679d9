"""Activities of a service station: planned, called off, attended, counted.

After one began the station says who came, by their codes. It counts in the figures only when somebody had
signed up and it has photos from after its end (workflows: service stations).

Refuses: times that cannot be, attendance before the beginning or of somebody who did not sign up.

Neighbours: `sign_ups` takes and rates places, `stations` has the stations, `bookings` the single
appointments, `attachments` keeps the photos. Platforms hear by `booking.decided`, as for bookings.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from alerts import stations
from alerts.actor import Actor
from alerts.bookings import RATED_AT_LEAST
from models import audit
from models.casework import Attachment
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion
from models.organisation import within
from models.outbox import tell_platform
from models.service_vocabulary import SignUpState
from models.station import ActivitySignUp, StationActivity
from models.vocabulary import Topic

TITLE: Final = 120
PLACE: Final = 200
REASON: Final = 500
LONGEST: Final = timedelta(days=14)
AHEAD: Final = timedelta(days=366)
PICTURE: Final = "image/"


@dataclass(frozen=True, slots=True)
class ActivityPlan:
    """What an activity is to be. An empty `place` is the station's address."""

    title: str
    starts_at: datetime
    ends_at: datetime
    capacity: int
    place: str = ""


def _wrong(detail: str, name: str) -> InvalidInput:
    return InvalidInput(detail, code="wrong_activity", field=f"/{name}")


def plan_activity(
    session: Session, station_id: str, plan: ActivityPlan, actor: Actor, *, now: datetime
) -> StationActivity:
    """Add an activity to a station.

    Raises
    ------
    NotFound
        If there is no such station in reach, or it is closed for good.
    InvalidInput
        If a field cannot be.
    """
    station = stations.station_of(session, station_id)
    actor.require(station.organisation)
    if station.ended_at is not None:
        raise NotFound("there is no such station")
    title, place = " ".join(plan.title.split()), " ".join(plan.place.split()) or station.address
    if not 1 <= len(title) <= TITLE:
        raise _wrong(f"1 to {TITLE} characters", "title")
    if len(place) > PLACE:
        raise _wrong(f"at most {PLACE} characters", "place")
    if not now < plan.starts_at <= now + AHEAD:
        raise _wrong("an activity begins later than now, within a year", "starts_at")
    if not plan.starts_at < plan.ends_at <= plan.starts_at + LONGEST:
        raise _wrong(f"an activity ends after it begins, within {LONGEST.days} days", "ends_at")
    if not 1 <= plan.capacity <= stations.MOST_PEOPLE:
        raise _wrong(f"1 to {stations.MOST_PEOPLE} people", "capacity")
    activity = StationActivity(
        station_id=station.id,
        organisation=station.organisation,
        title=title,
        place=place,
        starts_at=plan.starts_at,
        ends_at=plan.ends_at,
        capacity=plan.capacity,
        made_by=actor.audit_name,
        made_at=now,
    )
    session.add(activity)
    session.flush()
    _record(session, activity, actor.audit_name, "activity.planned", now)
    return activity


def call_off(
    session: Session, activity_id: str, actor: Actor, *, reason: str, version: int, now: datetime
) -> StationActivity:
    """Call an activity off before it begins; everybody who signed up hears why, through the platform.

    Raises
    ------
    NotFound, StaleVersion, Conflict, InvalidInput
        If it is out of reach, changed meanwhile, begun or called off already, or no reason is given.
    """
    activity = locked(session, activity_id)
    actor.require(activity.organisation)
    _expect(activity, version)
    if activity.cancelled_at is not None or activity.starts_at <= now:
        raise Conflict("the activity is over or called off", code="activity_over")
    why = " ".join(reason.split())
    if not 1 <= len(why) <= REASON:
        raise InvalidInput(f"1 to {REASON} characters", code="reason_needed", field="/reason")
    activity.cancelled_at = now
    activity.version += 1
    session.add(activity)
    for one in sign_ups_of(session, activity.id):
        if one.state is SignUpState.SIGNED_UP:
            _settle(session, activity, one, SignUpState.CANCELLED, now, answer=why)
    session.flush()
    _record(session, activity, actor.audit_name, "activity.called_off", now)
    return activity


def note_attendance(
    session: Session, activity_id: str, actor: Actor, came: Collection[str], *, version: int, now: datetime
) -> StationActivity:
    """Put on record who of those who signed up came; the others did not. A later word corrects an earlier.

    Whoever has rated it did come, and stays so.

    Raises
    ------
    NotFound
        If the activity is out of reach, or somebody is named who did not sign up for it.
    StaleVersion, Conflict
        If it was changed meanwhile, has not begun, or was called off.
    """
    activity = locked(session, activity_id)
    actor.require(activity.organisation)
    _expect(activity, version)
    if activity.cancelled_at is not None or activity.starts_at > now:
        raise Conflict("the activity has not begun", code="activity_ahead")
    people = {
        one.id: one for one in sign_ups_of(session, activity.id) if one.state is not SignUpState.CANCELLED
    }
    if not set(came) <= set(people):
        raise NotFound("somebody did not sign up for this")
    for one in people.values():
        there = one.id in came or one.rating is not None
        state = SignUpState.CAME if there else SignUpState.MISSED
        if one.state is not state:
            _settle(session, activity, one, state, now)
    activity.version += 1
    session.add(activity)
    session.flush()
    _record(session, activity, actor.audit_name, "activity.attended", now)
    return activity


def activity_of(session: Session, activity_id: str) -> StationActivity:
    """Return an activity.

    Raises
    ------
    NotFound
        If there is none.
    """
    activity = session.get(StationActivity, activity_id)
    if activity is None:
        raise NotFound("there is no such activity")
    return activity


def sign_ups_of(session: Session, activity_id: str) -> list[ActivitySignUp]:
    """Return everybody who signed up for an activity, by code and never by name, first come first."""
    return list(
        session.exec(
            select(ActivitySignUp)
            .where(col(ActivitySignUp.activity_id) == activity_id)
            .order_by(col(ActivitySignUp.id))
        )
    )


def list_activities(
    session: Session,
    scope: Sequence[str] | None,
    *,
    station_id: str | None = None,
    ahead: datetime | None = None,
    before: str | None = None,
    limit: int = 100,
) -> list[StationActivity]:
    """Return the activities at and under the nodes of a scope, or of every place for None.

    With `ahead`, those that begin after that moment and are not called off, the next first; otherwise all,
    the newest first, from before the id `before`.
    """
    query = select(StationActivity)
    if scope is not None:
        query = query.where(within(StationActivity.organisation, scope))
    if station_id is not None:
        query = query.where(col(StationActivity.station_id) == station_id)
    if ahead is not None:
        query = query.where(
            col(StationActivity.starts_at) > ahead, col(StationActivity.cancelled_at).is_(None)
        ).order_by(col(StationActivity.starts_at), col(StationActivity.id))
    else:
        query = query.order_by(col(StationActivity.id).desc())
    if before is not None:
        query = query.where(col(StationActivity.id) < before)
    return list(session.exec(query.limit(limit)))


@dataclass(frozen=True, slots=True)
class ActivityFigures:
    """What came of a station's activities. `held` are those that count; `rating` is the mean of `ratings`.

    The mean is None while the ratings are too few to tell. Unit: activities, people, stars.
    """

    planned: int
    held: int
    signed_up: int
    came: int
    ratings: int
    rating: float | None


def figures(session: Session, station_id: str, *, since: datetime, now: datetime) -> ActivityFigures:
    """Return what came of the activities that began since a moment, and before now.

    One counts as held, with everybody in it, when somebody had signed up and it has a photo from after
    its end.
    """
    begun = session.exec(
        select(StationActivity).where(
            col(StationActivity.station_id) == station_id,
            col(StationActivity.starts_at) >= since,
            col(StationActivity.starts_at) <= now,
            col(StationActivity.cancelled_at).is_(None),
        )
    ).all()
    shown = _photographed(session, [one.id for one in begun])
    held = [one.id for one in begun if one.taken > 0 and one.id in shown]
    people = session.exec(
        select(ActivitySignUp).where(
            col(ActivitySignUp.activity_id).in_(held), col(ActivitySignUp.state) != SignUpState.CANCELLED
        )
    ).all()
    ratings = [one.rating for one in people if one.rating is not None]
    return ActivityFigures(
        planned=len(begun),
        held=len(held),
        signed_up=len(people),
        came=sum(one.state is SignUpState.CAME for one in people),
        ratings=len(ratings),
        rating=round(sum(ratings) / len(ratings), 1) if len(ratings) >= RATED_AT_LEAST else None,
    )


def _photographed(session: Session, activities: Collection[str]) -> set[str]:
    """Return which activities have a photo. None is taken before the end (`attachments.to_activity`)."""
    return set(
        session.exec(
            select(Attachment.subject_id).where(
                col(Attachment.subject_id).in_(activities), col(Attachment.media_type).startswith(PICTURE)
            )
        )
    )


def locked(session: Session, activity_id: str) -> StationActivity:
    """Return an activity, held until the transaction ends.

    Raises
    ------
    NotFound
        If there is none.
    """
    activity = session.exec(
        select(StationActivity)
        .where(col(StationActivity.id) == activity_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if activity is None:
        raise NotFound("no such activity, or none that you may see")
    return activity


def _expect(activity: StationActivity, version: int) -> None:
    if activity.version != version:
        raise StaleVersion("the activity was changed meanwhile")


def _settle(
    session: Session,
    activity: StationActivity,
    one: ActivitySignUp,
    state: SignUpState,
    now: datetime,
    *,
    answer: str = "",
) -> None:
    """Settle a sign-up and tell its platform."""
    one.state, one.settled_at = state, now
    one.version += 1
    session.add(one)
    payload: Mapping[str, Any] = {
        "activity": activity.id,
        "sign_up": one.id,
        "key": one.key,
        "station": activity.station_id,
        "state": state.value,
        "answer": answer,
    }
    tell_platform(
        session,
        one.source,
        Topic.BOOKING_DECIDED,
        one.id,
        payload=payload,
        now=now,
        occurrence=f"{state.value}-{one.version}",
    )


def _record(session: Session, activity: StationActivity, actor: str, action: str, now: datetime) -> None:
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"activity:{activity.id}",
        organisation=activity.organisation,
        details={"station": activity.station_id, "version": activity.version},
    )
    session.flush()
