"""Cases with their official forms: the table edited in place, the steps of one's desk, what is owed, files.

Neighbours: `alerts/cases.py`, `handling.py`, `helping.py` and `consent.py` do the work; `authors` has the
pages that the authors see.
"""

from datetime import date
from typing import Annotated

from fastapi import Depends, Form, Request, Response, UploadFile
from sqlmodel import Session

from alerts import attachments, cases, consent, documents, findings, forms, handling, helping, loop, responses
from alerts.attachments import Upload
from alerts.case_steps import CASE_STEPS, TAKES_JOINT, TAKES_UNIT, TO_AUTHORS
from alerts.cases import CaseCard
from alerts.desks import Desk
from alerts.handling import Named
from api.casework import links_of, worker_of
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.organisations import list_organisations
from api.routes import attachments as attachment_routes
from api.routes.cases import READERS, WORKERS, card_of, document_answer, sheet_of
from api.security import Permission, Principal, allows
from models.errors import InvalidInput
from models.event import Case
from models.organisation import Organisation
from models.vocabulary import CaseKind, CaseState, ConsentItem, Domain, Step

router = pages()

Reader = Annotated[Principal, Depends(require(*READERS))]
Editor = Annotated[Principal, Depends(require(Permission.CASES_EDIT))]
Doer = Annotated[Principal, Depends(require(*WORKERS))]
Attacher = Annotated[Principal, Depends(require(*attachment_routes.DOERS))]
FileReader = Annotated[Principal, Depends(require(*attachment_routes.READERS))]


@router.get("/cases")
def listing(
    request: Request, principal: Reader, session: Reading, now: Now, kind: CaseKind | None = None
) -> Response:
    """Show the cases that one may see, newest first."""
    found = cases.list_cases(session, worker_of(principal), kind=kind, limit=100)
    places = {one.organisation for one in found} | {one.lead for one in found if one.lead}
    return page.render(
        request,
        "cases.html",
        principal=principal,
        cases=found,
        kind=kind,
        kinds=list(CaseKind),
        late={one.id for one in found if handling.is_late(one, now)},
        titles={one.id: cases.title_of(session, one) for one in found},
        names=organisation_names(session, places),
    )


@router.get("/cases/help")
def new_help(request: Request, principal: Editor, post: str = "") -> Response:
    """Ask for the post and the line of a new help case."""
    return page.render(
        request,
        "case_new.html",
        principal=principal,
        post=post,
        limit=helping.TITLE,
        domains=[domain for domain in Domain if domain is not Domain.NONE],
    )


@router.post("/cases/help")
def open_help(
    *,
    principal: Editor,
    session: Transaction,
    now: Now,
    post: Annotated[str, Form(max_length=32)],
    title: Annotated[str, Form(max_length=200)] = "",
    domain: Annotated[str, Form()] = "",
) -> Response:
    """Open a help case about a post."""
    chosen = Domain(domain) if domain in set(Domain) else None
    case = helping.open_help(session, post.strip(), worker_of(principal), title=title, domain=chosen, now=now)
    return page.go(f"/cases/{case.id}", "opened")


@router.get("/cases/{case_id}")
def card(
    *,
    request: Request,
    case_id: str,
    principal: Reader,
    service: TheService,
    session: Reading,
    now: Now,
    template: Step | None = None,
    version: int | None = None,
) -> Response:
    """Show one case: its form, who has it, what is owed, and the steps of one's own desks."""
    found = card_of(session, service, principal, case_id, now=now, version=version)
    case = found.case
    offered = template if template in found.open_steps and template in TO_AUTHORS else None
    places = {case.organisation, *cases.names_of(found.units), *(one.organisation for one in found.record)}
    open_still = case.state is not CaseState.ARCHIVED
    worker = worker_of(principal)
    return page.render(
        request,
        "case.html",
        principal=principal,
        card=found,
        sheet=sheet_of(session, service, case, found.form),
        fillable=found.fillable if found.form.version == case.form_version else frozenset(),
        short=forms.SHORT,
        findings=findings.of_case(case, found.record, now),
        coverage=loop.coverage(
            session, case, exact=allows(principal, Permission.POSTS_READ, case.organisation)
        ),
        files=attachments.of_subject(session, case.id),
        consents=consent.consents_of(session, case.id) if case.kind is CaseKind.HELP_CASE else [],
        shared=consent.shared(session, case, links_of(service)),
        items=list(ConsentItem),
        may_ask=open_still
        and case.kind is CaseKind.HELP_CASE
        and worker.sits(Desk.OPERATIONS, case.organisation),
        may_attach=open_still and bool(found.open_steps),
        units=_units(session, principal),
        takes_unit=[step for step in found.open_steps if step in TAKES_UNIT],
        takes_joint=[step for step in found.open_steps if step in TAKES_JOINT],
        templates=[step for step in found.open_steps if step in TO_AUTHORS],
        offered=offered,
        begun=_begun(session, found, offered),
        quiet=[step for step in found.open_steps if not CASE_STEPS[step].words],
        limit=handling.TEXT,
        megabytes=attachments.LIMIT // 1_000_000,
        accepted=",".join(attachments.TYPES),
        names=organisation_names(session, places),
    )


