"""Accounts, for administrators; auditors look: their roles, their state, how they sign in, their sessions.

One card for each account, and each change is a form of its own with its reason. A one-time password
stands on the page that answers the form and nowhere else.

Neighbours: `api/accounts.py` decides who manages whom.
"""

from typing import Annotated

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from api import accounts, second_factor, sessions
from api.accounts import Actor
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import Why, people, places
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.security import Permission, Principal, allows
from api.wiring import Service
from models.account import Account
from models.errors import InvalidInput
from models.vocabulary import Role

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.ACCOUNTS_READ))]
Manager = Annotated[Principal, Depends(require(Permission.ACCOUNTS_MANAGE))]
ROLES = {role.value: role for role in Role}


def role_of(word: str) -> Role:
    """Return the role that a form names.

    Raises
    ------
    InvalidInput
        If there is none of this name.
    """
    if word not in ROLES:
        raise InvalidInput("no such role", code="unknown_word", field="/role")
    return ROLES[word]


@router.get("/accounts")
def listing(request: Request, principal: Reader, session: Reading) -> Response:
    """Show the accounts with a role at a place that the reader may see, and the form for a new one."""
    found = accounts.list_accounts(session, principal)
    held = {
        account.id: [
            row
            for row in accounts.grants_of(session, account.id)
            if allows(principal, Permission.ACCOUNTS_READ, row.organisation)
        ]
        for account in found
    }
    return page.render(
        request,
        "accounts.html",
        principal=principal,
        accounts=found,
        held=held,
        factors={account.id for account in found if second_factor.confirmed(session, account.id)},
        names=organisation_names(session, {row.organisation for rows in held.values() for row in rows}),
        places=places(session, principal, Permission.ACCOUNTS_MANAGE),
        roles=list(Role),
    )


@router.post("/accounts")
def create(
    *,
    request: Request,
    principal: Manager,
    service: TheService,
    session: Transaction,
    now: Now,
    reason: Why,
    login: Annotated[str, Form()] = "",
    name: Annotated[str, Form(max_length=64)] = "",
    role: Annotated[str, Form()] = "",
    organisation: Annotated[str, Form()] = "",
) -> Response:
    """Make an account with its first role, and show its one-time password this once."""
    account, password = accounts.create_account(
        session,
        Actor.of(principal, reason),
        login=login,
        name=name.strip() or login,
        grants=[(role_of(role), organisation)],
        now=now,
    )
    return card_page(request, session, service, principal, account, now=now, password=password)


@router.get("/accounts/{account_id}")
def card(
    *, request: Request, account_id: str, principal: Reader, service: TheService, session: Reading, now: Now
) -> Response:
    """Show one account."""
    account = accounts.visible(session, account_id, principal)
    return card_page(request, session, service, principal, account, now=now)


def card_page(
    request: Request,
    session: Session,
    service: Service,
    principal: Principal,
    account: Account,
    *,
    now: Now,
    password: str | None = None,
) -> Response:
    """Return an account's card; whoever does not manage the account gets no forms and no sessions."""
    manages = accounts.may_manage(session, principal, account)
    held = [
        row
        for row in accounts.grants_of(session, account.id)
        if allows(principal, Permission.ACCOUNTS_READ, row.organisation)
    ]
    identities = accounts.identities_of(session, account.id)
    return page.render(
        request,
        "account.html",
        principal=principal,
        account=account,
        manages=manages,
        oneself=principal.id == account.id,
        held=held,
        password=password,
        identities=identities,
        people=people(session, [one.linked_by for one in identities]),
        provider=service.settings.oidc_issuer,
        factor=second_factor.confirmed(session, account.id),
        live=sessions.list_live(session, service.settings, account.id, now, current=principal.sign_in_id)
        if manages
        else [],
        names=organisation_names(session, {row.organisation for row in held}),
        places=places(session, principal, Permission.ACCOUNTS_MANAGE),
        roles=list(Role),
    )


