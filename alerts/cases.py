"""Collective demands 集中诉求 on their way through the offices: opened, listed, shown, their form saved.

Only what the report said goes into a form, so the form tells of nobody either. Each desk fills in its own
fields; every save is a version, and earlier ones stay.

Neighbours: `handling` takes the steps, `helping` opens help cases 帮扶个案, `forms` knows the fields,
`desks` who may see and do what, `recurrence` what came before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Session, col, or_, select

from alerts import case_steps, disposal, forms, recurrence
from alerts.actor import Actor
from alerts.desks import Desk, Worker
from models import audit
from models.casework import CaseUnit
from models.errors import Conflict, NotFound, NotPermitted, StaleVersion
from models.event import Case, DisposalEntry, Event, FormVersion, Report
from models.organisation import Organisation, under
from models.vocabulary import (
    DOMAIN_WORDS,
    CaseKind,
    CaseState,
    EventKind,
    OrganisationKind,
    Step,
    UnitPart,
)

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
OPENED: Final = "已建立集中诉求办理表。"
TRENDS: Final = {"rising": "上升", "steady": "平稳", "falling": "下降"}
FIELD_DESKS: Final[Mapping[str, tuple[Desk, ...]]] = {
    "coordination_opinion": (Desk.COORDINATION,),
    "result": (Desk.UNIT, Desk.COORDINATION),
    "leader_remark": (Desk.LEADER, Desk.COORDINATION),
}
"""Whose a field is. All others are the operations team's; the coordination group may write in any."""


@dataclass(frozen=True, slots=True)
class CaseCard:
    """A case with the newest version of its form, its units, its record, and what may be done now."""

    case: Case
    title: str
    form: FormVersion
    sheet: forms.Sheet
    versions: list[FormVersion]
    units: list[CaseUnit]
    record: list[DisposalEntry]
    open_steps: list[Step]
    earlier: list[recurrence.Earlier]
    fillable: frozenset[str]


def open_form(session: Session, event_id: str, actor: Actor, *, now: datetime) -> Case:
    """Open the form of a reported collective demand, filled from what was reported.

    Raises
    ------
    Conflict
        If the event is no collective demand, was not reported yet, or has its form already.
    """
    event = disposal.locked(session, event_id, actor)
    if event.kind is not EventKind.COLLECTIVE_DEMAND:
        raise Conflict("only a collective demand has this form", code="no_form")
    if session.exec(select(Case.id).where(col(Case.event_id) == event.id)).first():
        raise Conflict("the form is open already", code="form_open")
    report = session.exec(
        select(Report).where(col(Report.event_id) == event.id).order_by(col(Report.sequence).desc())
    ).first()
    if report is None:
        raise Conflict("report the event first", code="not_reported")
    earlier = recurrence.before(session, event)
    case = Case(
        kind=CaseKind.COLLECTIVE_DEMAND,
        event_id=event.id,
        demand_id=event.demand_id,
        organisation=event.organisation,
        opened_by=actor.account_id,
        opened_at=now,
        title=event.title,
        domain=event.domain,
        recurs_from=earlier[0].case_id if earlier else None,
    )
    session.add(case)
    session.flush()
    first_form(session, case, _filled(session, event, report.figures, now), actor, now)
    disposal.take(session, event, Step.FORM_OPENED, OPENED, actor=actor, now=now, details={"case": case.id})
    disposal.append(session, case, Step.FORM_OPENED, OPENED, actor=actor, now=now, details={"round": 1})
    session.flush()
    return case


def first_form(
    session: Session, case: Case, values: Mapping[str, str], actor: Actor, now: datetime
) -> FormVersion:
    """Save the first version of a case's form."""
    form = FormVersion(
        case_id=case.id,
        version=1,
        fields=forms.checked(case.kind, values),
        saved_by=actor.account_id,
        saved_at=now,
    )
    session.add(form)
    return form


