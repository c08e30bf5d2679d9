"""Reply clocks, the calls that they raise, and hand-overs, over HTTP. No text of a post."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from api.schemas.access import Path
from api.schemas.alerts import Body, Out
from models.service_vocabulary import Answerer, CallStage, ClockRule, ClockSubject, HandoverState

Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class ClockOut(Out):
    """One reply clock."""

    id: str
    subject: ClockSubject
    subject_id: str
    organisation: str
    rule: ClockRule
    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    stopped_by: Answerer | None
    withdrawn_at: datetime | None
    stage: CallStage | None
    version: int


class HandoverOut(Out):
    """One step of a question between organisations."""

    id: str
    clock_id: str
    from_organisation: str
    to_organisation: str
    state: HandoverState
    place: str | None
    reason: str
    made_at: datetime
    settled_at: datetime | None


class ClockCardOut(BaseModel):
    """A clock, why it ends when it does, and who had it."""

    clock: ClockOut
    why_zh: str
    why_en: str
    handovers: list[HandoverOut]


class CallOut(Out):
    """One call to several clocks of an organisation."""

    id: str
    stage: CallStage
    organisation: str
    about: str
    clocks: list[str]
    earliest_due: datetime
    raised_at: datetime
    seen_at: datetime | None


class RuleFiguresOut(Out):
    """What became of the clocks of one limit."""

    rule: ClockRule
    stopped: int
    in_time: int
    late_running: int


class BoardOut(BaseModel):
    """What runs, first to end first; who is called; and what the last thirty days came to."""

    clocks: list[ClockOut]
    calls: list[CallOut]
    figures: list[RuleFiguresOut]


class AnsweredBody(Body):
    """An officer's word that a question was answered on its platform."""

    by: Answerer = Answerer.LIAISON_OFFICER
    version: int = Field(ge=1)


class AnswerBody(Body):
    """A platform's word that somebody answered: who, when, and the answer's identifier there."""

    answer: str = Field(min_length=1, max_length=200)
    by: Answerer
    answered_at: datetime


class HandOverBody(Body):
    """Where a question goes, and why."""

    organisation: Path
    reason: Reason
    version: int | None = Field(default=None, ge=1)


class ReturnBody(Body):
    """Why a question goes back."""

    reason: Reason
    version: int | None = Field(default=None, ge=1)


class SuggestionBody(Body):
    """Whether a proposal is followed."""

    take: bool
