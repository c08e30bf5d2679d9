"""Cases and their forms over HTTP. Keys are English; labels come in both languages."""

from datetime import datetime

from pydantic import BaseModel, Field

from api.schemas.alerts import Body, Out
from models.vocabulary import CaseKind, CaseState


class CaseOut(Out):
    """A case as lists show it."""

    id: str
    kind: CaseKind
    event_id: str | None
    demand_id: str | None
    organisation: str
    state: CaseState
    form_version: int
    opened_at: datetime
    version: int


class Label(BaseModel):
    """The same words in the two languages."""

    zh: str
    en: str


class LineOut(BaseModel):
    """One field of a form."""

    key: str
    label: Label
    value: str
    limit: int


class FormOut(BaseModel):
    """A form ready to be shown or printed."""

    case_id: str
    version: int
    saved_at: datetime
    title: Label
    lines: list[LineOut]
    footer: Label


class CaseCardOut(BaseModel):
    """A case with its form and where it may go."""

    case: CaseOut
    form: FormOut
    versions: list[int]
    moves: list[CaseState]


class FormBody(Body):
    """A new version of a form, started from `version`. Fields that are left out become empty."""

    version: int = Field(ge=1)
    fields: dict[str, str] = Field(max_length=40)


class MoveBody(Body):
    """Where a case goes, and why."""

    to: CaseState
    version: int = Field(ge=1)
    note: str = Field(default="", max_length=2_000)
