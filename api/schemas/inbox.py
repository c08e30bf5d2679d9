"""The inbox of an office over HTTP."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from api.schemas.alerts import Out
from api.schemas.events import EntryOut, EventOut


class ItemOut(Out):
    """A report waiting in an inbox, with its receipt."""

    id: str
    organisation: str
    report_id: str
    event_id: str
    title: str
    arrived_at: datetime
    read_at: datetime | None


class LetterOut(BaseModel):
    """An opened report."""

    item: ItemOut
    event: EventOut
    sequence: int
    figures: dict[str, Any]
    examples: list[str]
    record: list[EntryOut]
