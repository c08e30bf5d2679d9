"""What the authors see, with no sign-in: a result to rate with one tap, a consent to give or take back.

And what everybody sees: the reported demands, with what is being done, by whom, since when.

Neighbours: `alerts/loop.py`, `consent.py` and `public.py`; `api/routes/ratings.py` is the same for programs.
"""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from alerts import consent, loop, public
from api.casework import links_of
from api.console import page
from api.console.console import pages
from api.console.views.entrance import own_site
from api.dependencies import Now, Reading, TheService, Transaction
from api.routes.ratings import rateable
from models.errors import InvalidInput
from models.vocabulary import ConsentItem, Rating

router = pages()


@router.get("/rate/{token}")
def rating_page(request: Request, token: str, service: TheService, session: Reading) -> Response:
    """Show the result and three buttons."""
    case, _ = loop.rated_case(session, links_of(service), token)
    return page.render(request, "rate.html", token=token, shown=rateable(session, case), ratings=list(Rating))


@router.post("/rate/{token}", dependencies=[Depends(own_site)])
def rate(
    token: str, service: TheService, session: Transaction, now: Now, rating: Annotated[Rating, Form()]
) -> Response:
    """Take the rating."""
    loop.rate(session, links_of(service), token, rating, now=now)
    return page.go("/rated", "rated")


@router.get("/rated")
def thanks(request: Request) -> Response:
    """Thank the author; the page knows nothing of them."""
    return page.render(request, "rated.html")


@router.get("/consents/{token}")
def consent_page(request: Request, token: str, session: Reading, now: Now) -> Response:
    """Show what is asked for, in the very words that would be consented to."""
    found = consent.asked(session, token, now)
    return page.render(
        request,
        "consent.html",
        token=token,
        found=found,
        about=found.case.title or "",
        wording=consent.WORDING,
        holds=any(one.value is not None for one in found.items),
        limit=consent.LIMIT,
    )


@router.post("/consents/{token}", dependencies=[Depends(own_site)])
def give(
    *,
    request: Request,
    token: str,
    service: TheService,
    session: Transaction,
    now: Now,
    agree: Annotated[str, Form()] = "",
    name: Annotated[str, Form(max_length=200)] = "",
    contact: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Consent: the box is ticked, and what is given is given."""
    if not agree:
        raise InvalidInput("the box is not ticked", code="not_agreed", field="/agree")
    found = consent.asked(session, token, now)
    asked = {one.item for one in found.items}
    sent = {ConsentItem.NAME: name, ConsentItem.CONTACT: contact}
    consent.give(
        session,
        token,
        {item: value for item, value in sent.items() if item in asked},
        language=page.language_of(request),
        links=links_of(service),
        now=now,
    )
    return page.go(f"/consents/{token}", "consented")


@router.post("/consents/{token}/revoke", dependencies=[Depends(own_site)])
def revoke(token: str, session: Transaction, now: Now) -> Response:
    """Take the consent back."""
    consent.revoke(session, token, now=now)
    return page.go(f"/consents/{token}", "consent_revoked")


@router.get("/public/demands")
def demands(request: Request, session: Reading) -> Response:
    """List what was reported, newest first."""
    return page.render(request, "public_demands.html", demands=public.listed(session, limit=100))


@router.get("/public/demands/{event_id}")
def demand(request: Request, event_id: str, session: Reading) -> Response:
    """Show one reported demand: by how many, what is done, by whom, since when."""
    return page.render(request, "public_demand.html", demand=public.one(session, event_id))
