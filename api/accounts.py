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
from typing import Any, Final

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from api import passwords, second_factor, sessions
from api.security import Permission, Principal, allows, authorise, scopes
from models import audit
from models.account import Account, Grant, Identity
from models.errors import Conflict, InvalidInput, NotFound, NotPermitted
from models.organisation import Organisation, ancestors, under
from models.vocabulary import Role

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
EMAIL: Final = re.compile(r"[^@\s]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")
LONGEST_EMAIL: Final = 200
LONGEST_SUBJECT: Final = 255


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: a principal, or the operator at the command line (`by` is None).

    `reason` is why, in the person's own words; it stands on the audit log beside what was done.
    """

    name: str
    by: Principal | None = None
    reason: str = ""

    @classmethod
    def of(cls, principal: Principal, reason: str = "") -> "Actor":
        """Return the actor that a principal is."""
        return cls(principal.actor, principal, reason.strip())

    def told(self, **details: Any) -> dict[str, Any]:  # noqa: ANN401 - what the audit log holds
        """Return the details of an audit entry, with the reason if there is one."""
        return {**details, "reason": self.reason} if self.reason else details

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
        details=actor.told(),
    )
    for role, organisation in grants:
        _grant(session, actor, account, role=role, organisation=organisation, now=now)
    return account, one_time


def _note(
    session: Session,
    actor: Actor,
    action: str,
    account: Account,
    now: datetime,
    **details: Any,  # noqa: ANN401 - what the audit log holds
) -> None:
    """Put a change of an account on the audit log of the place that all its roles lie under."""
    place = _common_node([row.organisation for row in grants_of(session, account.id)])
    audit.record(
        session,
        now,
        actor=actor.name,
        action=action,
        subject=account.id,
        organisation=place,
        details=actor.told(**details),
    )


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
        details=actor.told(role=role.value),
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
        details=actor.told(role=row.role.value),
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
        _note(session, actor, "account.disabled", account, now)
    return account


def enable(session: Session, actor: Actor, account_id: str, now: datetime) -> Account:
    """Let an account sign in again."""
    account = managed(session, account_id, actor)
    if account.disabled_at is not None:
        account.disabled_at = None
        session.add(account)
        _note(session, actor, "account.enabled", account, now)
    return account


def reset_password(session: Session, actor: Actor, account_id: str, now: datetime) -> tuple[Account, str]:
    """Give an account a one-time password, end its sign-ins, and return the password."""
    account = managed(session, account_id, actor)
    password = passwords.one_time_password()
    account.password = passwords.hash_password(password)
    account.must_change_password = True
    session.add(account)
    sessions.revoke_all(session, account.id, now)
    _note(session, actor, "account.password_reset", account, now)
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
    _note(session, Actor.of(principal), "account.password_changed", account, now)


def set_email(session: Session, actor: Actor, account_id: str, email: str, now: datetime) -> Account:
    """Set the address by which a verified sign-in through the provider finds the account; empty for none.

    Raises
    ------
    InvalidInput
        If it is no address.
    Conflict
        If another account has it.
    """
    account = managed(session, account_id, actor)
    wanted = email.strip().lower()
    if wanted and (len(wanted) > LONGEST_EMAIL or not EMAIL.fullmatch(wanted)):
        raise InvalidInput("not an e-mail address", code="email", field="/email")
    holder = session.exec(select(Account.id).where(col(Account.email) == wanted)).first() if wanted else None
    if holder not in {None, account.id}:
        raise Conflict("another account has this address", code="email_taken", field="/email")
    account.email = wanted or None
    session.add(account)
    _note(session, actor, "account.email_set", account, now)
    return account


def identities_of(session: Session, account_id: str) -> list[Identity]:
    """Return the subjects that an account is linked to, the oldest first."""
    return list(
        session.exec(
            select(Identity).where(col(Identity.account_id) == account_id).order_by(col(Identity.id))
        )
    )


def link(
    session: Session, actor: Actor, account_id: str, *, issuer: str, subject: str, now: datetime
) -> Identity:
    """Link a provider's subject to an account, which from then on signs in through the provider.

    Raises
    ------
    InvalidInput
        If the subject is empty or too long.
    NotPermitted
        If the actor links a subject to their own account.
    Conflict
        If the subject is linked already.
    """
    account = managed(session, account_id, actor)
    wanted = subject.strip()
    if not wanted or len(wanted) > LONGEST_SUBJECT:
        raise InvalidInput("a subject has 1 to 255 characters", field="/subject")
    if actor.by is not None and actor.by.id == account.id:
        raise NotPermitted("nobody links a subject to themselves", code="own_account")
    taken = session.exec(
        select(Identity.id).where(col(Identity.issuer) == issuer, col(Identity.subject) == wanted)
    ).first()
    if taken is not None:
        raise Conflict("the subject is linked already", code="subject_taken", field="/subject")
    row = Identity(account_id=account.id, issuer=issuer, subject=wanted, linked_by=actor.name, linked_at=now)
    session.add(row)
    session.flush()
    _note(session, actor, "identity.linked", account, now, identity=row.id)
    return row


def unlink(session: Session, actor: Actor, account_id: str, identity_id: str, now: datetime) -> None:
    """Take a subject away from an account, and end the account's sessions.

    Raises
    ------
    NotFound
        If the account has no such subject.
    """
    account = managed(session, account_id, actor)
    row = session.get(Identity, identity_id)
    if row is None or row.account_id != account.id:
        raise NotFound("no such identity of this account")
    session.delete(row)
    sessions.revoke_all(session, account.id, now)
    _note(session, actor, "identity.unlinked", account, now, identity=identity_id)


def reset_second_factor(session: Session, actor: Actor, account_id: str, now: datetime) -> Account:
    """Take an account's second factor away and end its sessions; where one is asked for, it enrols anew.

    Raises
    ------
    Conflict
        If there is none, or it is the actor's own: somebody else resets that.
    """
    account = managed(session, account_id, actor)
    if actor.by is not None and actor.by.id == account.id:
        raise Conflict("somebody else resets one's own second factor", code="own_account")
    if not second_factor.remove(session, account.id):
        raise Conflict("the account has no second factor", code="no_second_factor")
    sessions.revoke_all(session, account.id, now)
    _note(session, actor, "second_factor.reset", account, now)
    return account


def end_sessions(
    session: Session, actor: Actor, account_id: str, now: datetime, *, only: str | None = None
) -> int:
    """End the sessions of an account, or `only` one of them; return how many.

    Raises
    ------
    NotFound
        If the account has no such session.
    """
    account = managed(session, account_id, actor)
    if only is None:
        ended = sessions.revoke_all(session, account.id, now)
    else:
        sessions.refuse_unknown(session, account.id, only)
        sessions.revoke(session, only, now)
        ended = 1
    _note(session, actor, "sessions.ended", account, now, sessions=ended)
    return ended


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
