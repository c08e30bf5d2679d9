"""Accounts and their roles: made, changed and ended by an administrator, each change on the audit log.

Whoever manages an account manages every place it has a role at; otherwise the administrator of a
county could take over the account of somebody at the province. Nobody gives a role to themselves,
and nobody ends their own administration, so that no place is left without one by mistake.

Refuses: a role at a place that does not exist; a login that is taken.

Neighbours: routes, the console and the command line call these; a command has no `by` and is trusted
as the operator of the machine.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from api import passwords, sessions
from api.security import Permission, Principal, allows, authorise, scopes
from models import audit
from models.account import Account, Grant
from models.errors import Conflict, InvalidInput, NotFound, NotPermitted
from models.organisation import Organisation, ancestors, under
from models.vocabulary import Role

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: a principal, or the operator at the command line (`by` is None)."""

    name: str
    by: Principal | None = None

    @classmethod
    def of(cls, principal: Principal) -> "Actor":
        """Return the actor that a principal is."""
        return cls(principal.actor, principal)

    def must(self, permission: Permission, organisation: str) -> None:
        """Refuse unless it may do `permission` there."""
        if self.by is not None:
            authorise(self.by, permission, organisation)


def known_place(session: Session, path: str, *, field: str = "/organisation") -> Organisation:
    """Return the organisation at `path`.

    Raises
    ------
    InvalidInput
        If there is none.
    """
    found = session.get(Organisation, path)
    if found is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field=field)
    return found


def grants_of(session: Session, account_id: str) -> list[Grant]:
    """Return the roles of an account, in order of place."""
    rows = session.exec(select(Grant).where(col(Grant.account_id) == account_id)).all()
    return sorted(rows, key=lambda row: (row.organisation, row.role))


def may_manage(session: Session, principal: Principal, account: Account) -> bool:
    """Return whether `principal` manages every place at which the account has a role."""
    places = {row.organisation for row in grants_of(session, account.id)}
    if places:
        return all(allows(principal, Permission.ACCOUNTS_MANAGE, place) for place in places)
    # An account without any role belongs to no place, so whoever manages a whole tree looks after it.
    return any("/" not in root for root in scopes(principal, Permission.ACCOUNTS_MANAGE))


def managed(session: Session, account_id: str, actor: Actor) -> Account:
    """Return an account that `actor` manages.

    Raises
    ------
    NotFound
        If there is none, or none that the actor may see.
    NotPermitted
        If it also has a role at a place that the actor does not manage.
    """
    account = session.get(Account, account_id) if actor.by is None else visible(session, account_id, actor.by)
    if account is None:
        raise NotFound("no such account, or none that you may see")
    if actor.by is not None and not may_manage(session, actor.by, account):
        raise NotPermitted("the account has a role at a place that you do not manage")
    return account


def visible(session: Session, account_id: str, principal: Principal) -> Account:
    """Return an account with a role at a place whose accounts `principal` may read.

    Raises
    ------
    NotFound
        If there is none.
    """
    account = session.get(Account, account_id)
    if account is not None:
        places = [row.organisation for row in grants_of(session, account_id)]
        seen = any(allows(principal, Permission.ACCOUNTS_READ, place) for place in places)
        if seen or (not places and may_manage(session, principal, account)):
            return account
    raise NotFound("no such account, or none that you may see")


def list_accounts(session: Session, principal: Principal | None = None) -> list[Account]:
    """Return the accounts that `principal` may read (all for the operator), by login."""
    query = select(Account)
    if principal is not None:
        roots = scopes(principal, Permission.ACCOUNTS_READ)
        places = [under(col(Grant.organisation), root) for root in roots]
        held = select(Grant.account_id).where(or_(*places) if places else col(Grant.id).is_(None))
        seen: ColumnElement[bool] = col(Account.id).in_(held)
        if any("/" not in root for root in roots):
            seen = or_(seen, col(Account.id).not_in(select(Grant.account_id)))
        query = query.where(seen)
    return list(session.exec(query.order_by(col(Account.login))))


def create_account(
    session: Session,
    actor: Actor,
    *,
    login: str,
    name: str,
    grants: Sequence[tuple[Role, str]],
    now: datetime,
    language: str = "zh",
    password: str | None = None,
) -> tuple[Account, str | None]:
    """Return a new account and its one-time password, or None if a password was given.

    Raises
    ------
    InvalidInput
        If the login breaks its rule, the password is weak or a place is unknown.
    Conflict
        If the login is taken.
    """
    login = login.strip().lower()
    if not LOGIN.fullmatch(login):
        raise InvalidInput("a login has 2 to 64 of a-z, 0-9, '.', '_', '-'", field="/login")
    for _, organisation in grants:
        known_place(session, organisation, field="/grants")
        actor.must(Permission.ACCOUNTS_MANAGE, organisation)
    if actor.by is not None and not grants and not holds_a_root(actor.by):
        raise InvalidInput("an account needs a role at a place", field="/grants")
    if session.exec(select(Account.id).where(col(Account.login) == login)).one_or_none() is not None:
        raise Conflict("the login is taken", code="login_taken", field="/login")
    one_time = None
    if password is None:
        password = one_time = passwords.one_time_password()
    else:
        passwords.check_strength(password, login)
    account = Account(
        login=login,
        name=name,
        password=passwords.hash_password(password),
        language=language,
        must_change_password=one_time is not None,
        created_at=now,
    )
    session.add(account)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor.name,
        action="account.created",
        subject=account.id,
        organisation=_common_node([organisation for _, organisation in grants]),
    )
    for role, organisation in grants:
        _grant(session, actor, account, role=role, organisation=organisation, now=now)
    return account, one_time


