"""Files on the record of an event or a case, and photos of activities: checked, kept outside the web root.

A name and an announced type prove nothing: the first bytes of the file say what it is, and its ending has to
say the same. Office files are looked into, and one with a program inside is refused. A file goes out as one
to keep, under its type, and is never shown in place.

Refuses: an empty or too large file, a kind that is not in the list, one that pretends to be another, a name
with a path in it, more files than a record can hold.

Neighbours: `api/routes/attachments.py` takes and gives them; `models.casework.Attachment` is the row.
"""

import hashlib
import os
import re
import secrets
import zipfile
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from alerts import activities, cases, disposal
from alerts.actor import Actor
from alerts.desks import Desk, Worker
from models import audit
from models.casework import Attachment
from models.errors import Conflict, InvalidInput, NotFound, TooLarge
from models.event import Case, Event
from models.station import StationActivity
from models.vocabulary import CaseState, Step

LIMIT: Final = 10_000_000
MOST: Final = 50
NAME: Final = 100
PARTS: Final = 2_000
UNPACKED: Final = 200_000_000
OFFICE: Final = "application/vnd.openxmlformats-officedocument."
TYPES: Final = MappingProxyType(
    {
        ".pdf": "application/pdf",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".docx": OFFICE + "wordprocessingml.document",
        ".xlsx": OFFICE + "spreadsheetml.sheet",
        ".txt": "text/plain; charset=utf-8",
    }
)
"""What may be attached, by its ending."""

