"""What everybody may read (charter, 9): the rules, the service domains, and the report of a month.

No key and no sign-in is asked for. The report is counts alone; it is worked out at most once in
five minutes for each month, so that reading it often costs the service little.
"""

from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict

from api.dependencies import Now, Reading, TheService
from api.rules import RuleFigures
from api.schemas.rules import RuleOut, rule_out
from assessment.openness import Openness, report
from models import anchor
from models.errors import InvalidInput
from models.vocabulary import CLAUSES, DOMAIN_WORDS, Category, Domain

router = APIRouter(prefix="/v1/public", tags=["public"])

SHANGHAI = ZoneInfo("Asia/Shanghai")
FRESH = timedelta(minutes=5)
OLDEST_YEAR = 2016
MOST_KEPT = 24


class ClauseOut(BaseModel):
    """A published rule in the two languages."""

    category: Category
    number: str
    name_zh: str
    name_en: str
    rule_zh: str
    rule_en: str
    is_violation: bool


class DomainOut(BaseModel):
    """A service domain in the two languages."""

    domain: Domain
    zh: str
    en: str


class AnchorOut(BaseModel):
    """One hash for the entries of the audit log of one day; keep it, and later changes show."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    day: date
    first: int
    last: int
    head: str
    root: str
    previous: str
    hash: str


class Published:
    """The reports that were worked out lately, by month. One is worked out at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[datetime, Openness]] = {}

    def of(self, month: str, service: TheService, now: datetime) -> Openness:
        """Return the report of a month, at most five minutes old."""
        since, until = bounds(month)
        with self._lock:
            kept = self._kept.get(month)
            if kept is None or now - kept[0] > FRESH:
                with service.database.reading() as session:
                    kept = (now, report(session, since, until, now))
                while len(self._kept) >= MOST_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[month] = kept
            return kept[1]


def bounds(month: str) -> tuple[datetime, datetime]:
    """Return the first moment of a month in Shanghai and of the next, in UTC.

    Raises
    ------
    InvalidInput
        If it is no month of this service's time.
    """
    year, number = int(month[:4]), int(month[5:])
    if year < OLDEST_YEAR:
        raise InvalidInput("no such month", field="/month")
    since = datetime(year, number, 1, tzinfo=SHANGHAI)
    until = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=SHANGHAI)
    return since.astimezone(UTC), until.astimezone(UTC)


@router.get("/clauses")
def clauses() -> list[ClauseOut]:
    """List the published rules. Self-harm stands among them and is no violation."""
    return [
        ClauseOut(
            category=category,
            number=clause.number,
            name_zh=clause.name.zh,
            name_en=clause.name.en,
            rule_zh=clause.rule.zh,
            rule_en=clause.rule.en,
            is_violation=category is not Category.SELF_HARM,
        )
        for category, clause in CLAUSES.items()
    ]


@router.get("/rules")
def rules(request: Request, service: TheService, now: Now) -> list[RuleOut]:
    """List the rules with their state, how often each hit lately, and how often people found it wrong.

    All the rules there are, those in shadow and retired ones too. What a rule looks for stands there too,
    but where showing it would help whoever sells.
    """
    figures: RuleFigures = request.app.state.rule_figures
    return [rule_out(one) for one in figures.of(service, now)]


@router.get("/domains")
def domains() -> list[DomainOut]:
    """List the service domains that a demand may belong to."""
    return [DomainOut(domain=domain, zh=words.zh, en=words.en) for domain, words in DOMAIN_WORDS.items()]


@router.get("/openness")
def openness(
    request: Request,
    service: TheService,
    now: Now,
    month: Annotated[str, Query(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="Such as 2026-03.")],
) -> Openness:
    """Give the public report of a month: removals by rule, by machine and person, appeals, reply times."""
    published: Published = request.app.state.published
    return published.of(month, service, now)


@router.get("/audit/anchors")
def anchors(
    session: Reading,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="The number of the last one you have.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 400,
) -> list[AnchorOut]:
    """Give the daily anchors of the audit log, oldest first: hashes, days and counts of entries alone."""
    return [AnchorOut.model_validate(one) for one in anchor.listed(session, after, limit)]
