"""Take a step of a case: reviewed, assigned, planned, fed back, settled, told, archived, begun anew.

Each step is taken once: whoever takes it names the version of the case that they saw, and a second taker is
told that it is stale. The deadline is set when a case is assigned and runs on through every return and
hand-over; only the coordination group sets another.

Refuses: a step that may not follow, or is another desk's; a unit that there is not, or that has it already;
a day that is past or more than a year off; a result without a plan; an archive before the users were told.

Neighbours: `case_steps` knows the order, `desks` who sits where, `loop` tells the authors, `consent` passes
a name on with the case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlmodel import Session

from alerts import case_steps, cases, consent, disposal, loop
from alerts.desks import Desk, Worker
from models.casework import CaseUnit
from models.errors import Conflict, InvalidInput, NotPermitted, StaleVersion
from models.event import Case, DisposalEntry
from models.organisation import Organisation, is_under
from models.outbox import tell_offices
from models.vocabulary import CaseState, Step, Topic, UnitPart

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
TEXT: Final = 2_000
LONGEST: Final = timedelta(days=366)
GIVEN: Final = timedelta(days=30)
"""What a unit has if nobody names a day."""

JOINT_LIMIT: Final = 10
NO_WORDS: Final = {Step.ACCEPTED: "已接办。", Step.ARCHIVED: "已归档。"}
INTO_FIELD: Final = {
    Step.ASSIGNED: "coordination_opinion",
    Step.RESULT: "result",
    Step.REMARK: "leader_remark",
}
"""Steps whose words are also written into the form."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a step may name besides its words: units, and the day by which the result is wanted."""

    unit: str | None = None
    joint: Sequence[str] = ()
    due_on: date | None = None


NOTHING: Final = Named()


def take_step(
    session: Session,
    case_id: str,
    worker: Worker,
    step: Step,
    text: str,
    *,
    version: int,
    now: datetime,
    links: loop.Links,
    named: Named = NOTHING,
) -> DisposalEntry:
    """Take one step of a case; the record gets an entry, and the case moves to where the step leads.

    Parameters
    ----------
    version
        The version of the case that the worker saw.
    named
        For `assigned` the unit and those that join in; for `handed_over` the next unit; for `joined` those
        that join in.

    Raises
    ------
    NotFound, NotPermitted
        If they may not see the case, or the step is another desk's.
    StaleVersion
        If somebody changed the case meanwhile.
    Conflict
        If the step may not follow now.
    InvalidInput
        If words, a unit or a day are missing or wrong.
    """
    case = cases.locked_case(session, case_id)
    units = cases.units_of(session, case.id)
    known = case_steps.CASE_STEPS.get(step)
    worker.require_desk(case, cases.names_of(units), known.desks if known else tuple(Desk))
    if case.version != version:
        raise StaleVersion("the case was changed meanwhile")
    before = case.state
    to = case_steps.led_to(before, step)
    words = _words(step, text)
    _require_earlier(session, case, step)
    _require_unit(worker, case, step, units)
    details: dict[str, Any] = {"from": before.value, "to": to.value}
    details |= _name_units(session, case, worker, step, named=named, units=units, now=now)
    if step is Step.REOPENED:
        loop.begin_again(case)
    else:
        case.state = to
        case.version += 1
    if step is Step.RESULT:
        case.settled_at = now
    details["round"] = case.round
    session.add(case)
    if step in INTO_FIELD:
        _into_form(session, case, worker, key=INTO_FIELD[step], words=words, now=now)
    entry = disposal.append(session, case, step, words, actor=worker, now=now, details=details)
    session.flush()
    if step in case_steps.TO_AUTHORS:
        loop.tell_authors(session, case, entry, links, now)
    if step in case_steps.TAKES_UNIT and case.lead is not None:
        _tell_unit(session, case, entry, links, now)
    session.flush()
    return entry


def _words(step: Step, text: str) -> str:
    cleaned = text.strip()
    if not cleaned and step in NO_WORDS:
        return NO_WORDS[step]
    if not cleaned:
        raise InvalidInput("say what was done, or why", code="no_note", field="/text")
    if len(cleaned) > TEXT:
        raise InvalidInput(f"longer than {TEXT} characters", code="too_long", field="/text")
    return cleaned


def _require_earlier(session: Session, case: Case, step: Step) -> None:
    """Refuse a result without a plan, an archive before the users were told, and a new round unasked for."""
    if step in {Step.RESULT, Step.ARCHIVED}:
        needed = Step.PLANNED if step is Step.RESULT else Step.FEED_BACK_USERS
        record = disposal.record_of(session, case.id)
        if not any(one.step is needed and one.details.get("round") == case.round for one in record):
            code = "no_plan" if step is Step.RESULT else "users_not_told"
            raise Conflict(f"{needed.value} comes first", code=code)
    if step is Step.REOPENED and not loop.was_not_solved(session, case):
        raise Conflict("nobody rated the result as not solved", code="not_asked_again")


def _require_unit(worker: Worker, case: Case, step: Step, units: Sequence[CaseUnit]) -> None:
    """Refuse a step of the leading unit to those that only join in."""
    alone = {Step.ACCEPTED, Step.RETURNED, Step.PLANNED, Step.RESULT}
    joining = [one.organisation for one in units if one.part is UnitPart.JOINT]
    if (
        step in alone
        and not worker.sits(Desk.UNIT, case.lead)
        and any(worker.sits(Desk.UNIT, unit) for unit in joining)
    ):
        raise NotPermitted("the leading unit does this", code="leading_unit")


