"""Collective demands 集中诉求 on their way through the offices, and the versions of their form.

Help cases 帮扶个案 need the author's recorded consent and come with a later issue; none is opened here.

Neighbours: `forms` knows the fields, `lifecycle` the moves, `disposal` keeps the record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from alerts import disposal, forms, lifecycle
from alerts.actor import Actor
from models import audit
from models.errors import Conflict, NotFound, StaleVersion
from models.event import Case, Event, FormVersion, Report
from models.organisation import Organisation, under
from models.vocabulary import DOMAIN_WORDS, CaseKind, CaseState, EventKind, OrganisationKind, Step

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
OPENED: Final = "已建立集中诉求办理表。"
MOVED: Final = "办理件状态已变更。"
TRENDS: Final = {"rising": "上升", "steady": "平稳", "falling": "下降"}


@dataclass(frozen=True, slots=True)
class CaseCard:
    """A case with the newest version of its form."""

    case: Case
    form: FormVersion
    sheet: forms.Sheet
    versions: list[FormVersion]
    moves: tuple[CaseState, ...]


def open_form(session: Session, event_id: str, actor: Actor, *, now: datetime) -> Case:
    """Open the form of a reported collective demand, filled from what was reported.

    Only what the report said goes into the form, so the form tells of nobody either.

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
    case = Case(
        kind=CaseKind.COLLECTIVE_DEMAND,
        event_id=event.id,
        demand_id=event.demand_id,
        organisation=event.organisation,
        opened_by=actor.account_id,
        opened_at=now,
    )
    session.add(case)
    session.flush()
    fields = forms.checked(case.kind, _filled(session, event, report.figures, now))
    session.add(
        FormVersion(case_id=case.id, version=1, fields=fields, saved_by=actor.account_id, saved_at=now)
    )
    disposal.take(session, event, Step.FORM_OPENED, OPENED, actor=actor, now=now, details={"case": case.id})
    session.flush()
    return case


def _filled(session: Session, event: Event, figures: Mapping[str, Any], now: datetime) -> dict[str, str]:
    counts = figures["counts"]
    domain = DOMAIN_WORDS[event.domain].zh
    where = figures["names"].get(event.organisation, event.organisation)
    lines = [
        f"领域：{domain}。",
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


def _locked_case(session: Session, case_id: str, actor: Actor) -> Case:
    case = session.exec(select(Case).where(col(Case.id) == case_id).with_for_update()).one_or_none()
    if case is None:
        raise NotFound("no such case, or none that you may see")
    actor.require(case.organisation)
    return case


def save_form(
    session: Session,
    case_id: str,
    actor: Actor,
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
    StaleVersion
        If somebody saved another one meanwhile.
    Conflict
        If the case is archived.
    InvalidInput
        If a field is unknown or too long.
    """
    case = _locked_case(session, case_id, actor)
    if case.state is CaseState.ARCHIVED:
        raise Conflict("the case is archived", code="archived")
    if case.form_version != version:
        raise StaleVersion("somebody saved another version meanwhile")
    saved = FormVersion(
        case_id=case.id,
        version=version + 1,
        fields=forms.checked(case.kind, values),
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


def move_case(
    session: Session,
    case_id: str,
    actor: Actor,
    to: CaseState,
    *,
    version: int,
    now: datetime,
    note: str = "",
) -> Case:
    """Move a case forward, or back to whoever has to do it again; the record says who and why.

    Raises
    ------
    StaleVersion
        If somebody changed the case meanwhile.
    Conflict
        If it may not go there from where it is.
    """
    case = _locked_case(session, case_id, actor)
    if case.version != version:
        raise StaleVersion("the case was changed meanwhile")
    before, case.state = case.state, lifecycle.moved(case.state, to)
    case.version += 1
    session.add(case)
    details = {"case": case.id, "from": before.value, "to": to.value}
    if case.event_id is not None:
        event = session.exec(select(Event).where(col(Event.id) == case.event_id).with_for_update()).one()
        disposal.append(
            session, event, Step.NOTE, note.strip() or MOVED, actor=actor, now=now, details=details
        )
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="case.moved",
        subject=f"case:{case.id}",
        organisation=case.organisation,
        details=details,
    )
    session.flush()
    return case


def case_card(session: Session, case_id: str) -> CaseCard:
    """Return a case with its form, newest version first.

    Raises
    ------
    NotFound
        If there is no such case. The caller asks about the place.
    """
    case = session.get(Case, case_id)
    if case is None:
        raise NotFound("no such case, or none that you may see")
    versions = list(
        session.exec(
            select(FormVersion)
            .where(col(FormVersion.case_id) == case_id)
            .order_by(col(FormVersion.version).desc())
        )
    )
    newest = versions[0]
    return CaseCard(
        case, newest, forms.sheet(case.kind, newest.fields), versions, lifecycle.CASE_NEXT[case.state]
    )


def case_of_event(session: Session, event_id: str) -> Case | None:
    """Return the case of an event, if its form is open."""
    return session.exec(select(Case).where(col(Case.event_id) == event_id)).one_or_none()


def list_cases(
    session: Session,
    scope: Sequence[str],
    *,
    state: CaseState | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Case]:
    """Return cases at and under the nodes of `scope`, newest first."""
    if not scope:
        return []
    condition = under(Case.organisation, scope[0])
    for root in scope[1:]:
        condition |= under(Case.organisation, root)
    query = select(Case).where(condition)
    if state is not None:
        query = query.where(col(Case.state) == state)
    if before is not None:
        query = query.where(col(Case.id) < before)
    return list(session.exec(query.order_by(col(Case.id).desc()).limit(limit)))