@router.post("/accounts/{account_id}/grant")
def grant(
    *,
    account_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Why,
    role: Annotated[str, Form()] = "",
    organisation: Annotated[str, Form()] = "",
) -> Response:
    """Give an account a role at a place."""
    accounts.grant(
        session,
        Actor.of(principal, reason),
        account_id,
        role=role_of(role),
        organisation=organisation,
        now=now,
    )
    return page.go(f"/accounts/{account_id}", "role_granted")


@router.post("/accounts/{account_id}/ungrant")
def ungrant(
    *,
    account_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Why,
    grant_id: Annotated[str, Form(alias="grant")] = "",
) -> Response:
    """Take a role away."""
    accounts.ungrant(session, Actor.of(principal, reason), account_id, grant_id, now)
    return page.go("/accounts", "role_revoked")


@router.post("/accounts/{account_id}/lock")
def lock(account_id: str, principal: Manager, session: Transaction, now: Now, reason: Why) -> Response:
    """End an account and every session of it."""
    accounts.disable(session, Actor.of(principal, reason), account_id, now)
    return page.go(f"/accounts/{account_id}", "account_locked")


@router.post("/accounts/{account_id}/unlock")
def unlock(account_id: str, principal: Manager, session: Transaction, now: Now, reason: Why) -> Response:
    """Let an account sign in again."""
    accounts.enable(session, Actor.of(principal, reason), account_id, now)
    return page.go(f"/accounts/{account_id}", "account_unlocked")


@router.post("/accounts/{account_id}/password")
def reset_password(
    *,
    request: Request,
    account_id: str,
    principal: Manager,
    service: TheService,
    session: Transaction,
    now: Now,
    reason: Why,
) -> Response:
    """Give an account a one-time password and show it this once."""
    account, password = accounts.reset_password(session, Actor.of(principal, reason), account_id, now)
    return card_page(request, session, service, principal, account, now=now, password=password)


@router.post("/accounts/{account_id}/second-factor")
def reset_second_factor(
    account_id: str, principal: Manager, session: Transaction, now: Now, reason: Why
) -> Response:
    """Take the second factor of an account away."""
    accounts.reset_second_factor(session, Actor.of(principal, reason), account_id, now)
    return page.go(f"/accounts/{account_id}", "second_factor_reset")


@router.post("/accounts/{account_id}/email")
def set_email(
    *,
    account_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Why,
    email: Annotated[str, Form()] = "",
) -> Response:
    """Set the address by which a verified sign-in through the provider finds the account."""
    accounts.set_email(session, Actor.of(principal, reason), account_id, email, now)
    return page.go(f"/accounts/{account_id}", "email_set")


@router.post("/accounts/{account_id}/link")
def link(
    *,
    account_id: str,
    principal: Manager,
    service: TheService,
    session: Transaction,
    now: Now,
    reason: Why,
    subject: Annotated[str, Form()] = "",
) -> Response:
    """Link a subject of the provider."""
    issuer = service.settings.oidc_issuer
    if issuer is None:
        accounts.managed(session, account_id, Actor.of(principal))
        return page.go(f"/accounts/{account_id}")
    accounts.link(session, Actor.of(principal, reason), account_id, issuer=issuer, subject=subject, now=now)
    return page.go(f"/accounts/{account_id}", "identity_linked")


@router.post("/accounts/{account_id}/unlink")
def unlink(
    *,
    account_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Why,
    identity: Annotated[str, Form()] = "",
) -> Response:
    """Take a subject away."""
    accounts.unlink(session, Actor.of(principal, reason), account_id, identity, now)
    return page.go(f"/accounts/{account_id}", "identity_unlinked")


@router.post("/accounts/{account_id}/sessions")
def end_sessions(
    *,
    account_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Why,
    only: Annotated[str, Form(alias="session")] = "",
) -> Response:
    """End one session of an account, or all of them."""
    accounts.end_sessions(session, Actor.of(principal, reason), account_id, now, only=only or None)
    return page.go(f"/accounts/{account_id}", "sessions_ended")
