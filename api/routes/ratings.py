"""The authors' side of a case: rate a result with one tap, consent, and take it back. The link is the key.

Nobody signs in here. A link cannot be guessed, and what it opens tells of nobody: a rating page shows the
result, a consent page what is asked for, and never what was given.
"""

from fastapi import APIRouter
from sqlmodel import Session

from alerts import cases, consent, loop
from api.casework import links_of
from api.dependencies import Now, Reading, TheService, Transaction
from api.routes.cases import label
from api.schemas.cases import ConsentBody, ConsentItemOut, ConsentOut, RateableOut, RatingBody
from models.event import Case

router = APIRouter(prefix="/v1", tags=["authors"])


def rateable(session: Session, case: Case) -> RateableOut:
    """Return what an author is asked to rate: the line of the demand and the published result."""
    return RateableOut(
        title=cases.title_of(session, case), result=loop.told_result(session, case), state=case.state
    )


def consent_out(session: Session, found: consent.Asked) -> ConsentOut:
    """Return what the author's page shows, without what was given."""
    return ConsentOut(
        about=cases.title_of(session, found.case),
        may_give=found.may_give,
        items=[
            ConsentItemOut(
                item=one.item,
                wording=label(consent.WORDING[one.item]),
                given=one.value is not None,
                given_at=one.given_at,
                revoked_at=one.revoked_at,
                forgotten_at=one.forgotten_at,
            )
            for one in found.items
        ],
    )


@router.get("/ratings/{token}")
def look(token: str, service: TheService, session: Reading) -> RateableOut:
    """Show what is to be rated."""
    case, _ = loop.rated_case(session, links_of(service), token)
    return rateable(session, case)


@router.post("/ratings/{token}")
def rate(token: str, body: RatingBody, service: TheService, session: Transaction, now: Now) -> RateableOut:
    """Rate a result; the last word of an author counts. It is bound to nobody."""
    case = loop.rate(session, links_of(service), token, body.rating, now=now)
    return rateable(session, case)


@router.get("/consents/{token}")
def asked(token: str, session: Reading, now: Now) -> ConsentOut:
    """Show what an author is asked to let be passed on, in the words that they would consent to."""
    return consent_out(session, consent.asked(session, token, now))


@router.post("/consents/{token}")
def give(token: str, body: ConsentBody, service: TheService, session: Transaction, now: Now) -> ConsentOut:
    """Consent, by giving what was asked for."""
    consent.give(session, token, body.values, language=body.language, links=links_of(service), now=now)
    return consent_out(session, consent.asked(session, token, now))


@router.delete("/consents/{token}")
def revoke(token: str, session: Transaction, now: Now) -> ConsentOut:
    """Take back whatever was given with this link."""
    consent.revoke(session, token, now=now)
    return consent_out(session, consent.asked(session, token, now))
