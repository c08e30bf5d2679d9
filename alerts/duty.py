"""The duty roster 值班制度: layers, rotations, overrides and swaps, and what is over stays as it was.

The turns of the next weeks stand as rows. A rotation fills them; what somebody put there by hand stays,
whatever becomes of the rotation. A turn is frozen once its day is over: no change here, and the database
itself refuses one (`models/frozen.py`).

Refuses: people without a role at the place or with a disabled account; changes of a day that is over;
a swap with oneself; a change that was begun from an older version.

Neighbours: `rota` computes, `gaps` finds days without anybody and reports holidays, `duty_feed` shows
the roster to calendars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts import rota
from alerts.actor import Actor
from alerts.calendar import DAY, SHANGHAI, Calendar, load_calendar
from alerts.placed import locked
from models import audit
from models.account import Account, Grant
from models.database import Database
from models.duty import DutyLayer, DutyTurn
from models.errors import Conflict, InvalidInput, NotFound
from models.organisation import Organisation, under, within
from models.service_vocabulary import DutyCover, DutyOrigin

HORIZON: Final = timedelta(days=62)
"""How far ahead turns stand as rows: this month and the next."""

NAME: Final = 60
PEOPLE: Final = 60
REASON: Final = 500
FURTHEST: Final = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """What somebody wants a layer to be."""

    name: str
    people: tuple[str, ...]
    begins_on: date
    cover: DutyCover = DutyCover.EVERY_DAY
    turn_days: int = 1
    position: int = 1
    ends_on: date | None = None


def today(now: datetime) -> date:
    """Return the day in Shanghai."""
    return now.astimezone(SHANGHAI).date()


def rotation_of(layer: DutyLayer) -> rota.Rotation:
    """Return the rotation of a layer's row."""
    return rota.Rotation(layer.cover, tuple(layer.people), layer.turn_days, layer.begins_on, layer.ends_on)


def serving(session: Session, organisation: str) -> dict[str, str]:
    """Return who may be on duty at an organisation: active accounts with a role there or below, by id."""
    rows = session.exec(
        select(Account.id, Account.name)
        .join(Grant, col(Grant.account_id) == col(Account.id))
        .where(col(Account.disabled_at).is_(None), under(Grant.organisation, organisation))
        .order_by(col(Account.name))
    ).all()
    return dict(rows)


def _checked(session: Session, organisation: str, wanted: LayerPlan, now: datetime) -> rota.Rotation:
    """Return the rotation that is wanted, if it can be.

    Raises
    ------
    InvalidInput
        Naming the field that is wrong.
    """
    if not wanted.name.strip() or len(wanted.name) > NAME:
        raise InvalidInput("a layer has a name", code="empty", field="/name")
    if not 1 <= wanted.position <= 9:  # noqa: PLR2004 - nobody calls a tenth
        raise InvalidInput("a place from 1 to 9", field="/position")
    if abs(wanted.begins_on - today(now)) > FURTHEST:
        raise InvalidInput("a layer begins within two years of today", code="absurd_date", field="/begins_on")
    if not 1 <= len(wanted.people) <= PEOPLE:
        raise InvalidInput(f"a layer has 1 to {PEOPLE} people", code="no_people", field="/people")
    strangers = set(wanted.people) - set(serving(session, organisation))
    if strangers:
        raise InvalidInput("somebody has no role at this place", code="not_serving", field="/people")
    try:
        return rota.Rotation(wanted.cover, wanted.people, wanted.turn_days, wanted.begins_on, wanted.ends_on)
    except ValueError as error:
        raise InvalidInput(str(error), code="absurd_date", field="/ends_on") from error


def make_layer(
    session: Session, organisation: str, wanted: LayerPlan, actor: Actor, *, now: datetime
) -> DutyLayer:
    """Add a layer to an organisation's roster and fill the turns of the next weeks.

    Raises
    ------
    NotFound, InvalidInput, Conflict
        If the place is out of reach, a field is wrong, or the name is taken.
    """
    actor.require(organisation)
    if session.get(Organisation, organisation) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    rotation = _checked(session, organisation, wanted, now)
    name = wanted.name.strip()
    if session.exec(
        select(DutyLayer.id).where(DutyLayer.organisation == organisation, DutyLayer.name == name)
    ).first():
        raise Conflict("the roster has a layer of this name", code="name_taken", field="/name")
    layer = DutyLayer(
        organisation=organisation,
        name=name,
        position=wanted.position,
        cover=rotation.cover,
        people=list(rotation.people),
        turn_days=rotation.turn_days,
        begins_on=rotation.begins_on,
        ends_on=rotation.ends_on,
        created_by=actor.audit_name,
        created_at=now,
    )
    session.add(layer)
    session.flush()
    _record(session, layer, actor, "duty.layer_made", now=now, details={"people": layer.people, "name": name})
    fill(session, layer, load_calendar(session), by=actor.audit_name, now=now)
    return layer


