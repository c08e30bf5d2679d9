"""Accounts and their roles, for administrators; auditors look."""

from typing import Annotated

from fastapi import APIRouter, Depends, status
from sqlmodel import Session

from api import accounts
from api.accounts import Actor
from api.dependencies import Now, Reading, Transaction, require
from api.schemas.access import AccountBody, AccountOut, GrantBody, GrantOut, NewPassword
from api.security import Permission, Principal, allows
from models.account import Account, Grant

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

Reader = Annotated[Principal, Depends(require(Permission.ACCOUNTS_READ))]
Manager = Annotated[Principal, Depends(require(Permission.ACCOUNTS_MANAGE))]


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
    return AccountOut(**account.model_dump(exclude={"password"}), grants=held)


@router.get("")
def listing(principal: Reader, session: Reading) -> list[AccountOut]:
    """List the accounts with a role at a place that the caller may read."""
    return [
        account_out(session, account, principal) for account in accounts.list_accounts(session, principal)
    ]


@router.post("", status_code=status.HTTP_201_CREATED)
def create(body: AccountBody, principal: Manager, session: Transaction, now: Now) -> NewPassword:
    """Make an account; its one-time password is in the answer and nowhere else."""
    account, password = accounts.create_account(
        session,
        Actor.of(principal),
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
def disable(account_id: str, principal: Manager, session: Transaction, now: Now) -> AccountOut:
    """End an account and every session of it."""
    return account_out(session, accounts.disable(session, Actor.of(principal), account_id, now), principal)


@router.post("/{account_id}/enable")
def enable(account_id: str, principal: Manager, session: Transaction, now: Now) -> AccountOut:
    """Let an account sign in again."""
    return account_out(session, accounts.enable(session, Actor.of(principal), account_id, now), principal)


@router.post("/{account_id}/password")
def reset_password(account_id: str, principal: Manager, session: Transaction, now: Now) -> NewPassword:
    """Give an account a one-time password; every session of it ends."""
    account, password = accounts.reset_password(session, Actor.of(principal), account_id, now)
    return NewPassword(account=account_out(session, account, principal), one_time_password=password)


@router.post("/{account_id}/grants", status_code=status.HTTP_201_CREATED)
def grant(account_id: str, body: GrantBody, principal: Manager, session: Transaction, now: Now) -> GrantOut:
    """Give an account a role at a place."""
    row = accounts.grant(
        session, Actor.of(principal), account_id, role=body.role, organisation=body.organisation, now=now
    )
    return grant_out(row)


@router.delete("/{account_id}/grants/{grant_id}", status_code=status.HTTP_204_NO_CONTENT)
def ungrant(account_id: str, grant_id: str, principal: Manager, session: Transaction, now: Now) -> None:
    """Take a role away."""
    accounts.ungrant(session, Actor.of(principal), account_id, grant_id, now)
