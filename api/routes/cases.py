"""Cases, their forms and their steps."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Response, UploadFile, status
from sqlmodel import Session

from alerts import attachments, cases, consent, documents, findings, forms, handling, helping, loop
from alerts.cases import CaseCard
from alerts.handling import Named
from api.casework import links_of, note_view, worker_of
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.cases import (
    AskBody,
    AskedOut,
    AttachmentOut,
    CaseCardOut,
    CaseEntryOut,
    CaseOut,
    CaseStepBody,
    CoverageOut,
    EarlierOut,
    FindingOut,
    FormBody,
    FormOut,
    HelpBody,
    Label,
    LineOut,
    ToldOut,
    UnitOut,
)
from api.security import Permission, Principal, allows
from api.wiring import Service
from models.event import Case, FormVersion
from models.vocabulary import CaseKind, CaseState, ConsentItem, Words

router = APIRouter(prefix="/v1/cases", tags=["cases"])
READERS = (Permission.CASES_READ, Permission.CASES_HELP, Permission.CASES_RESULT)
WORKERS = (
    Permission.CASES_EDIT,
    Permission.CASES_REVIEW,
    Permission.CASES_RESULT,
    Permission.CASES_REMARK,
)
Reader = Annotated[Principal, Depends(require(*READERS))]
Editor = Annotated[Principal, Depends(require(Permission.CASES_EDIT))]
Doer = Annotated[Principal, Depends(require(*WORKERS))]


def case_out(case: Case) -> CaseOut:
    """Return a case as it goes out."""
    return CaseOut.model_validate(case)


def label(words: Words) -> Label:
    """Return words as they go out."""
    return Label(zh=words.zh, en=words.en)


def form_out(case: Case, form: FormVersion, sheet: forms.Sheet) -> FormOut:
    """Return a form as it goes out."""
    return FormOut(
        case_id=case.id,
        version=form.version,
        saved_at=form.saved_at,
        title=label(sheet.title),
        lines=[
            LineOut(key=line.key, label=label(line.words), value=line.value, limit=line.limit)
            for line in sheet.lines
        ],
        footer=label(sheet.footer),
    )


def sheet_of(session: Session, service: Service, case: Case, form: FormVersion) -> forms.Sheet:
    """Return a form with the name that its author lets it say, if it is a help case."""
    shared = consent.shared(session, case, links_of(service)) if case.kind is CaseKind.HELP_CASE else {}
    return forms.sheet(case.kind, form.fields, name=shared.get(ConsentItem.NAME))


def card_of(
    session: Session,
    service: Service,
    principal: Principal,
    case_id: str,
    *,
    now: datetime,
    version: int | None = None,
) -> CaseCard:
    """Return a case that the caller may see; a look at a help case is audited."""
    card = cases.case_card(session, case_id, worker_of(principal), version=version)
    if card.case.kind is CaseKind.HELP_CASE:
        note_view(service, principal, card.case, now)
    return card


@router.get("")
def listing(
    principal: Reader,
    session: Reading,
    *,
    state: CaseState | None = None,
    kind: CaseKind | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> Page[CaseOut]:
    """List the cases that the caller may see, newest first."""
    rows = cases.list_cases(session, worker_of(principal), state=state, kind=kind, before=before, limit=limit)
    return page_of([case_out(row) for row in rows], rows[-1].id if rows else None, limit)


@router.post("", status_code=status.HTTP_201_CREATED)
def open_help(body: HelpBody, principal: Editor, session: Transaction, now: Now) -> CaseOut:
    """Open an individual help case about one post."""
    case = helping.open_help(
        session, body.post_id, worker_of(principal), title=body.title, domain=body.domain, now=now
    )
    return case_out(case)


@router.get("/{case_id}")
def one(
    case_id: Identifier, principal: Reader, service: TheService, session: Reading, now: Now
) -> CaseCardOut:
    """Show one case with its form, its units, its record and what is missing."""
    card = card_of(session, service, principal, case_id, now=now)
    case = card.case
    exact = allows(principal, Permission.POSTS_READ, case.organisation)
    covered = loop.coverage(session, case, exact=exact)
    return CaseCardOut(
        case=case_out(case),
        form=form_out(case, card.form, sheet_of(session, service, case, card.form)),
        versions=[version.version for version in card.versions],
        units=[UnitOut.model_validate(unit) for unit in card.units],
        record=[CaseEntryOut.model_validate(entry) for entry in card.record],
        open_steps=card.open_steps,
        coverage=CoverageOut(
            authors=covered.authors,
            told=[ToldOut.model_validate(told) for told in covered.told],
            rated=covered.rated,
            answers=covered.answers,
        ),
        findings=[FindingOut.model_validate(found) for found in findings.of_case(case, card.record, now)],
        earlier=[EarlierOut.model_validate(earlier) for earlier in card.earlier],
        attachments=[AttachmentOut.model_validate(row) for row in attachments.of_subject(session, case.id)],
        shared=consent.shared(session, case, links_of(service)),
    )


@router.get("/{case_id}/form")
def form(
    *,
    case_id: Identifier,
    principal: Reader,
    service: TheService,
    session: Reading,
    now: Now,
    version: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> FormOut:
    """Show the form, the newest version or another."""
    card = card_of(session, service, principal, case_id, now=now, version=version)
    return form_out(card.case, card.form, sheet_of(session, service, card.case, card.form))


@router.put("/{case_id}/form")
def save(
    *,
    case_id: Identifier,
    body: FormBody,
    principal: Doer,
    service: TheService,
    session: Transaction,
    now: Now,
) -> FormOut:
    """Save a new version of the form; 409 if somebody else saved one meanwhile."""
    worker = worker_of(principal)
    saved = cases.save_form(session, case_id, worker, body.fields, version=body.version, now=now)
    case, _ = cases.seen(session, case_id, worker)
    return form_out(case, saved, sheet_of(session, service, case, saved))


@router.get("/{case_id}/form.{kind}")
def document(
    *,
    case_id: Identifier,
    kind: documents.Kind,
    principal: Reader,
    service: TheService,
    session: Reading,
    now: Now,
    version: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> Response:
    """Give the form as Word or PDF, as the official table looks."""
    card = card_of(session, service, principal, case_id, now=now, version=version)
    return document_answer(sheet_of(session, service, card.case, card.form), card, kind, service)


def document_answer(sheet: forms.Sheet, card: CaseCard, kind: documents.Kind, service: Service) -> Response:
    """Return a form as a file to keep."""
    case = card.case
    made = documents.make(case.kind, sheet, kind, service.settings.fonts)
    name = f"{case.kind.value}-{case.id[-8:]}-v{card.form.version}.{kind.value}"
    return Response(
        made,
        media_type=documents.MEDIA_TYPES[kind],
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


@router.post("/{case_id}/form:read")
def read_back(
    *,
    case_id: Identifier,
    file: UploadFile,
    version: Annotated[int, Form(ge=1)],
    principal: Doer,
    service: TheService,
    session: Transaction,
    now: Now,
) -> FormOut:
    """Take a filled Word form over as a new version, started from `version`."""
    worker = worker_of(principal)
    card = cases.case_card(session, case_id, worker)
    read = documents.read_word(card.case.kind, file.file.read(documents.WORD_LIMIT + 1))
    values = documents.filled(card.form.fields, read)
    saved = cases.save_form(session, case_id, worker, values, version=version, now=now)
    return form_out(card.case, saved, sheet_of(session, service, card.case, saved))


@router.post("/{case_id}:step", status_code=status.HTTP_201_CREATED)
def step(
    *,
    case_id: Identifier,
    body: CaseStepBody,
    principal: Doer,
    service: TheService,
    session: Transaction,
    now: Now,
) -> CaseEntryOut:
    """Take one step of a case, at one's own desk."""
    entry = handling.take_step(
        session,
        case_id,
        worker_of(principal),
        body.step,
        body.text,
        version=body.version,
        now=now,
        links=links_of(service),
        named=Named(body.unit, tuple(body.joint), body.due_on),
    )
    return CaseEntryOut.model_validate(entry)


@router.post("/{case_id}:ask-consent", status_code=status.HTTP_202_ACCEPTED)
def ask(
    *,
    case_id: Identifier,
    body: AskBody,
    principal: Editor,
    service: TheService,
    session: Transaction,
    now: Now,
) -> AskedOut:
    """Ask the author of a help case, through the platform, what may be passed on."""
    link = consent.ask(session, case_id, worker_of(principal), body.items, now=now, links=links_of(service))
    return AskedOut(link=link)
