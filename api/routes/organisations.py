"""The tree of organisations: everybody sees their own part; administrators add to it."""

from typing import Annotated

from fastapi import APIRouter, Depends, status

from api import organisations
from api.accounts import Actor
from api.dependencies import Now, Reading, Transaction, require
from api.schemas.access import OrganisationBody, OrganisationOut
from api.security import Permission, Principal
from models.organisation import Organisation

router = APIRouter(prefix="/v1/organisations", tags=["organisations"])


def organisation_out(node: Organisation) -> OrganisationOut:
    """Return a node as it goes out."""
    return OrganisationOut.model_validate(node, from_attributes=True)


@router.get("")
def listing(
    principal: Annotated[Principal, Depends(require(Permission.ORGANISATIONS_READ))], session: Reading
) -> list[OrganisationOut]:
    """List the nodes at and under the caller's places."""
    return [organisation_out(node) for node in organisations.list_organisations(session, principal)]


@router.post("", status_code=status.HTTP_201_CREATED)
def create(
    body: OrganisationBody,
    principal: Annotated[Principal, Depends(require(Permission.ORGANISATIONS_MANAGE))],
    session: Transaction,
    now: Now,
) -> OrganisationOut:
    """Add a node under one that the caller manages."""
    node = organisations.add_organisation(
        session,
        Actor.of(principal),
        path=body.path,
        name=body.name,
        name_en=body.name_en,
        kind=body.kind,
        names=body.names,
        now=now,
    )
    return organisation_out(node)
