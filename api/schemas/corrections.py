"""Corrections and suggestions over HTTP: posts by their identifiers, never by their words or authors."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.schemas.alerts import Body, Identifier, Out
from models.vocabulary import CorrectionKind, SuggestionKind, SuggestionState

Reason = Annotated[str, StringConstraints(max_length=2_000, strip_whitespace=True)]


class ActBody(Body):
    """What every act may say. `insists`: the facts that speak against it were shown, and give way."""

    reason: Reason = ""
    insists: bool = False
    version: int | None = Field(default=None, ge=1)


class PostsBody(ActBody):
    """An act on some posts of a demand."""

    posts: list[Identifier] = Field(min_length=1, max_length=500)


class MoveBody(PostsBody):
    """Posts that belong to another demand."""

    to: Identifier


class MergeBody(ActBody):
    """The demand that becomes part of this one."""

    other: Identifier


class RenameBody(ActBody):
    """A name in one line."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True)]


class CorrectionOut(Out):
    """One act on record. `other_id` is the demand a split made, a move's target, or what a merge took in."""

    id: str
    kind: CorrectionKind
    demand_id: str
    other_id: str | None
    posts: list[str]
    reason: str
    made_at: datetime
    undo_until: datetime
    undone_at: datetime | None
    undoes: str | None


class ContradictionOut(Out):
    """A post that was said to belong to two demands, or to belong and not to belong to one."""

    post_id: str
    demands: list[str]
    facts: list[str]


class SuggestionOut(Out):
    """What the nightly run would do, and does not by itself."""

    id: str
    kind: SuggestionKind
    demand_id: str
    other_id: str | None
    posts: list[str]
    probability: float
    reasons: dict[str, Any]
    state: SuggestionState
    suggested_at: datetime
    decided_at: datetime | None
    decided_reason: str | None
    correction_id: str | None


class DecideBody(Body):
    """Why a suggestion is taken or not."""

    reason: Reason = ""
    insists: bool = False