PROGRAM: Final = re.compile(r"vbaProject|activeX|\.(?:exe|dll|js|vbs|bat|ps1|bin)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came in."""

    name: str
    content: bytes


def media_type(upload: Upload) -> str:
    """Return what a file is, if its content and its ending say the same.

    Raises
    ------
    TooLarge, InvalidInput
        If it is empty, too large, of no allowed kind, or pretends to be another.
    """
    if not upload.content:
        raise InvalidInput("the file is empty", code="empty", field="/file")
    if len(upload.content) > LIMIT:
        raise TooLarge(f"a file has at most {LIMIT} bytes", code="attachment_too_large")
    ending = PurePosixPath(upload.name).suffix.lower()
    if ending not in TYPES:
        raise InvalidInput("this kind of file is not taken", code="file_kind", field="/file")
    if found_in(upload.content) != TYPES[ending]:
        raise InvalidInput("the file is not what its name says", code="file_disguised", field="/file")
    return TYPES[ending]


def found_in(content: bytes) -> str | None:
    """Return the type that the bytes of a file show, or None if it is none of the list."""
    if content.startswith(b"%PDF-") and b"%%EOF" in content[-2048:]:
        return TYPES[".pdf"]
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return TYPES[".png"] if b"IEND" in content[-16:] else None
    if content.startswith(b"\xff\xd8\xff"):
        return TYPES[".jpg"] if content.rstrip(b"\x00").endswith(b"\xff\xd9") else None
    if content.startswith(b"PK\x03\x04"):
        return _office(content)
    return _text(content)


def _office(content: bytes) -> str | None:
    """Return which office file a zip is; none if it holds a program, or unpacks to more than it may."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as packed:
            parts = packed.infolist()
    except zipfile.BadZipFile:
        return None
    names = {part.filename for part in parts}
    if len(parts) > PARTS or sum(part.file_size for part in parts) > UNPACKED:
        return None
    if "[Content_Types].xml" not in names or any(PROGRAM.search(name) for name in names):
        return None
    for ending, folder in ((".docx", "word/"), (".xlsx", "xl/")):
        if any(name.startswith(folder) for name in names):
            return TYPES[ending]
    return None


def _text(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    control = any(ord(sign) < ord(" ") and sign not in "\t\r\n\f" for sign in text)
    return None if control or text.lstrip()[:1] == "<" else TYPES[".txt"]


def safe_name(name: str) -> str:
    """Return the name of a file as it is kept: no path, no control character.

    Raises
    ------
    InvalidInput
        If nothing is left of it, or it is too long.
    """
    plain = re.sub(r"[\x00-\x1f\x7f\"<>|:*?\\]", "", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(". ")
    if not plain or len(plain) > NAME:
        raise InvalidInput(f"a name has 1 to {NAME} characters", code="file_name", field="/file")
    return plain


def to_event(
    session: Session, event_id: str, actor: Actor, upload: Upload, folder: Path, *, now: datetime
) -> Attachment:
    """Put a file on the record of an event.

    Raises
    ------
    NotFound
        If there is no such event in the actor's scope.
    TooLarge, InvalidInput, Conflict
        As `media_type` does, and if the record is full.
    """
    return _add(session, disposal.locked(session, event_id, actor), actor, upload, folder, now=now)


def to_case(
    session: Session, case_id: str, worker: Worker, upload: Upload, folder: Path, *, now: datetime
) -> Attachment:
    """Put a file on the record of a case.

    Raises
    ------
    NotFound, NotPermitted
        If the case is not theirs to see or to work on.
    TooLarge, InvalidInput, Conflict
        As `media_type` does, and if the case is archived or its record full.
    """
    case = cases.locked_case(session, case_id)
    worker.require_desk(case, cases.names_of(cases.units_of(session, case.id)), tuple(Desk))
    if case.state is CaseState.ARCHIVED:
        raise Conflict("the case is archived", code="archived")
    return _add(session, case, worker, upload, folder, now=now)


def to_activity(
    session: Session, activity_id: str, actor: Actor, upload: Upload, folder: Path, *, now: datetime
) -> Attachment:
    """Keep a photo of a station's activity, taken in after its end.

    Raises
    ------
    NotFound
        If there is no such activity in the actor's scope.
    TooLarge, InvalidInput, Conflict
        As `media_type` does; if it is no picture, the activity has not ended, or there are too many.
    """
    activity = activities.locked(session, activity_id)
    actor.require(activity.organisation)
    if activity.cancelled_at is not None or activity.ends_at > now:
        raise Conflict("the activity has not ended", code="activity_ahead")
    if not media_type(upload).startswith(activities.PICTURE):
        raise InvalidInput("a photo is PNG or JPEG", code="no_picture", field="/file")
    row = _keep_row(session, activity, actor, upload, folder, now=now)
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="activity.photographed",
        subject=f"activity:{activity.id}",
        organisation=activity.organisation,
        details={"attachment": row.id, "sha256": row.sha256, "size": row.size},
    )
    session.flush()
    return row


def _add(
    session: Session, subject: Event | Case, actor: Actor, upload: Upload, folder: Path, *, now: datetime
) -> Attachment:
    row = _keep_row(session, subject, actor, upload, folder, now=now)
    disposal.append(
        session,
        subject,
        Step.ATTACHED,
        row.name,
        actor=actor,
        now=now,
        details={"attachment": row.id, "sha256": row.sha256, "size": row.size},
    )
    session.flush()
    return row


def _keep_row(
    session: Session,
    subject: Event | Case | StationActivity,
    actor: Actor,
    upload: Upload,
    folder: Path,
    *,
    now: datetime,
) -> Attachment:
    """Keep the content of a file, and its row."""
    there = session.exec(
        select(func.count()).select_from(Attachment).where(col(Attachment.subject_id) == subject.id)
    ).one()
    if there >= MOST:
        raise Conflict(f"a record holds at most {MOST} files", code="record_full")
    name, kind = safe_name(upload.name), media_type(upload)
    row = Attachment(
        subject_id=subject.id,
        organisation=subject.organisation,
        name=name,
        media_type=kind,
        size=len(upload.content),
        sha256=hashlib.sha256(upload.content).hexdigest(),
        added_by=actor.account_id,
        added_at=now,
    )
    _keep(place_of(folder, row), upload.content)
    session.add(row)
    session.flush()
    return row


def place_of(folder: Path, row: Attachment) -> Path:
    """Return where the content of a file lies: by its hash alone, whatever its name."""
    return folder / row.sha256[:2] / row.sha256


def _keep(place: Path, content: bytes) -> None:
    """Write a file whole or not at all; the same content is kept once."""
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def attachment(session: Session, attachment_id: str) -> Attachment:
    """Return one row. The caller asks whether its event or case may be seen.

    Raises
    ------
    NotFound
        If there is none.
    """
    row = session.get(Attachment, attachment_id)
    if row is None:
        raise NotFound("no such file, or none that you may see")
    return row


def content_of(folder: Path, row: Attachment) -> bytes:
    """Return the content of a file, unchanged since it came.

    Raises
    ------
    NotFound
        If it is not there, or is not what came in.
    """
    try:
        content = place_of(folder, row).read_bytes()
    except OSError:
        raise NotFound("the content of this file is not there", code="file_lost") from None
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise NotFound("the content of this file was changed", code="file_changed")
    return content


def of_subject(session: Session, subject_id: str) -> list[Attachment]:
    """Return the files on a record, first added first."""
    return list(
        session.exec(
            select(Attachment)
            .where(col(Attachment.subject_id) == subject_id)
            .order_by(col(Attachment.added_at))
        )
    )
