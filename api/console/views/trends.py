"""How many people ask for something each day, with the expected range, per place and domain.

Neighbours: `api/routes/trends.py` gives the same figure; `sentiment/trends.py` is the arithmetic.
"""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from sqlmodel import col, select

from api.console import page
from api.console.console import pages
from api.dependencies import Now, Reading, require
from api.routes.trends import points_for
from api.security import Permission, Principal, scopes
from models.organisation import Organisation, ancestors, under
from models.vocabulary import Domain
from sentiment.trend_days import SHANGHAI

router = pages()
PERIODS = (28, 56, 112)
BELOW = 40

Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]


@dataclass(frozen=True, slots=True)
class Figure:
    """What the page looks at."""

    place: str
    domain: Domain | None
    days: int

    def address(self, **changes: Any) -> str:  # noqa: ANN401 - a word of one of the lists, or None
        """Return the page's address with some of it changed."""
        said: dict[str, Any] = {"place": self.place, "domain": self.domain, "days": self.days} | changes
        return "/trends?" + urlencode({name: str(value) for name, value in said.items() if value})


@router.get("/trends")
def figure(request: Request, principal: Reader, session: Reading, now: Now) -> Response:
    """Show the people per day at a node and under it."""
    asked = request.query_params
    roots = scopes(principal, Permission.DEMANDS_READ)
    domain, days = asked.get("domain", ""), asked.get("days", "")
    looked = Figure(
        place=asked.get("place") or roots[0],
        domain=Domain(domain) if domain in set(Domain) - {Domain.NONE} else None,
        days=int(days) if days.isdecimal() and int(days) in PERIODS else PERIODS[1],
    )
    last = now.astimezone(SHANGHAI).date()
    points, least = points_for(session, principal, looked.place, looked.domain, last=last, days=looked.days)
    rows = session.exec(
        select(Organisation)
        .where(under(col(Organisation.path), looked.place))
        .order_by(col(Organisation.path))
    ).all()
    depth = looked.place.count("/") + 1
    above = [
        one for one in ancestors(looked.place)[1:] if any(one == r or one.startswith(r + "/") for r in roots)
    ]
    return page.render(
        request,
        "trends.html",
        principal=principal,
        looked=looked,
        points=points,
        chart=[
            {
                "label": f"{one.day:%m-%d}",
                "people": one.authors,
                "low": one.expected.low if one.expected else None,
                "high": one.expected.high if one.expected else None,
            }
            for one in points
        ],
        least=least,
        name=next((one.name for one in rows if one.path == looked.place), looked.place),
        below=[one for one in rows if one.path.count("/") == depth][:BELOW],
        above=above[0] if above else None,
        roots=[one for one in roots if one != looked.place],
        domains=[one for one in Domain if one is not Domain.NONE],
        periods=PERIODS,
    )
