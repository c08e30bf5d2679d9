"""Cases and their forms over HTTP. Keys are English; labels come in both languages."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field

from api.schemas.alerts import Body, Identifier, Out
from models.vocabulary import CaseKind, CaseState, ConsentItem, Domain, Rating, Step, UnitPart


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
    title: str | None
    domain: Domain | None
    lead: str | None
    assigned_at: datetime | None
    due_at: datetime | None
    settled_at: datetime | None
    round: int
    recurs_from: str | None


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


class UnitOut(Out):
    """A unit that has the case now."""

    organisation: str
    part: UnitPart
    named_at: datetime


class CaseEntryOut(Out):
    """One step on the record of a case."""

    sequence: int
    step: Step
    actor_name: str
    organisation: str
    text: str
    details: dict[str, Any]
    at: datetime


class ToldOut(Out):
    """How many authors a step reached, of how many."""

    step: Step
    authors: int
    of: int
    at: datetime


class CoverageOut(BaseModel):
    """How far the authors were told, and what they say; null while fewer than k people rated."""

    authors: int
    told: list[ToldOut]
    rated: int | None
    answers: dict[Rating, int] | None


class FindingOut(Out):
    """A step that is missing or late."""

    code: str
    step: Step | None
    since: datetime
    due: datetime


class EarlierOut(Out):
    """An earlier case about the same demand."""

    case_id: str
    title: str
    state: CaseState
    opened_at: datetime
    settled_at: datetime | None


class AttachmentOut(Out):
    """A file on the record."""

    id: str
    subject_id: str
    name: str
    media_type: str
    size: int
    sha256: str
    added_at: datetime


class CaseCardOut(BaseModel):
    """A case with its form, its units, its record, and the steps that the caller may take now."""

    case: CaseOut
    form: FormOut
    versions: list[int]
    units: list[UnitOut]
    record: list[CaseEntryOut]
    open_steps: list[Step]
    coverage: CoverageOut
    findings: list[FindingOut]
    earlier: list[EarlierOut]
    attachments: list[AttachmentOut]
    shared: dict[ConsentItem, str] = Field(description="What the author of a help case lets be known.")


class FormBody(Body):
    """A new version of a form, started from `version`. Fields that are left out become empty."""

    version: int = Field(ge=1)
    fields: dict[str, str] = Field(max_length=40)


class CaseStepBody(Body):
    """A step of a case. `unit` is for assigned and handed_over, `joint` for assigned and joined."""

    step: Step
    version: int = Field(ge=1)
    text: str = Field(default="", max_length=2_000)
    unit: str | None = Field(default=None, max_length=200)
    joint: list[str] = Field(default_factory=list, max_length=10)
    due_on: date | None = None


class HelpBody(Body):
    """A help case about one post, with the officer's own line on what is needed."""

    post_id: Identifier
    title: str = Field(min_length=1, max_length=120)
    domain: Domain | None = None


class AskBody(Body):
    """What the author is asked to let be passed on."""

    items: list[ConsentItem] = Field(min_length=1, max_length=2)


class AskedOut(BaseModel):
    """The author's link. It goes to them through their platform; nobody else should use it."""

    link: str


class ConsentItemOut(BaseModel):
    """One thing that an author was asked for, in the words that they consent to."""

    item: ConsentItem
    wording: Label
    given: bool
    given_at: datetime | None
    revoked_at: datetime | None
    forgotten_at: datetime | None


class ConsentOut(BaseModel):
    """What the author's page shows. It repeats no value."""

    about: str
    may_give: bool
    items: list[ConsentItemOut]


class ConsentBody(Body):
    """What the author lets be passed on."""

    values: dict[ConsentItem, str] = Field(min_length=1, max_length=2)
    language: str = Field(default="zh", pattern="^(zh|en)$")


class RateableOut(BaseModel):
    """What is to be rated."""

    title: str
    result: str
    state: CaseState


class RatingBody(Body):
    """What an author says of a result."""

    rating: Rating