def _filled(session: Session, event: Event, figures: Mapping[str, Any], now: datetime) -> dict[str, str]:
    counts = figures["counts"]
    where = figures["names"].get(event.organisation, event.organisation)
    lines = [
        f"领域：{DOMAIN_WORDS[event.domain].zh}。",
        f"截至统计时，共 {counts['posts']} 条帖子，不少于 {counts['authors']} 人反映。",
    ]
    if counts["trend"] in TRENDS:
        lines.append(f"趋势：{TRENDS[counts['trend']]}。")
    spread = [
        f"{figures['names'].get(row['cell'], row['cell']) or '未写明'} {row['posts']} 条"
        if row["cell"] is not None
        else f"其他 {row['posts']} 条"
        for row in counts["spread"]
    ]
    if len(spread) > 1:
        lines.append(f"分布：{'，'.join(spread)}。")
    lines.append("拟办意见：")
    return {
        "issued_on": now.astimezone(SHANGHAI).date().isoformat(),
        "group": f"{where}{'学生' if _is_campus(session, event.organisation) else '青年'}",
        "period": f"{counts['period']['from']} 至 {counts['period']['to']}",
        "topic_posts": str(counts["posts"]),
        "place": event.place or where,
        "demand": event.title,
        "details": "\n".join(lines),
    }


def _is_campus(session: Session, organisation: str) -> bool:
    row = session.get(Organisation, organisation)
    return row is not None and row.kind is OrganisationKind.CAMPUS


def units_of(session: Session, case_id: str) -> list[CaseUnit]:
    """Return the units that have a case now, the leading one first."""
    rows = session.exec(
        select(CaseUnit)
        .where(col(CaseUnit.case_id) == case_id, col(CaseUnit.ended_at).is_(None))
        .order_by(col(CaseUnit.named_at), col(CaseUnit.id))
    ).all()
    return sorted(rows, key=lambda one: one.part is not UnitPart.LEAD)


def names_of(units: Sequence[CaseUnit]) -> list[str]:
    """Return the paths of units."""
    return [one.organisation for one in units]


