"""What goes in and out of reports, second readings, and the figures of quality and care."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.reviews import PrecisionOut
from models.quality import GoldenItem
from models.vocabulary import Action, Category, ReportState, SecondReason, SecondState
from moderation.estimates import Stratum
from moderation.exposure import Exposure, Together
from moderation.quality import Figures, OfficerGolden
from moderation.reports import PSEUDONYM_LIMIT, TEXT_LIMIT
from moderation.second_reading import Waiting


class ReportIn(BaseModel):
    """A reader's report. The reporter is a pseudonym of the platform's, kept only as a keyed hash."""

    model_config = ConfigDict(extra="forbid")

    external_id: str = Field(min_length=1, max_length=200, description="The post's id at the platform.")
    category: Category
    reporter: str = Field(min_length=1, max_length=PSEUDONYM_LIMIT)
    text: str = Field(default="", max_length=TEXT_LIMIT)


class ReportOut(BaseModel):
    """Where a report stands; nothing about the post's author, and nothing about who decided."""

    id: str
    external_id: str
    category: Category
    state: ReportState
    received_at: datetime
    settled_at: datetime | None


class SecondReadingOut(BaseModel):
    """A removal that waits for another officer, with the post."""

    id: str
    post_id: str
    organisation: str
    why: SecondReason
    category: Category
    reason: str
    text: str
    asked_at: datetime
    expires_at: datetime
    batch: str | None
    may_decide: bool

    @classmethod
    def of(cls, waiting: Waiting) -> "SecondReadingOut":
        """Return a proposal as it goes out."""
        reading = waiting.reading
        return cls(
            id=reading.id,
            post_id=reading.post_id,
            organisation=reading.organisation,
            why=reading.why,
            category=reading.category,
            reason=reading.reason,
            text=waiting.text,
            asked_at=reading.asked_at,
            expires_at=reading.expires_at,
            batch=reading.batch,
            may_decide=waiting.may_decide,
        )


class SecondIn(BaseModel):
    """What the second officer says; `all` says it about everything that was proposed in one."""

    model_config = ConfigDict(extra="forbid")

    outcome: SecondState
    all: bool = False


class SecondOut(BaseModel):
    """What became of a proposal. `decisions` are the removals that took effect."""

    state: SecondState
    settled: int
    decisions: list[str]


class StratumOut(BaseModel):
    """One band of the published posts."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    posts: int
    judged: int
    harmful: int

    @classmethod
    def of(cls, stratum: Stratum) -> "StratumOut":
        """Return a band as it goes out."""
        return cls.model_validate(stratum)


class MissedOut(BaseModel):
    """The estimated harmful share of published posts, with its 95 % interval."""

    model_config = ConfigDict(from_attributes=True)

    posts: int
    judged: int
    share: float
    low: float
    high: float
    covered: float


class FiguresOut(BaseModel):
    """What blind looks say; no officer is named."""

    since: datetime
    by_rule: dict[str, PrecisionOut]
    by_category: dict[Category, PrecisionOut]
    missed: MissedOut | None
    strata: list[StratumOut]
    referrals: int = Field(description="Published posts in which an officer found a person in danger.")
    alpha: float | None = Field(description="Krippendorff's alpha, nominal; null where it is not defined.")
    alpha_posts: int

    @classmethod
    def of(cls, figures: Figures) -> "FiguresOut":
        """Return figures as they go out."""
        return cls(
            since=figures.since,
            by_rule={name: PrecisionOut.of(one) for name, one in figures.by_rule.items()},
            by_category={word: PrecisionOut.of(one) for word, one in figures.by_category.items()},
            missed=MissedOut.model_validate(figures.missed) if figures.missed else None,
            strata=[StratumOut.of(one) for one in figures.strata],
            referrals=figures.referrals,
            alpha=figures.alpha,
            alpha_posts=figures.alpha_posts,
        )


class ExposureOut(BaseModel):
    """Harsh posts that one was shown today, and how many one unfolded."""

    day: date
    shown: int
    unfolded: int
    limit: int
    over: bool

    @classmethod
    def of(cls, exposure: Exposure) -> "ExposureOut":
        """Return an officer's own counts as they go out."""
        return cls(
            day=exposure.day,
            shown=exposure.shown,
            unfolded=exposure.unfolded,
            limit=exposure.limit,
            over=exposure.over,
        )


class MineOut(BaseModel):
    """One's own: agreement with the golden items, and today's exposure."""

    golden: PrecisionOut
    exposure: ExposureOut


class OfficerOut(BaseModel):
    """One officer's agreement with the golden items."""

    account_id: str
    name: str
    agreed: PrecisionOut

    @classmethod
    def of(cls, one: OfficerGolden) -> "OfficerOut":
        """Return an officer as they go out."""
        return cls(account_id=one.account_id, name=one.name, agreed=PrecisionOut.of(one.agreed))


class TogetherOut(BaseModel):
    """What all officers were shown on one day, as one sum."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    shown: int
    unfolded: int
    officers: int

    @classmethod
    def of(cls, one: Together) -> "TogetherOut":
        """Return a sum as it goes out."""
        return cls.model_validate(one)


class LeadOut(BaseModel):
    """What a lead sees beside the figures: officers in the order of names, and exposure as a sum."""

    officers: list[OfficerOut]
    exposure: list[TogetherOut]


class GoldenIn(BaseModel):
    """A post whose right answer is known."""

    model_config = ConfigDict(extra="forbid")

    post_id: str = Field(max_length=32)
    expected: Action
    category: Category | None = None


class GoldenOut(BaseModel):
    """A golden item: a reference to a post, and no text."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    post_id: str
    organisation: str
    expected: Action
    expected_category: Category | None
    added_at: datetime
    retired_at: datetime | None

    @classmethod
    def of(cls, item: GoldenItem) -> "GoldenOut":
        """Return a golden item as it goes out."""
        return cls.model_validate(item)
