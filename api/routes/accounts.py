"""Accounts and their roles, for administrators; auditors look."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, status
from sqlmodel import Session

from api import accounts, second_factor, sessions
from api.accounts import Actor
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.schemas.access import (
    AccountBody,
    AccountOut,
    EmailBody,
    GrantBody,
    GrantOut,
    IdentityBody,
    IdentityOut,
    NewPassword,
    SessionOut,
)
from api.security import Permission, Principal, allows
from models.account import Account, Grant
from models.errors import Conflict

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

Reader = Annotated[Principal, Depends(require(Permission.ACCOUNTS_READ))]
Manager = Annotated[Principal, Depends(require(Permission.ACCOUNTS_MANAGE))]
Reason = Annotated[str, Query(max_length=1_000, description="Why; it stands on the audit log.")]


def grant_out(row: Grant) -> GrantOut:
    """Return a grant as it goes out."""
    return GrantOut.model_validate(row, from_attributes=True)


def account_out(session: Session, account: Account, principal: Principal) -> AccountOut:
    """Return an account as it goes out: no hash of a password, and only the roles where one may look."""
    held = [
        grant_out(row)
        for row in accounts.grants_of(session, account.id)
        if allows(principal, Permission.ACCOUNTS_READ, row.organisation)
    ]
    return AccountOut(
        **account.model_dump(exclude={"password"}),
        second_factor=second_factor.confirmed(session, account.id) is not None,
        grants=held,
    )


@router.get("")
def listing(principal: Reader, session: Reading) -> list[AccountOut]:
    """List the accounts with a role at a place that the caller may read."""
    return [
        account_out(session, account, principal) for account in accounts.list_accounts(session, principal)
    ]


@router.post("", status_code=status.HTTP_201_CREATED)
def create(
    body: AccountBody, principal: Manager, session: Transaction, now: Now, reason: Reason = ""
) -> NewPassword:
    """Make an account; its one-time password is in the answer and nowhere else."""
    account, password = accounts.create_account(
        session,
        Actor.of(principal, reason),
        login=body.login,
        name=body.name,
        language=body.language,
        grants=[(one.role, one.organisation) for one in body.grants],
        now=now,
    )
    return NewPassword(account=account_out(session, account, principal), one_time_password=password or "")


@router.get("/{account_id}")
def one(account_id: str, principal: Reader, session: Reading) -> AccountOut:
    """Show one account."""
    return account_out(session, accounts.visible(session, account_id, principal), principal)


@router.post("/{account_id}/disable")
def disable(
    account_id: str, principal: Manager, session: Transaction, now: Now, reason: Reason = ""
) -> AccountOut:
    """End an account and every session of it."""
    return account_out(
        session, accounts.disable(session, Actor.of(principal, reason), account_id, now), principal
    )


@router.post("/{account_id}/enable")
def enable(
    account_id: str, principal: Manager, session: Transaction, now: Now, reason: Reason = ""
) -> AccountOut:
    """Let an account sign in again."""
    return account_out(
        session, accounts.enable(session, Actor.of(principal, reason), account_id, now), principal
    )


@router.post("/{account_id}/password")
def reset_password(
    account_id: str, principal: Manager, session: Transaction, now: Now, reason: Reason = ""
) -> NewPassword:
    """Give an account a one-time password; every session of it ends."""
    account, password = accounts.reset_password(session, Actor.of(principal, reason), account_id, now)
    return NewPassword(account=account_out(session, account, principal), one_time_password=password)


@router.post("/{account_id}/grants", status_code=status.HTTP_201_CREATED)
def grant(
    *,
    account_id: str,
    body: GrantBody,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Reason = "",
) -> GrantOut:
    """Give an account a role at a place."""
    row = accounts.grant(
        session,
        Actor.of(principal, reason),
        account_id,
        role=body.role,
        organisation=body.organisation,
        now=now,
    )
    return grant_out(row)


@router.delete("/{account_id}/grants/{grant_id}", status_code=status.HTTP_204_NO_CONTENT)
def ungrant(
    *, account_id: str, grant_id: str, principal: Manager, session: Transaction, now: Now, reason: Reason = ""
) -> None:
    """Take a role away."""
    accounts.ungrant(session, Actor.of(principal, reason), account_id, grant_id, now)


@router.put("/{account_id}/email")
def set_email(
    *,
    account_id: str,
    body: EmailBody,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Reason = "",
) -> AccountOut:
    """Set the address by which a verified sign-in through the provider finds the account."""
    account = accounts.set_email(session, Actor.of(principal, reason), account_id, body.email, now)
    return account_out(session, account, principal)


@router.get("/{account_id}/identities")
def identities(account_id: str, principal: Reader, session: Reading) -> list[IdentityOut]:
    """List the subjects of the identity provider that an account is linked to."""
    account = accounts.visible(session, account_id, principal)
    return [
        IdentityOut.model_validate(row, from_attributes=True)
        for row in accounts.identities_of(session, account.id)
    ]


@router.post("/{account_id}/identities", status_code=status.HTTP_201_CREATED)
def link(
    *,
    account_id: str,
    body: IdentityBody,
    principal: Manager,
    session: Transaction,
    service: TheService,
    now: Now,
    reason: Reason = "",
) -> IdentityOut:
    """Link a subject of the identity provider to an account.

    Raises
    ------
    Conflict
        If the operator has set no provider up.
    """
    if service.settings.oidc_issuer is None:
        accounts.managed(session, account_id, Actor.of(principal))
        raise Conflict("no identity provider is set up", code="no_provider")
    row = accounts.link(
        session,
        Actor.of(principal, reason),
        account_id,
        issuer=service.settings.oidc_issuer,
        subject=body.subject,
        now=now,
    )
    return IdentityOut.model_validate(row, from_attributes=True)


@router.delete("/{account_id}/identities/{identity_id}", status_code=status.HTTP_204_NO_CONTENT)
def unlink(
    *,
    account_id: str,
    identity_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Reason = "",
) -> None:
    """Take a subject away from an account; every session of the account ends."""
    accounts.unlink(session, Actor.of(principal, reason), account_id, identity_id, now)


@router.delete("/{account_id}/second-factor", status_code=status.HTTP_204_NO_CONTENT)
def reset_second_factor(
    account_id: str, principal: Manager, session: Transaction, now: Now, reason: Reason = ""
) -> None:
    """Take the second factor of an account away; every session of it ends."""
    accounts.reset_second_factor(session, Actor.of(principal, reason), account_id, now)


@router.get("/{account_id}/sessions")
def live_sessions(
    account_id: str, principal: Manager, session: Reading, service: TheService, now: Now
) -> list[SessionOut]:
    """List the live sessions of an account."""
    account = accounts.managed(session, account_id, Actor.of(principal))
    found = sessions.list_live(session, service.settings, account.id, now, current=principal.sign_in_id)
    return [SessionOut.model_validate(one, from_attributes=True) for one in found]


@router.delete("/{account_id}/sessions", status_code=status.HTTP_204_NO_CONTENT)
def end_sessions(
    account_id: str, principal: Manager, session: Transaction, now: Now, reason: Reason = ""
) -> None:
    """End every session of an account at once."""
    accounts.end_sessions(session, Actor.of(principal, reason), account_id, now)


@router.delete("/{account_id}/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
def end_session(
    *,
    account_id: str,
    session_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Reason = "",
) -> None:
    """End one session of an account at once."""
    accounts.end_sessions(session, Actor.of(principal, reason), account_id, now, only=session_id)
