"""Cases with their form 集中诉求办理表: the official table, edited in place and printed as it stands."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from alerts import cases, forms
from api.console import page
from api.console.console import pages
from api.console.views.demands import actor_for
from api.console.views.queue import organisation_names
from api.dependencies import Now, Reading, Transaction, require
from api.security import Permission, Principal, allows, authorise_found, scopes
from models.event import Event
from models.vocabulary import CaseState

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.CASES_READ))]
Editor = Annotated[Principal, Depends(require(Permission.CASES_EDIT))]


@router.get("/cases")
def listing(request: Request, principal: Reader, session: Reading) -> Response:
    """Show the cases in scope, newest first."""
    found = cases.list_cases(session, scopes(principal, Permission.CASES_READ), limit=100)
    titles = {one.id: session.get_one(Event, one.event_id).title for one in found if one.event_id}
    names = organisation_names(session, {one.organisation for one in found})
    return page.render(request, "cases.html", principal=principal, cases=found, titles=titles, names=names)


@router.get("/cases/{case_id}")
def card(request: Request, case_id: str, principal: Reader, session: Reading) -> Response:
    """Show the form of one case."""
    found = cases.case_card(session, case_id)
    authorise_found(principal, Permission.CASES_READ, found.case.organisation)
    may_edit = allows(principal, Permission.CASES_EDIT, found.case.organisation)
    return page.render(
        request,
        "case.html",
        principal=principal,
        card=found,
        may_edit=may_edit and found.case.state is not CaseState.ARCHIVED,
        may_move=may_edit,
        short=forms.SHORT,
        names=organisation_names(session, {found.case.organisation}),
    )


@router.post("/cases/{case_id}")
async def save(request: Request, case_id: str, principal: Editor, session: Transaction, now: Now) -> Response:
    """Save a new version of the form."""
    sent = await request.form()
    card = cases.case_card(session, case_id)
    values = {
        line.key: str(sent[line.key]).replace("\r\n", "\n") if line.key in sent else line.value
        for line in card.sheet.lines
    }
    cases.save_form(
        session,
        case_id,
        actor_for(principal, Permission.CASES_EDIT),
        values,
        version=int(str(sent.get("version", "0")) or 0),
        now=now,
    )
    return page.go(f"/cases/{case_id}", "saved")


@router.post("/cases/{case_id}/move")
def move(
    *,
    case_id: str,
    principal: Editor,
    session: Transaction,
    now: Now,
    to: Annotated[CaseState, Form()],
    version: Annotated[int, Form()],
    note: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Move the case on, or back to whoever has to do it again."""
    cases.move_case(
        session,
        case_id,
        actor_for(principal, Permission.CASES_EDIT),
        to,
        version=version,
        now=now,
        note=note.replace("\r\n", "\n"),
    )
    return page.go(f"/cases/{case_id}", "moved")
