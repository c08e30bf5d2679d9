"""The experts by field, and the page that an invited expert opens by a link that cannot be guessed.

The invited expert's page is public for whoever holds the link: it shows the one question, and nothing
of who asked it.
"""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from alerts import experts
from alerts.experts import ExpertPlan
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import places
from api.console.views.entrance import own_site
from api.dependencies import Now, Reading, Transaction, require
from api.routes.clocks import FIGURES
from api.routes.demands import actor_of
from api.security import Permission, Principal, allows, scopes
from models.service_vocabulary import ExpertField, InvitationState

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.EXPERTS_READ))]
Keeper = Annotated[Principal, Depends(require(Permission.EXPERTS_MANAGE))]
Line = Annotated[str, Form(max_length=200)]


@router.get("/experts")
def listing(request: Request, principal: Reader, session: Reading, now: Now) -> Response:
    """Show the experts in scope, and by field what came of their invitations."""
    scope = scopes(principal, Permission.EXPERTS_READ)
    found = experts.list_experts(session, scope)
    return page.render(
        request,
        "experts.html",
        principal=principal,
        experts=found,
        ending={one.id for one in found if allows(principal, Permission.EXPERTS_MANAGE, one.organisation)},
        figures=experts.figures(session, scope, since=now - FIGURES),
        fields=list(ExpertField),
        places=places(session, principal, Permission.EXPERTS_MANAGE),
        names=organisation_names(session, {one.organisation for one in found}),
    )


@router.post("/experts")
def add(
    *,
    principal: Keeper,
    session: Transaction,
    now: Now,
    name: Line,
    field: Annotated[ExpertField, Form()],
    organisation: Line,
    title: Line = "",
    alliance: Line = "",
) -> Response:
    """Put an expert on a list."""
    actor = actor_of(principal, Permission.EXPERTS_MANAGE)
    experts.add_expert(session, organisation, ExpertPlan(name, field, title, alliance), actor, now=now)
    return page.go("/experts", "expert_added")


@router.post("/experts/{expert_id}/end")
def end(
    *, expert_id: str, principal: Keeper, session: Transaction, now: Now, version: Annotated[int, Form()]
) -> Response:
    """Take an expert off the list."""
    actor = actor_of(principal, Permission.EXPERTS_MANAGE)
    experts.end_expert(session, expert_id, actor, version=version, now=now)
    return page.go("/experts", "expert_ended")


@router.get("/invitations/{token}")
def invitation(request: Request, token: str, session: Reading) -> Response:
    """Show the question to the expert who was invited to it."""
    opened = experts.open_invitation(session, token)
    return page.render(
        request,
        "invitation.html",
        opened=opened,
        token=token,
        is_open=opened.invitation.state is InvitationState.OPEN,
    )


@router.post("/invitations/{token}", dependencies=[Depends(own_site)])
def reply(
    *,
    token: str,
    session: Transaction,
    now: Now,
    answered: Annotated[bool, Form()],
    reason: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Take the expert's word. Holding the link is the proof that the expert sends it."""
    experts.reply(session, token, answered=answered, reason=reason, now=now)
    return page.go(f"/invitations/{token}", "invitation_answered" if answered else "invitation_declined")
