"""What goes in and out of statements of reasons and objections."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.review import Appeal
from models.vocabulary import CLAUSES, AppealState, Category
from moderation.appeals import ANSWER_LIMIT, TEXT_LIMIT, OpenAppeal
from moderation.fresh_looks import OpenLook
from moderation.statements import StatementView, link


class WordsOut(BaseModel):
    """One meaning in both languages."""

    model_config = ConfigDict(from_attributes=True)

    zh: str
    en: str


class RuleOut(BaseModel):
    """The published rule."""

    number: str
    name: WordsOut
    rule: WordsOut


def rule_out(category: Category | None) -> RuleOut | None:
    """Return the published rule of a category; none for a hold that no rule asked for."""
    if category is None:
        return None
    clause = CLAUSES[category]
    return RuleOut(
        number=clause.number,
        name=WordsOut.model_validate(clause.name),
        rule=WordsOut.model_validate(clause.rule),
    )


class AppealIn(BaseModel):
    """An author's objection, by the statement's token."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=64)
    text: str = Field(max_length=TEXT_LIMIT)


class AppealOut(BaseModel):
    """Where an objection stands, as its author may know it: never who decided."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    state: AppealState
    submitted_at: datetime
    decided_at: datetime | None
    answer: str | None

    @classmethod
    def of(cls, appeal: Appeal) -> "AppealOut":
        """Return an objection as it goes out."""
        return cls.model_validate(appeal)


class HowToAppeal(BaseModel):
    """Where to object, and until when."""

    possible: bool
    until: datetime
    page: str
    endpoint: str = "/v1/appeals"


class TransparencyOut(BaseModel):
    """The same in the fields of the EU's public database of statements of reasons."""

    model_config = ConfigDict(from_attributes=True)

    puid: str
    decision_visibility: str
    decision_ground: str | None
    incompatible_content_ground: WordsOut | None
    incompatible_content_explanation: WordsOut
    incompatible_content_illegal: str
    category: str | None
    content_type: str
    content_date: datetime
    application_date: datetime
    end_date_visibility_restriction: datetime | None
    territorial_scope: WordsOut
    temporal_scope: WordsOut
    decision_facts: WordsOut
    source_type: str
    automated_detection: str
    automated_decision: str
    redress: WordsOut


class StatementOut(BaseModel):
    """A statement of reasons: the rule broken, the passage, whether a machine decided, how to object."""

    source: str
    external_id: str
    revision: int
    restriction: str
    category: Category | None
    rule: RuleOut | None
    reason: str
    passages: list[str] = Field(description="Looked up as you read; empty once the post is deleted.")
    spans: list[tuple[int, int]] = Field(description="In code points; empty: the whole post.")
    automated_detection: bool
    automated_decision: bool
    issued_at: datetime
    withdrawn_at: datetime | None
    deleted: bool
    appeal: AppealOut | None
    how_to_appeal: HowToAppeal
    transparency: TransparencyOut
    proof: str = Field(description="Where the proof is that it stands in the audit log, after midnight.")

    @classmethod
    def of(cls, view: StatementView, now: datetime) -> "StatementOut":
        """Return a statement as it goes out."""
        statement, post = view.statement, view.post
        return cls(
            source=post.source,
            external_id=post.external_id,
            revision=statement.revision,
            restriction=statement.restriction,
            category=statement.category,
            rule=rule_out(statement.category),
            reason=statement.reason,
            passages=list(view.passages),
            spans=[(start, end) for start, end in statement.passages],
            automated_detection=statement.automated_detection,
            automated_decision=statement.automated_decision,
            issued_at=statement.issued_at,
            withdrawn_at=statement.withdrawn_at,
            deleted=view.deleted,
            appeal=AppealOut.of(view.appeal) if view.appeal else None,
            how_to_appeal=HowToAppeal(
                possible=view.can_appeal(now), until=statement.appeal_until, page=link(statement)
            ),
            transparency=TransparencyOut.model_validate(view.fields),
            proof=f"/v1/statements/{statement.token}/proof",
        )


class OpenAppealOut(BaseModel):
    """An objection that waits for somebody else than who removed the post."""

    id: str
    organisation: str
    submitted_at: datetime
    text: str
    post_id: str
    post_text: str
    restriction: str
    category: Category | None
    rule: RuleOut | None
    reason: str
    spans: list[tuple[int, int]]
    automated_decision: bool
    may_decide: bool

    @classmethod
    def of(cls, found: OpenAppeal) -> "OpenAppealOut":
        """Return an open objection as it goes out."""
        appeal, statement = found.appeal, found.statement
        return cls(
            id=appeal.id,
            organisation=appeal.organisation,
            submitted_at=appeal.submitted_at,
            text=appeal.text or "",
            post_id=found.post.id,
            post_text=found.text,
            restriction=statement.restriction,
            category=statement.category,
            rule=rule_out(statement.category),
            reason=statement.reason,
            spans=[(start, end) for start, end in statement.passages],
            automated_decision=statement.automated_decision,
            may_decide=found.may_decide,
        )


class AppealDecisionIn(BaseModel):
    """Uphold the removal or reverse it; the author reads the answer."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal[AppealState.UPHELD, AppealState.REVERSED]
    answer: str = Field(max_length=ANSWER_LIMIT)


class FreshLookOut(BaseModel):
    """A removal that a granted objection about the like of it puts in doubt."""

    id: str
    organisation: str
    proposed_at: datetime
    appeal_id: str
    rule_id: str
    post_id: str
    post_text: str
    category: Category | None
    rule: RuleOut | None
    reason: str
    spans: list[tuple[int, int]]
    automated_decision: bool
    may_decide: bool

    @classmethod
    def of(cls, found: OpenLook) -> "FreshLookOut":
        """Return a proposal as it goes out."""
        look, statement = found.look, found.statement
        return cls(
            id=look.id,
            organisation=look.organisation,
            proposed_at=look.proposed_at,
            appeal_id=look.appeal_id,
            rule_id=look.rule,
            post_id=found.post.id,
            post_text=found.text,
            category=statement.category,
            rule=rule_out(statement.category),
            reason=statement.reason,
            spans=[(start, end) for start, end in statement.passages],
            automated_decision=statement.automated_decision,
            may_decide=found.may_decide,
        )


class FreshLookIn(BaseModel):
    """Put the post back, or leave its removal as it is."""

    model_config = ConfigDict(extra="forbid")

    restore: bool


class FreshLookSettled(BaseModel):
    """What came of a proposal."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    post_id: str
    settled_at: datetime | None
    restored: bool | None
