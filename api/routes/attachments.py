"""Files on the record of an event or a case: put there, listed with it, and given out to be kept."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Response, UploadFile, status
from sqlmodel import Session

from alerts import attachments, cases
from alerts.attachments import Upload
from api.casework import note_view, worker_of
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.demands import actor_of
from api.schemas.alerts import Identifier
from api.schemas.cases import AttachmentOut
from api.security import Permission, Principal, authorise_found
from api.wiring import Service
from models.casework import Attachment
from models.errors import NotFound
from models.event import Case, Event
from models.vocabulary import CaseKind

router = APIRouter(prefix="/v1/attachments", tags=["cases"])
DOERS = (
    Permission.EVENTS_ACT,
    Permission.CASES_EDIT,
    Permission.CASES_REVIEW,
    Permission.CASES_RESULT,
    Permission.CASES_REMARK,
)
READERS = (
    Permission.EVENTS_READ,
    Permission.CASES_READ,
    Permission.CASES_HELP,
    Permission.CASES_RESULT,
)
Doer = Annotated[Principal, Depends(require(*DOERS))]
Reader = Annotated[Principal, Depends(require(*READERS))]


def put(
    session: Session, principal: Principal, subject_id: str, upload: Upload, *, service: Service, now: Now
) -> tuple[Attachment, Event | Case]:
    """Put a file on the record of an event or a case, whichever it is."""
    folder = service.settings.attachments
    case = session.get(Case, subject_id)
    if case is not None:
        return attachments.to_case(session, subject_id, worker_of(principal), upload, folder, now=now), case
    event = session.get(Event, subject_id)
    if event is None:
        raise NotFound("no such record, or none that you may see")
    actor = actor_of(principal, Permission.EVENTS_ACT)
    return attachments.to_event(session, subject_id, actor, upload, folder, now=now), event


def given(session: Session, service: Service, principal: Principal, attachment_id: str, now: Now) -> Response:
    """Return a file to keep, if the caller may see what it is attached to."""
    row = attachments.attachment(session, attachment_id)
    case = session.get(Case, row.subject_id)
    if case is None:
        authorise_found(principal, Permission.EVENTS_READ, row.organisation)
    else:
        cases.seen(session, case.id, worker_of(principal))
        if case.kind is CaseKind.HELP_CASE:
            note_view(service, principal, case, now)
    return Response(
        attachments.content_of(service.settings.attachments, row),
        media_type=row.media_type,
        headers={
            "content-disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
        },
    )


@router.post("", status_code=status.HTTP_201_CREATED)
def add(
    *,
    file: UploadFile,
    subject: Annotated[Identifier, Form()],
    principal: Doer,
    service: TheService,
    session: Transaction,
    now: Now,
) -> AttachmentOut:
    """Attach a file of at most 10 MB: PDF, PNG, JPEG, Word, Excel or plain text, checked by its content."""
    upload = Upload(file.filename or "", file.file.read(attachments.LIMIT + 1))
    row, _ = put(session, principal, subject, upload, service=service, now=now)
    return AttachmentOut.model_validate(row)


@router.get("/{attachment_id}")
def one(
    attachment_id: Identifier, principal: Reader, service: TheService, session: Reading, now: Now
) -> Response:
    """Give a file, to be kept and not shown in place."""
    return given(session, service, principal, attachment_id, now)