def change_layer(
    session: Session, layer_id: str, wanted: LayerPlan, actor: Actor, *, version: int, now: datetime
) -> DutyLayer:
    """Change a layer from today on. What somebody put on the roster by hand stays.

    Raises
    ------
    NotFound, InvalidInput, StaleVersion
        If it is out of reach, a field is wrong, or somebody changed it meanwhile.
    """
    layer = locked(session, DutyLayer, layer_id, actor, called="layer", version=version)
    rotation = _checked(session, layer.organisation, wanted, now)
    layer.name, layer.position, layer.cover = wanted.name.strip(), wanted.position, rotation.cover
    layer.people, layer.turn_days = list(rotation.people), rotation.turn_days
    layer.begins_on, layer.ends_on = rotation.begins_on, rotation.ends_on
    layer.version += 1
    session.add(layer)
    session.flush()
    _record(session, layer, actor, "duty.layer_changed", now=now, details={"people": layer.people})
    fill(session, layer, load_calendar(session), by=actor.audit_name, now=now)
    return layer


def _record(
    session: Session,
    layer: DutyLayer,
    actor: Actor,
    action: str,
    *,
    now: datetime,
    details: Mapping[str, object],
) -> None:
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action=action,
        subject=f"duty_layer:{layer.id}",
        organisation=layer.organisation,
        details=dict(details),
    )


def fill(session: Session, layer: DutyLayer, calendar: Calendar, *, by: str, now: datetime) -> int:
    """Bring the turns of the next weeks to what the rotation says; return how many rows changed.

    Days of a year that nobody has confirmed wait, where the layer asks the calendar.
    """
    first = today(now)
    last = rota.last_known(calendar, layer.cover, min(first, layer.begins_on), first + HORIZON)
    wanted = rota.rotate(rotation_of(layer), first, last, calendar)
    there = {
        turn.day: turn
        for turn in session.exec(
            select(DutyTurn).where(DutyTurn.layer_id == layer.id, col(DutyTurn.day) >= first)
        )
    }
    changed = 0
    for day, turn in there.items():
        if turn.origin is DutyOrigin.ROTATION and day not in wanted:
            session.delete(turn)
            changed += 1
    for day, account in wanted.items():
        found = there.get(day)
        if found is None:
            session.add(
                DutyTurn(
                    layer_id=layer.id,
                    organisation=layer.organisation,
                    day=day,
                    account_id=account,
                    changed_by=by,
                    changed_at=now,
                )
            )
            changed += 1
        elif found.origin is DutyOrigin.ROTATION and found.account_id != account:
            found.account_id, found.changed_by, found.changed_at = account, by, now
            session.add(found)
            changed += 1
    session.flush()
    return changed


@dataclass(frozen=True, slots=True)
class PlanReport:
    """How many turns one round filled in, and how many it froze."""

    filled: int
    frozen: int


def plan_due(database: Database, now: datetime) -> PlanReport:
    """Fill the turns of the weeks ahead in every layer, and freeze those whose day is over."""
    filled = 0
    with database.reading() as session:
        layers = session.exec(
            select(DutyLayer.id).where(
                sa.or_(col(DutyLayer.ends_on).is_(None), col(DutyLayer.ends_on) >= today(now) - DAY)
            )
        ).all()
    for layer_id in layers:
        with database.transaction() as session:
            layer = session.exec(select(DutyLayer).where(DutyLayer.id == layer_id).with_for_update()).one()
            filled += fill(session, layer, load_calendar(session), by="service", now=now)
    with database.transaction() as session:
        return PlanReport(filled, freeze(session, now))


def freeze(session: Session, now: datetime) -> int:
    """Freeze the turns whose day is over; return how many."""
    done = session.connection().execute(
        sa.update(DutyTurn)
        .where(col(DutyTurn.frozen_at).is_(None), col(DutyTurn.day) < today(now))
        .values(frozen_at=now)
    )
    return done.rowcount


def _reason(reason: str) -> str:
    text = reason.strip()
    if not text or len(text) > REASON:
        raise InvalidInput("a change needs its reason", code="reason_needed", field="/reason")
    return text


def _changeable(day: date, now: datetime) -> None:
    if day < today(now):
        raise Conflict("this day is over; the roster of the past stays", code="past_frozen", field="/day")
    if day > today(now) + HORIZON:
        raise InvalidInput("the day is too far ahead", code="absurd_date", field="/day")


