"""Collective demands over HTTP: what is asked, by how many, never by whom."""

from datetime import datetime

from pydantic import Field

from api.schemas.alerts import Body, Identifier, Out, Text
from models.vocabulary import DemandState, Domain, Trend


class DemandOut(Out):
    """A demand that enough people voice. It names no author and no post.

    `heat` is 0 to 100 (its formula is published), `voices` are people who joined without a post,
    `cohesion` is how probably its posts are one demand. The delays lie between the tenth author and
    the first proposal.
    """

    id: str
    title: str
    domain: Domain
    organisation: str
    place: str | None
    state: DemandState
    posts: int
    authors: int
    terms: list[str]
    first_posted_at: datetime
    last_posted_at: datetime
    proposed_at: datetime | None
    verified_at: datetime | None
    rejected_reason: str | None
    merged_into: str | None
    version: int
    heat: int
    heat_parts: dict[str, float] | None
    trend: Trend | None
    voices: int
    cohesion: float | None
    delay_seconds: float | None
    delay_posts: int | None


class VerifyBody(Body):
    """An officer's word that a demand is real; `paraphrases` are examples by post, in the officer's words."""

    note: Text
    title: str | None = Field(default=None, min_length=1, max_length=120)
    domain: Domain | None = None
    version: int | None = Field(default=None, ge=1)
    report: bool = True
    examples: list[Identifier] | None = Field(default=None, max_length=5)
    paraphrases: dict[Identifier, str] = Field(default_factory=dict, max_length=5)


class RejectBody(Body):
    """Why a proposed demand is turned down."""

    reason: Text
    version: int | None = Field(default=None, ge=1)
