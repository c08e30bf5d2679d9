"""Cases and their forms."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlmodel import Session

from alerts import cases
from alerts.forms import sheet
from api.dependencies import Now, Reading, Transaction, require
from api.routes.demands import actor_of
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.cases import CaseCardOut, CaseOut, FormBody, FormOut, Label, LineOut, MoveBody
from api.security import Permission, Principal, authorise_found, scopes
from models.event import Case, FormVersion
from models.vocabulary import CaseState, Words

router = APIRouter(prefix="/v1/cases", tags=["cases"])
Reader = Annotated[Principal, Depends(require(Permission.CASES_READ))]
Editor = Annotated[Principal, Depends(require(Permission.CASES_EDIT))]
Mover = Annotated[Principal, Depends(require(Permission.CASES_EDIT, Permission.CASES_RESULT))]
LEADS = (CaseState.IN_PROGRESS, CaseState.RESULT_GIVEN)
"""What a lead unit may say of a case: that it works on it, and that the result is there."""


def case_out(case: Case) -> CaseOut:
    """Return a case as it goes out."""
    return CaseOut.model_validate(case)


def _label(words: Words) -> Label:
    return Label(zh=words.zh, en=words.en)


def form_out(case: Case, form: FormVersion) -> FormOut:
    """Return a form as it goes out."""
    shown = sheet(case.kind, form.fields)
    return FormOut(
        case_id=case.id,
        version=form.version,
        saved_at=form.saved_at,
        title=_label(shown.title),
        lines=[
            LineOut(key=line.key, label=_label(line.words), value=line.value, limit=line.limit)
            for line in shown.lines
        ],
        footer=_label(shown.footer),
    )


def _seen(session: Session, case_id: str, principal: Principal) -> cases.CaseCard:
    card = cases.case_card(session, case_id)
    authorise_found(principal, Permission.CASES_READ, card.case.organisation)
    return card


@router.get("")
def listing(
    principal: Reader,
    session: Reading,
    state: CaseState | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> Page[CaseOut]:
    """List the cases in scope, newest first."""
    rows = cases.list_cases(
        session, scopes(principal, Permission.CASES_READ), state=state, before=before, limit=limit
    )
    return page_of([case_out(row) for row in rows], rows[-1].id if rows else None, limit)


@router.get("/{case_id}")
def one(case_id: Identifier, principal: Reader, session: Reading) -> CaseCardOut:
    """Show one case with its form."""
    card = _seen(session, case_id, principal)
    return CaseCardOut(
        case=case_out(card.case),
        form=form_out(card.case, card.form),
        versions=[version.version for version in card.versions],
        moves=list(card.moves),
    )


@router.get("/{case_id}/form")
def form(case_id: Identifier, principal: Reader, session: Reading) -> FormOut:
    """Show the newest version of the form."""
    card = _seen(session, case_id, principal)
    return form_out(card.case, card.form)


@router.put("/{case_id}/form")
def save(case_id: Identifier, body: FormBody, principal: Editor, session: Transaction, now: Now) -> FormOut:
    """Save a new version of the form; 409 if somebody else saved one meanwhile."""
    saved = cases.save_form(
        session,
        case_id,
        actor_of(principal, Permission.CASES_EDIT),
        body.fields,
        version=body.version,
        now=now,
    )
    return form_out(cases.case_card(session, case_id).case, saved)


@router.post("/{case_id}:move")
def move(case_id: Identifier, body: MoveBody, principal: Mover, session: Transaction, now: Now) -> CaseOut:
    """Move a case one step on, or back. A lead unit takes up work and gives the result; nothing else."""
    may = [Permission.CASES_EDIT]
    if body.to in LEADS:
        may.append(Permission.CASES_RESULT)
    case = cases.move_case(
        session, case_id, actor_of(principal, *may), body.to, version=body.version, now=now, note=body.note
    )
    return case_out(case)