def _units(session: Session, principal: Principal) -> list[Organisation]:
    """Return the units that may be named: those that the principal may read about, at most a thousand."""
    return list_organisations(session, principal)[:1_000]


def _begun(session: Session, card: CaseCard, step: Step | None) -> str:
    """Return the text that an officer begins from, if they asked for one."""
    if step is None:
        return ""
    case = card.case
    lead = session.get(Organisation, case.lead) if case.lead else None
    due = case.due_at.astimezone(page.SHANGHAI).strftime("%-m月%-d日") if case.due_at else None
    return responses.suggested(
        case.domain, step, demand=card.title, unit=lead.name if lead else None, due=due
    )


@router.post("/cases/{case_id}")
async def save(request: Request, case_id: str, principal: Doer, session: Transaction, now: Now) -> Response:
    """Save a new version of the form; fields that were not on the page stay as they are."""
    sent = await request.form()
    worker = worker_of(principal)
    found = cases.case_card(session, case_id, worker)
    values = {
        key: str(sent[key]).replace("\r\n", "\n") if key in sent else value
        for key, value in found.form.fields.items()
    }
    number = str(sent.get("version", ""))
    cases.save_form(session, case_id, worker, values, version=int(number) if number.isdigit() else 0, now=now)
    return page.go(f"/cases/{case_id}", "saved")


@router.post("/cases/{case_id}/steps")
def take_step(
    *,
    case_id: str,
    principal: Doer,
    service: TheService,
    session: Transaction,
    now: Now,
    step: Annotated[Step, Form()],
    version: Annotated[int, Form()],
    text: Annotated[str, Form(max_length=handling.TEXT + 200)] = "",
    unit: Annotated[str, Form(max_length=200)] = "",
    joint: Annotated[list[str] | None, Form()] = None,
    due_on: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Take a step of one's own desk."""
    handling.take_step(
        session,
        case_id,
        worker_of(principal),
        step,
        text.replace("\r\n", "\n"),
        version=version,
        now=now,
        links=links_of(service),
        named=Named(unit or None, tuple(one for one in joint or () if one), _day(due_on)),
    )
    return page.go(f"/cases/{case_id}", "case_step")


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("no such day", code="absurd_date", field="/due_on") from None


@router.post("/cases/{case_id}/consents")
def ask(
    *,
    case_id: str,
    principal: Editor,
    service: TheService,
    session: Transaction,
    now: Now,
    item: Annotated[list[ConsentItem] | None, Form()] = None,
) -> Response:
    """Ask the author, through the platform, what may be passed on."""
    consent.ask(session, case_id, worker_of(principal), item or [], now=now, links=links_of(service))
    return page.go(f"/cases/{case_id}", "consent_asked")


@router.get("/cases/{case_id}/form.{kind}")
def document(
    *,
    case_id: str,
    kind: documents.Kind,
    principal: Reader,
    service: TheService,
    session: Reading,
    now: Now,
    version: int | None = None,
) -> Response:
    """Give the form as Word or PDF."""
    found = card_of(session, service, principal, case_id, now=now, version=version)
    return document_answer(sheet_of(session, service, found.case, found.form), found, kind, service)


@router.post("/cases/{case_id}/form/read")
def read_back(
    *,
    case_id: str,
    principal: Doer,
    session: Transaction,
    now: Now,
    file: UploadFile,
    version: Annotated[int, Form()],
) -> Response:
    """Take a filled Word form over as a new version."""
    worker = worker_of(principal)
    found = cases.case_card(session, case_id, worker)
    read = documents.read_word(found.case.kind, file.file.read(documents.WORD_LIMIT + 1))
    values = documents.filled(found.form.fields, read)
    cases.save_form(session, case_id, worker, values, version=version, now=now)
    return page.go(f"/cases/{case_id}", "saved")


@router.post("/attachments")
def attach(
    *,
    principal: Attacher,
    service: TheService,
    session: Transaction,
    now: Now,
    file: UploadFile,
    subject: Annotated[str, Form(max_length=32)],
) -> Response:
    """Put a file on the record of an event or a case."""
    upload = Upload(file.filename or "", file.file.read(attachments.LIMIT + 1))
    _, there = attachment_routes.put(session, principal, subject, upload, service=service, now=now)
    return page.go(f"/{'cases' if isinstance(there, Case) else 'events'}/{there.id}", "attached")


@router.get("/attachments/{attachment_id}")
def attachment(
    attachment_id: str, principal: FileReader, service: TheService, session: Reading, now: Now
) -> Response:
    """Give a file to keep."""
    return attachment_routes.given(session, service, principal, attachment_id, now)