def locked_case(session: Session, case_id: str) -> Case:
    """Return a case, locked until the transaction ends.

    Raises
    ------
    NotFound
        If there is none. The caller asks the desks.
    """
    case = session.exec(
        select(Case)
        .where(col(Case.id) == case_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if case is None:
        raise NotFound("no such case, or none that you may see")
    return case


def fillable(case: Case, worker: Worker, units: Sequence[str]) -> frozenset[str]:
    """Return the fields of the form that a worker may write in now."""
    if case.state is CaseState.ARCHIVED:
        return frozenset()
    sitting = worker.at(case, units)
    keys = {field.key for field in forms.FORMS[case.kind]} - forms.FROM_CONSENT
    if Desk.COORDINATION in sitting:
        return frozenset(keys)
    return frozenset(
        key for key in keys if sitting & set(FIELD_DESKS.get(key, (Desk.OPERATIONS, Desk.COORDINATION)))
    )


def save_form(
    session: Session,
    case_id: str,
    worker: Worker,
    values: Mapping[str, Any],
    *,
    version: int,
    now: datetime,
) -> FormVersion:
    """Save a new version of the form. Earlier versions stay.

    Parameters
    ----------
    version
        The version of the form that the officer started from.

    Raises
    ------
    NotFound, NotPermitted
        If the case is not theirs to see, or a field that was changed is another desk's.
    StaleVersion
        If somebody saved another one meanwhile.
    Conflict
        If the case is archived.
    InvalidInput
        If a field is unknown or too long.
    """
    case = locked_case(session, case_id)
    units = names_of(units_of(session, case.id))
    worker.require_desk(case, units, tuple(Desk))
    if case.state is CaseState.ARCHIVED:
        raise Conflict("the case is archived", code="archived")
    if case.form_version != version:
        raise StaleVersion("somebody saved another version meanwhile")
    fields = forms.checked(case.kind, values)
    before = newest_form(session, case).fields
    allowed = fillable(case, worker, units)
    foreign = [key for key, value in fields.items() if value != before.get(key, "") and key not in allowed]
    if foreign:
        raise NotPermitted(
            "this field is another desk's", code="field_of_another_desk", field=f"/fields/{foreign[0]}"
        )
    return write_form(session, case, fields, worker, now)


def write_form(
    session: Session, case: Case, fields: Mapping[str, str], actor: Actor, now: datetime
) -> FormVersion:
    """Add a version of the form of a locked case."""
    saved = FormVersion(
        case_id=case.id,
        version=case.form_version + 1,
        fields=forms.checked(case.kind, fields),
        saved_by=actor.account_id,
        saved_at=now,
    )
    case.form_version = saved.version
    case.version += 1
    session.add_all([case, saved])
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="case.form_saved",
        subject=f"case:{case.id}",
        organisation=case.organisation,
        details={"version": saved.version},
    )
    session.flush()
    return saved


def newest_form(session: Session, case: Case) -> FormVersion:
    """Return the version of the form that holds."""
    return session.exec(
        select(FormVersion).where(
            col(FormVersion.case_id) == case.id, col(FormVersion.version) == case.form_version
        )
    ).one()


def seen(session: Session, case_id: str, worker: Worker) -> tuple[Case, list[CaseUnit]]:
    """Return a case that somebody may see, and its units.

    Raises
    ------
    NotFound
        If there is none, or none that they may see.
    """
    case = session.get(Case, case_id)
    if case is None:
        raise NotFound("no such case, or none that you may see")
    units = units_of(session, case_id)
    worker.require_sight(case, names_of(units))
    return case, units


def case_card(session: Session, case_id: str, worker: Worker, *, version: int | None = None) -> CaseCard:
    """Return a case with its form; with `version`, an earlier one.

    Raises
    ------
    NotFound
        If there is no such case that they may see, or no such version.
    """
    case, units = seen(session, case_id, worker)
    versions = list(
        session.exec(
            select(FormVersion)
            .where(col(FormVersion.case_id) == case_id)
            .order_by(col(FormVersion.version).desc())
        )
    )
    form = next((one for one in versions if one.version == (version or case.form_version)), None)
    if form is None:
        raise NotFound("no such version of the form")
    names = names_of(units)
    return CaseCard(
        case=case,
        title=title_of(session, case),
        form=form,
        sheet=forms.sheet(case.kind, form.fields),
        versions=versions,
        units=units,
        record=disposal.record_of(session, case.id),
        open_steps=case_steps.open_to(case.state, worker.at(case, names)),
        earlier=[one for one in recurrence.history(session, case) if worker.reads_at(one.organisation)],
        fillable=fillable(case, worker, names),
    )


def title_of(session: Session, case: Case) -> str:
    """Return what a case is about in one line; cases of the first release have it in their event."""
    if case.title is not None or case.event_id is None:
        return case.title or ""
    return session.get_one(Event, case.event_id).title


def case_of_event(session: Session, event_id: str) -> Case | None:
    """Return the case of an event, if its form is open."""
    return session.exec(select(Case).where(col(Case.event_id) == event_id)).one_or_none()


def list_cases(
    session: Session,
    worker: Worker,
    *,
    state: CaseState | None = None,
    kind: CaseKind | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Case]:
    """Return the cases that somebody may see, newest first."""
    mine = worker.desks.get(Desk.UNIT, ())
    conditions: list[sa.ColumnElement[bool]] = [
        (col(Case.kind) == seen_kind) & under(Case.organisation, root)
        for seen_kind, scope in (
            (CaseKind.COLLECTIVE_DEMAND, worker.reads),
            (CaseKind.HELP_CASE, worker.helps),
        )
        for root in scope
    ]
    conditions += [
        col(Case.id).in_(
            select(CaseUnit.case_id).where(
                col(CaseUnit.ended_at).is_(None), under(CaseUnit.organisation, root)
            )
        )
        for root in mine
    ]
    if not conditions:
        return []
    query = select(Case).where(or_(*conditions))
    if state is not None:
        query = query.where(col(Case.state) == state)
    if kind is not None:
        query = query.where(col(Case.kind) == kind)
    if before is not None:
        query = query.where(col(Case.id) < before)
    return list(session.exec(query.order_by(col(Case.id).desc()).limit(limit)))
