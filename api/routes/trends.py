"""How many people ask for something each day, with the range that was to be expected.

Per node of the tree, domain and day, never per author. Whoever may not read posts at the node gets
round numbers, and none of a day on which too few people spoke (charter, 5).

Neighbours: `sentiment/trends.py` is the arithmetic, `sentiment/trend_days.py` counts.
"""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlmodel import Session

from api.dependencies import Now, Reading, require
from api.schemas.alerts import Out
from api.security import Permission, Principal, allows, authorise_found, scopes
from models.organisation import PATH_PATTERN
from models.threshold import threshold_for
from models.vocabulary import Domain
from sentiment.trend_days import LONGEST, SHANGHAI, figure
from sentiment.trends import Point

router = APIRouter(prefix="/v1/trends", tags=["demands"])
Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]
DAYS = 42


class ExpectedOut(Out):
    """The range that holds 95 days of 100 like it, from `days` such days."""

    low: float
    middle: float
    high: float
    days: int


class PointOut(Out):
    """One day. `authors` is null where too few people spoke to be told of."""

    day: date
    authors: int | None
    expected: ExpectedOut | None
    unusual: bool


class TrendOut(Out):
    """A figure of one place and domain; no domain is all of them."""

    organisation: str
    domain: Domain | None
    minimum: int
    points: list[PointOut]


def points_for(
    session: Session, principal: Principal, organisation: str, domain: Domain | None, *, last: date, days: int
) -> tuple[list[Point], int]:
    """Return the days as this person may see them, and the least number of people they tell of."""
    authorise_found(principal, Permission.DEMANDS_READ, organisation)
    reads = allows(principal, Permission.POSTS_READ, organisation)
    least = 0 if reads else threshold_for(session, organisation).k
    return figure(session, organisation, domain, last, days, least=least), least


@router.get("")
def trend(
    principal: Reader,
    session: Reading,
    now: Now,
    *,
    organisation: Annotated[str | None, Query(pattern=PATH_PATTERN, max_length=200)] = None,
    domain: Domain | None = None,
    days: Annotated[int, Query(ge=7, le=LONGEST)] = DAYS,
) -> TrendOut:
    """Give the days up to today at a node and under it; without one, at your own."""
    place = organisation or scopes(principal, Permission.DEMANDS_READ)[0]
    last = now.astimezone(SHANGHAI).date()
    points, least = points_for(session, principal, place, domain, last=last, days=days)
    return TrendOut(
        organisation=place,
        domain=domain,
        minimum=least,
        points=[PointOut.model_validate(one) for one in points],
    )
