"""Experts over HTTP: by field, invited to a question, counted by field.

Neighbours: `alerts/experts.py` does the work; the invited expert's page is the console's.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, status

from alerts import experts
from alerts.experts import ExpertPlan
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.clocks import FIGURES
from api.routes.demands import actor_of
from api.schemas.alerts import Identifier
from api.schemas.stations import (
    ExpertBody,
    ExpertOut,
    ExpertsOut,
    FieldFiguresOut,
    InvitationOut,
    InviteBody,
)
from api.security import Permission, Principal, scopes

router = APIRouter(prefix="/v1/experts", tags=["experts"])

Reader = Annotated[Principal, Depends(require(Permission.EXPERTS_READ))]
Keeper = Annotated[Principal, Depends(require(Permission.EXPERTS_MANAGE))]


def invitation_address(public_url: str, token: str) -> str:
    """Return where an invitation is opened."""
    return f"{public_url}/invitations/{token}"


@router.get("")
def listing(principal: Reader, session: Reading, now: Now) -> ExpertsOut:
    """List the experts in scope, and by field what came of the invitations of the last thirty days."""
    scope = scopes(principal, Permission.EXPERTS_READ)
    return ExpertsOut(
        experts=[ExpertOut.model_validate(one) for one in experts.list_experts(session, scope)],
        figures=[
            FieldFiguresOut.model_validate(row)
            for row in experts.figures(session, scope, since=now - FIGURES)
        ],
    )


@router.post("", status_code=status.HTTP_201_CREATED)
def add(body: ExpertBody, principal: Keeper, session: Transaction, now: Now) -> ExpertOut:
    """Put an expert on an organisation's list."""
    plan = ExpertPlan(body.name, body.field, body.title, body.alliance)
    actor = actor_of(principal, Permission.EXPERTS_MANAGE)
    return ExpertOut.model_validate(experts.add_expert(session, body.organisation, plan, actor, now=now))


@router.delete("/{expert_id}")
def end(
    expert_id: Identifier,
    version: Annotated[int, Query(ge=1)],
    principal: Keeper,
    session: Transaction,
    now: Now,
) -> ExpertOut:
    """Take an expert off the list."""
    actor = actor_of(principal, Permission.EXPERTS_MANAGE)
    return ExpertOut.model_validate(experts.end_expert(session, expert_id, actor, version=version, now=now))


@router.post("/{expert_id}/invitations", status_code=status.HTTP_201_CREATED)
def invite(
    *,
    expert_id: Identifier,
    body: InviteBody,
    principal: Keeper,
    session: Transaction,
    now: Now,
    service: TheService,
) -> InvitationOut:
    """Invite an expert to a question that waits; the address of the invitation is shown this once."""
    actor = actor_of(principal, Permission.EXPERTS_MANAGE)
    invitation, token = experts.invite(session, expert_id, body.clock_id, actor, now=now)
    return InvitationOut(
        id=invitation.id,
        state=invitation.state,
        address=invitation_address(service.settings.public_url, token),
    )