def _note(session: Session, actor: str, action: str, account: Account, now: datetime) -> None:
    """Put a change of an account on the audit log of the place that all its roles lie under."""
    place = _common_node([row.organisation for row in grants_of(session, account.id)])
    audit.record(session, now, actor=actor, action=action, subject=account.id, organisation=place)


def _common_node(places: Sequence[str]) -> str:
    """Return the lowest node that is at or above all of these; nothing if there is none."""
    if not places:
        return ""
    shared = set(ancestors(places[0])).intersection(*(ancestors(place) for place in places))
    return max(shared, key=len, default="")


def holds_a_root(principal: Principal) -> bool:
    """Return whether `principal` manages the accounts of a whole tree."""
    return any("/" not in root for root in scopes(principal, Permission.ACCOUNTS_MANAGE))


def grant(
    session: Session, actor: Actor, account_id: str, *, role: Role, organisation: str, now: datetime
) -> Grant:
    """Give an account a role at a place, and return the grant; the same twice is one.

    Raises
    ------
    NotPermitted
        If the actor does not manage the place or the account, or is the account.
    """
    account = managed(session, account_id, actor)
    known_place(session, organisation)
    actor.must(Permission.ACCOUNTS_MANAGE, organisation)
    if actor.by is not None and actor.by.id == account.id:
        raise NotPermitted("nobody gives a role to themselves", code="own_role")
    return _grant(session, actor, account, role=role, organisation=organisation, now=now)


def _grant(
    session: Session, actor: Actor, account: Account, *, role: Role, organisation: str, now: datetime
) -> Grant:
    for row in grants_of(session, account.id):
        if (row.role, row.organisation) == (role, organisation):
            return row
    row = Grant(account_id=account.id, role=role, organisation=organisation, granted_at=now)
    session.add(row)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor.name,
        action="role.granted",
        subject=account.id,
        organisation=organisation,
        details={"role": role.value},
    )
    return row


def ungrant(session: Session, actor: Actor, account_id: str, grant_id: str, now: datetime) -> None:
    """Take a role away.

    Raises
    ------
    NotFound
        If the account has no such grant, or the actor may not see it.
    NotPermitted
        If the actor does not manage the place.
    Conflict
        If it is the actor's own administration.
    """
    row = session.get(Grant, grant_id)
    if row is None or row.account_id != account_id:
        raise NotFound("no such role of this account")
    if actor.by is not None:
        visible(session, account_id, actor.by)
    actor.must(Permission.ACCOUNTS_MANAGE, row.organisation)
    if actor.by is not None and actor.by.id == account_id and row.role is Role.ADMINISTRATOR:
        raise Conflict("nobody ends their own administration", code="own_role")
    session.delete(row)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor.name,
        action="role.revoked",
        subject=account_id,
        organisation=row.organisation,
        details={"role": row.role.value},
    )


def disable(session: Session, actor: Actor, account_id: str, now: datetime) -> Account:
    """End an account: nobody signs in with it, and every sign-in of it ends now.

    Raises
    ------
    Conflict
        If it is the actor's own.
    """
    account = managed(session, account_id, actor)
    if actor.by is not None and actor.by.id == account.id:
        raise Conflict("nobody disables their own account", code="own_account")
    if account.disabled_at is None:
        account.disabled_at = now
        session.add(account)
        sessions.revoke_all(session, account.id, now)
        _note(session, actor.name, "account.disabled", account, now)
    return account


def enable(session: Session, actor: Actor, account_id: str, now: datetime) -> Account:
    """Let an account sign in again."""
    account = managed(session, account_id, actor)
    if account.disabled_at is not None:
        account.disabled_at = None
        session.add(account)
        _note(session, actor.name, "account.enabled", account, now)
    return account


def reset_password(session: Session, actor: Actor, account_id: str, now: datetime) -> tuple[Account, str]:
    """Give an account a one-time password, end its sign-ins, and return the password."""
    account = managed(session, account_id, actor)
    password = passwords.one_time_password()
    account.password = passwords.hash_password(password)
    account.must_change_password = True
    session.add(account)
    sessions.revoke_all(session, account.id, now)
    _note(session, actor.name, "account.password_reset", account, now)
    return account, password


def change_password(session: Session, principal: Principal, *, current: str, new: str, now: datetime) -> None:
    """Change one's own password; every other sign-in of the account ends.

    Raises
    ------
    NotPermitted
        If a key asks, or the current password is wrong.
    InvalidInput
        If the new one is weak, or the old one again.
    """
    account = None if principal.is_key else session.get(Account, principal.id)
    if account is None:
        raise NotPermitted("a key has no password")
    if not passwords.matches(account.password, current):
        raise NotPermitted("the current password is wrong", code="wrong_credentials", field="/current")
    passwords.check_strength(new, account.login)
    if new == current:
        raise InvalidInput("the new password is the old one", code="weak_password", field="/new")
    account.password = passwords.hash_password(new)
    account.must_change_password = False
    session.add(account)
    sessions.revoke_all(session, account.id, now, but=principal.sign_in_id)
    _note(session, principal.actor, "account.password_changed", account, now)


def by_login(session: Session, login: str) -> Account:
    """Return the account with this login.

    Raises
    ------
    NotFound
        If there is none.
    """
    account = session.exec(select(Account).where(col(Account.login) == login.lower())).one_or_none()
    if account is None:
        raise NotFound(f"no account has the login {login!r}")
    return account
