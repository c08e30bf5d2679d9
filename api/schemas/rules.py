"""What goes in and out about rules, editions and back-tests. Unknown members of a body are refused."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from api.rules import LONGEST_PACK, PublishedRule
from api.schemas.access import Body, Path
from models.rulebook import RulebookEdition, RuleNotice
from models.vocabulary import BacktestState, Category, RuleState
from moderation.editions import REASON_LIMIT
from moderation.proposals import ProposalKind

RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{3,120}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_LIMIT, strip_whitespace=True)]


class Shadow(BaseModel):
    """What a rule in shadow would have done in the last thirty days: posts, and verdict>verdict."""

    posts: int
    answers: dict[str, int]


class RuleOut(BaseModel):
    """A rule as it stands here. `terms` is null where they are for auditors only.

    `hits` are posts that it spoke against in the last thirty days. `error_rate` is the share of its
    reviewed posts that people or appeals did not confirm, with its 95 % interval; null where nobody
    reviewed any. `removes`: it may remove without a person; `demoted` says why it no longer may.
    """

    id: str
    category: Category
    clause: str
    action: str
    rationale: str
    author: str
    by_operator: bool
    state: RuleState
    removes: bool
    demoted: str | None
    hits: int
    reviewed: int
    error_rate: float | None
    error_low: float | None
    error_high: float | None
    shadow: Shadow | None
    terms: list[str] | None


def rule_out(one: PublishedRule, *, all_terms: bool = False) -> RuleOut:
    """Return a rule as it goes out."""
    rule, interval = one.rule, one.precision.interval
    return RuleOut(
        id=rule.id,
        category=rule.category,
        clause=rule.clause,
        action=rule.action.value,
        rationale=rule.rationale,
        author=rule.author,
        by_operator=rule.operator,
        state=one.state,
        removes=one.removes,
        demoted=one.demoted,
        hits=one.hits,
        reviewed=one.precision.decided,
        error_rate=one.precision.error_rate,
        error_low=1 - interval[1] if interval else None,
        error_high=1 - interval[0] if interval else None,
        shadow=Shadow(posts=one.trial.posts, answers=dict(one.trial.answers)) if one.trial else None,
        terms=one.terms(all_of_them=all_terms),
    )


class ReasonBody(Body):
    """Why."""

    reason: Reason


class StateBody(ReasonBody):
    """A state, and why."""

    state: RuleState


class RollbackBody(ReasonBody):
    """The edition to go back to; without a number, the one before."""

    number: int | None = Field(default=None, ge=0)


class EditionOut(BaseModel):
    """An edition: its number, what made it, who, why and when."""

    number: int
    action: str
    subject: str
    actor: str
    reason: str
    made_at: datetime
    content: dict[str, Any]

    @classmethod
    def of(cls, row: RulebookEdition) -> "EditionOut":
        """Return an edition as it goes out."""
        return cls.model_validate(row, from_attributes=True)


class BandBody(Body):
    """Probabilities at which a category asks for review, alone and beside a signal."""

    review: float = Field(ge=0.2, le=1.0)
    with_signal: float = Field(ge=0.2, le=1.0)


class BacktestBody(Body):
    """What to try, on the posts of a period at a node of the tree and under it."""

    kind: ProposalKind
    rule: str = Field(default="", max_length=120)
    source: str = Field(default="", max_length=LONGEST_PACK)
    bands: dict[Category, BandBody] = Field(default_factory=dict)
    bundle: str = Field(default="", max_length=120)
    organisation: Path
    since: datetime
    until: datetime
    reason: Reason


class BacktestOut(BaseModel):
    """A run: how far it has come and what it found."""

    id: str
    organisation: str
    kind: ProposalKind
    subject: str
    since: datetime
    until: datetime
    state: BacktestState
    posts: int
    judged: int
    rulebook: str
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    problem: str | None
    figures: dict[str, Any]


class PassageOut(BaseModel):
    """A post of a sample with its text, for who may see posts."""

    post: str
    organisation: str
    text: str
    spans: list[tuple[int, int]]
    by: list[str]
    change: str


class NoticeOut(BaseModel):
    """Something that the operators must know about the rulebook."""

    id: str
    subject: str
    text: str
    details: dict[str, Any]
    raised_at: datetime
    seen_at: datetime | None

    @classmethod
    def of(cls, row: RuleNotice) -> "NoticeOut":
        """Return a notice as it goes out."""
        return cls.model_validate(row, from_attributes=True)