def _name_units(
    session: Session,
    case: Case,
    worker: Worker,
    step: Step,
    *,
    named: Named,
    units: Sequence[CaseUnit],
    now: datetime,
) -> dict[str, Any]:
    """Begin and end the rows of the units that a step names; return what the record says of it."""
    said: dict[str, Any] = {}
    if step is Step.RETURNED:
        said["unit"] = case.lead
        _end(session, units, now)
        case.lead = None
    if step in case_steps.TAKES_UNIT:
        unit = _known(session, named.unit, "/unit")
        said |= {"unit": unit, "before": case.lead}
        if step is Step.HANDED_OVER:
            _require_hand_over(worker, case, unit)
            _end(
                session, [one for one in units if one.part is UnitPart.LEAD or one.organisation == unit], now
            )
        else:
            _end(session, units, now)
            _set_deadline(case, named.due_on, now)
        case.lead = unit
        _begin(session, case, worker, unit, part=UnitPart.LEAD, now=now)
    if step in case_steps.TAKES_JOINT:
        joint = _joint(session, case, step, named, units)
        for unit in joint:
            _begin(session, case, worker, unit, part=UnitPart.JOINT, now=now)
        if joint:
            said["joint"] = joint
    if case.due_at is not None and step in case_steps.TAKES_UNIT:
        said["due"] = case.due_at.isoformat()
    return said


def _known(session: Session, unit: str | None, where: str) -> str:
    if unit is None or session.get(Organisation, unit) is None:
        raise InvalidInput("there is no such unit", code="unknown_unit", field=where)
    return unit


def _joint(session: Session, case: Case, step: Step, named: Named, units: Sequence[CaseUnit]) -> list[str]:
    there = set() if step is Step.ASSIGNED else set(cases.names_of(units))
    joint = [_known(session, unit, "/joint") for unit in named.joint]
    if step is Step.JOINED and not joint:
        raise InvalidInput("name a unit", code="unknown_unit", field="/joint")
    if len(joint) > JOINT_LIMIT or len(set(joint)) != len(joint) or ({case.lead} | there) & set(joint):
        raise InvalidInput(
            "a unit is named twice, or has the case already", code="unit_twice", field="/joint"
        )
    return joint


def _require_hand_over(worker: Worker, case: Case, unit: str) -> None:
    """Refuse a hand-over to the same unit; across is the coordination group's, down the unit's too."""
    if unit == case.lead:
        raise InvalidInput("the unit has the case already", code="unit_twice", field="/unit")
    down = case.lead is not None and is_under(unit, case.lead) and worker.sits(Desk.UNIT, case.lead)
    if not down and not worker.sits(Desk.COORDINATION, case.organisation):
        raise NotPermitted("only the coordination group hands a case across", code="hand_over_across")


def _set_deadline(case: Case, due_on: date | None, now: datetime) -> None:
    """Set the day by which the result is wanted. Without a day named, one that runs already goes on."""
    today = now.astimezone(SHANGHAI).date()
    if due_on is not None and not today <= due_on <= today + LONGEST:
        raise InvalidInput("the day is past, or more than a year off", code="absurd_date", field="/due_on")
    if case.assigned_at is None:
        case.assigned_at = now
    if due_on is None and case.due_at is not None:
        return
    end = due_on or today + GIVEN
    case.due_at = datetime.combine(end, time(23, 59, 59), SHANGHAI)


def _end(session: Session, units: Sequence[CaseUnit], now: datetime) -> None:
    for one in units:
        one.ended_at = now
        session.add(one)


def _begin(session: Session, case: Case, worker: Worker, unit: str, *, part: UnitPart, now: datetime) -> None:
    session.add(
        CaseUnit(case_id=case.id, organisation=unit, part=part, named_by=worker.account_id, named_at=now)
    )


def _into_form(session: Session, case: Case, worker: Worker, *, key: str, words: str, now: datetime) -> None:
    """Write the words of a step into its field, below what stands there."""
    fields = dict(cases.newest_form(session, case).fields)
    day = now.astimezone(SHANGHAI).date().isoformat()
    fields[key] = "\n".join(
        part for part in (fields.get(key, ""), f"{words}（{worker.name}，{day}）") if part
    )
    cases.write_form(session, case, fields, worker, now)


def _tell_unit(session: Session, case: Case, entry: DisposalEntry, links: loop.Links, now: datetime) -> None:
    """Tell the leading unit that a case is theirs; with the author's consent, whom it is about."""
    tell_offices(
        session,
        case.lead or case.organisation,
        Topic.CASE_ASSIGNED,
        case.id,
        payload={
            "case": case.id,
            "kind": case.kind.value,
            "unit": case.lead,
            "due": case.due_at.isoformat() if case.due_at else None,
            "form_version": case.form_version,
        },
        now=now,
        occurrence=entry.id,
    )
    consent.pass_on(session, case, entry, links, now)


def is_late(case: Case, now: datetime) -> bool:
    """Return whether the deadline of a case has passed without a result."""
    waiting = case.state in {CaseState.ASSIGNED, CaseState.IN_PROGRESS, CaseState.UNDER_REVIEW}
    return waiting and case.due_at is not None and now > case.due_at
