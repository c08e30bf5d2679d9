"""Events, reports and disposal records over HTTP."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from api.schemas.alerts import Body, Identifier, Out, Text
from api.schemas.cases import AttachmentOut, FindingOut
from models.vocabulary import Domain, EventKind, EventState, Step


class EventOut(Out):
    """An event as lists show it."""

    id: str
    kind: EventKind
    organisation: str
    demand_id: str | None
    title: str
    domain: Domain
    place: str | None
    state: EventState
    created_at: datetime
    version: int
    immediate: bool
    summary: str | None


class EntryOut(Out):
    """One step on the disposal record."""

    sequence: int
    step: Step
    actor_name: str
    organisation: str
    text: str
    details: dict[str, Any]
    at: datetime


class ReportOut(BaseModel):
    """One report: its figures, and beside them the examples in an officer's words."""

    id: str
    sequence: int
    reported_at: datetime
    figures: dict[str, Any]
    examples: list[str]


class EventCardOut(BaseModel):
    """One event with its reports, its record, and the steps that may be taken now."""

    event: EventOut
    reports: list[ReportOut]
    record: list[EntryOut]
    open_steps: list[Step]
    case_id: str | None
    findings: list[FindingOut]
    attachments: list[AttachmentOut]


class ReportBody(Body):
    """Report up. `paraphrases` are the officer's own words by post; each of `examples` needs one."""

    examples: list[Identifier] | None = Field(default=None, max_length=5)
    paraphrases: dict[Identifier, str] = Field(default_factory=dict, max_length=5)


class RaiseBody(Body):
    """An event that no demand stands behind, in the officer's own words."""

    kind: EventKind
    organisation: str = Field(max_length=200)
    domain: Domain
    title: str = Field(min_length=1, max_length=120)
    summary: str = Field(default="", max_length=1_000)
    posts: list[Identifier] = Field(default_factory=list, max_length=500)
    immediate: bool = False


class ProposalBody(Body):
    """Whether a proposed event is verified or dropped, and what was found out."""

    step: Step
    text: Text
    version: int = Field(ge=1)


class StepBody(Body):
    """A step taken by hand: act, tell_users, feed_back_up, feed_back_users or note."""

    step: Step
    text: Text
    version: int | None = Field(default=None, ge=1)