def override(
    session: Session, layer_id: str, day: date, account_id: str, actor: Actor, *, reason: str, now: datetime
) -> DutyTurn:
    """Put somebody on duty on one day, whatever the rotation says.

    Raises
    ------
    NotFound, Conflict, InvalidInput
        If the layer is out of reach, the day is over or far ahead, or the person has no role there.
    """
    layer = locked(session, DutyLayer, layer_id, actor, called="layer")
    _changeable(day, now)
    why = _reason(reason)
    if account_id not in serving(session, layer.organisation):
        raise InvalidInput("the person has no role at this place", code="not_serving", field="/account_id")
    turn = session.exec(
        select(DutyTurn).where(DutyTurn.layer_id == layer.id, DutyTurn.day == day).with_for_update()
    ).one_or_none()
    before = turn.account_id if turn else None
    if turn is None:
        turn = DutyTurn(
            layer_id=layer.id,
            organisation=layer.organisation,
            day=day,
            account_id=account_id,
            changed_by=actor.audit_name,
            changed_at=now,
        )
    turn.account_id, turn.origin = account_id, DutyOrigin.OVERRIDE
    turn.changed_by, turn.changed_at = actor.audit_name, now
    session.add(turn)
    session.flush()
    details = {"day": day.isoformat(), "from": before, "to": account_id, "reason": why}
    _record(session, layer, actor, "duty.overridden", now=now, details=details)
    return turn


def swap(
    session: Session, one_id: str, other_id: str, actor: Actor, *, reason: str, now: datetime
) -> tuple[DutyTurn, DutyTurn]:
    """Let two people change their days.

    Raises
    ------
    NotFound, Conflict, InvalidInput
        If a turn is out of reach, of another organisation, over, or both are the same person's.
    """
    turns = {
        turn.id: turn
        for turn in session.exec(
            select(DutyTurn)
            .where(col(DutyTurn.id).in_([one_id, other_id]))
            .order_by(col(DutyTurn.id))
            .with_for_update()
        )
    }
    if set(turns) != {one_id, other_id}:
        raise NotFound("no such turn, or none that you may see")
    one, other = turns[one_id], turns[other_id]
    for turn in (one, other):
        actor.require(turn.organisation)
        _changeable(turn.day, now)
    if one.organisation != other.organisation or one.account_id == other.account_id:
        raise InvalidInput("two people of one roster change their days", code="no_swap", field="/other")
    why = _reason(reason)
    one.account_id, other.account_id = other.account_id, one.account_id
    for turn in (one, other):
        turn.origin, turn.changed_by, turn.changed_at = DutyOrigin.SWAP, actor.audit_name, now
        session.add(turn)
    session.flush()
    layer = session.get_one(DutyLayer, one.layer_id)
    details = {"days": [one.day.isoformat(), other.day.isoformat()], "reason": why}
    _record(session, layer, actor, "duty.swapped", now=now, details=details)
    return one, other


def layers_of(session: Session, organisation: str) -> Sequence[DutyLayer]:
    """Return the layers of one roster, the one that is called first in front."""
    return session.exec(
        select(DutyLayer)
        .where(DutyLayer.organisation == organisation)
        .order_by(col(DutyLayer.position), col(DutyLayer.name))
    ).all()


def turns_between(session: Session, organisation: str, first: date, last: date) -> Sequence[DutyTurn]:
    """Return the turns of one roster from `first` to `last`, by day and layer."""
    return session.exec(
        select(DutyTurn)
        .join(DutyLayer, col(DutyLayer.id) == col(DutyTurn.layer_id))
        .where(DutyTurn.organisation == organisation, col(DutyTurn.day) >= first, col(DutyTurn.day) <= last)
        .order_by(col(DutyTurn.day), col(DutyLayer.position), col(DutyLayer.name))
    ).all()


def on_duty(session: Session, organisations: set[str], *, now: datetime) -> dict[str, list[str]]:
    """Return the names of who is on duty today at some organisations, the first to be called in front."""
    rows = session.exec(
        select(DutyTurn.organisation, Account.name)
        .join(DutyLayer, col(DutyLayer.id) == col(DutyTurn.layer_id))
        .join(Account, col(Account.id) == col(DutyTurn.account_id))
        .where(col(DutyTurn.organisation).in_(organisations), DutyTurn.day == today(now))
        .order_by(col(DutyLayer.position), col(DutyLayer.name))
    ).all()
    found: dict[str, list[str]] = {}
    for organisation, name in rows:
        found.setdefault(organisation, []).append(name)
    return found


def names_of(session: Session, accounts: set[str]) -> dict[str, str]:
    """Return what people are called."""
    rows = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(accounts))).all()
    return dict(rows)


def rosters(session: Session, scope: Sequence[str]) -> list[str]:
    """Return the organisations at and under a scope that keep a roster, in order."""
    return list(
        session.exec(
            select(DutyLayer.organisation)
            .where(within(DutyLayer.organisation, scope))
            .distinct()
            .order_by(col(DutyLayer.organisation))
        )
    )
