"""What everybody may read (charter, 9): the rules, the service domains, and the report of a month.

No key and no sign-in is asked for. The report is counts alone; it is worked out at most once in
five minutes for each month, so that reading it often costs the service little.
"""

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from api.dependencies import Now, TheService
from assessment.openness import Openness, report
from models.errors import InvalidInput
from models.vocabulary import CLAUSES, DOMAIN_WORDS, Category, Domain
from moderation.pipeline import Screener

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


class RuleOut(BaseModel):
    """A rule as it is switched on here. `terms` is null where a shipped rule's are not published."""

    id: str
    category: Category
    clause: str
    action: str
    rationale: str
    author: str
    by_operator: bool
    terms: list[str] | None


class DomainOut(BaseModel):
    """A service domain in the two languages."""

    domain: Domain
    zh: str
    en: str


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
                    kept = (now, report(session, since, until))
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
def rules(service: TheService) -> list[RuleOut]:
    """List the rules that are switched on, the operator's own with their terms as well."""
    if not isinstance(service.screener, Screener):
        return []
    return [
        RuleOut(
            id=rule.id,
            category=rule.category,
            clause=rule.clause,
            action=rule.action.value,
            rationale=rule.rationale,
            author=rule.author,
            by_operator=rule.operator,
            terms=list(rule.terms) if rule.public else None,
        )
        for rule in service.screener.rulebook.rules
    ]


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
