"""Sign-ins, their cookies and CSRF tokens, and keys of sources.

The cookie holds the id of a `SignIn` row, signed: whoever steals the database can not make one,
and signing out ends it at once everywhere. A guess costs time: five failures of one login in
fifteen minutes close the door for that login, and longer after each further five in the hour.
Codes of a second factor are counted in the same way.

A session ends at its absolute limit, after a while without a request, and at once in every process
when it is revoked, because each request reads its row. It gets a new id whenever it gains power:
when its second factor is given, and when the password is changed.

Refuses: an unknown login and a wrong password with the same words after the same time.

Neighbours: `dependencies` calls this for each request; `routes/sign_in` and the console sign people in.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog
from itsdangerous import BadSignature
from sqlalchemy import bindparam
from sqlalchemy.engine import Connection
from sqlmodel import Session, SQLModel, col, delete, select
from starlette.responses import Response

from api import passwords, second_factor
from api.arrival import Arrival
from api.security import Principal, permissions_of_grants, permissions_of_scopes
from api.settings import Settings
from api.wiring import Keys, Service
from models import audit
from models.account import Account, ApiKey, Grant, Identity, SignIn, SignInAttempt, SpentState
from models.database import Database
from models.errors import Conflict, NotAuthenticated, NotFound, NotPermitted, TooManyRequests
from models.prepared import Prepared
from models.vocabulary import KeyScope

log = structlog.get_logger("sign_in")

KEY_PREFIX = "tj_"
FAILURES = 5
WINDOW = timedelta(minutes=15)
KEPT = timedelta(hours=1)
LONGEST_LOGIN = 64
SEEN_EVERY: Final = timedelta(minutes=1)
"""A session's last request is written down this often at most, so that reading takes no writer's lock."""

KEY_NOTED_EVERY: Final = timedelta(minutes=10)
BY_PASSWORD: Final = "password"  # noqa: S105 - the word for a way in, and no password
BY_PROVIDER: Final = "provider"
HERE: Final = Arrival()


def cookie_name(settings: Settings) -> str:
    """Return the cookie's name; over TLS one that a browser ties to this very host."""
    return "__Host-tingjian" if settings.is_https else "tingjian"


def set_cookie(response: Response, service: Service, opened: SignIn) -> None:
    """Give the browser the cookie of a sign-in, for as long as the sign-in lasts."""
    settings = service.settings
    response.set_cookie(
        cookie_name(settings),
        service.keys.cookies.sign(opened.id).decode(),
        max_age=settings.session_hours * 3600,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response, service: Service) -> None:
    """Take the cookie away again."""
    settings = service.settings
    response.delete_cookie(
        cookie_name(settings), path="/", secure=settings.is_https, httponly=True, samesite="lax"
    )


def wait_until(session: Session, login: str, now: datetime) -> datetime | None:
    """Return when the login may be tried again, or None if it may be now.

    Five failures in fifteen minutes close the door until the fifth-newest is fifteen minutes old;
    every further five failures kept (an hour) double that wait.
    """
    failures = session.exec(
        select(SignInAttempt.at)
        .where(col(SignInAttempt.login) == login, col(SignInAttempt.at) > now - KEPT)
        .order_by(col(SignInAttempt.at).desc())
    ).all()
    if len(failures) < FAILURES:
        return None
    window = min(WINDOW * 2 ** (len(failures) // FAILURES - 1), KEPT)
    opens = failures[FAILURES - 1] + window
    return opens if opens > now else None


def sign_in(
    database: Database,
    settings: Settings,
    *,
    login: str,
    password: str,
    now: datetime,
    replaces: str | None = None,
    arrival: Arrival = HERE,
) -> tuple[Account, SignIn]:
    """Return the account and a new sign-in, or refuse. `replaces` is the sign-in of the browser's old cookie.

    It opens its own transactions: a failure has to be on record although the request is refused, and
    no writer's lock is held while argon2 works.

    Raises
    ------
    TooManyRequests
        If this login has failed too often; it tells the seconds to wait.
    NotAuthenticated
        If the login or the password is wrong, or the account is disabled; it does not tell which.
    """
    login = login.strip().lower()[:LONGEST_LOGIN]
    with database.transaction() as session:
        # Counted before the password is checked, so that guesses sent at once can not slip through together.
        _count_try(session, login, now)
        account = session.exec(select(Account).where(col(Account.login) == login)).one_or_none()
    right = passwords.matches(account.password if account else None, password)
    if account is None or not right or account.disabled_at is not None:
        # Known and unknown logins take the same way: no row, no lookup more for the one than for the other.
        log.warning("sign_in.failed", account=account.id if account else None)
        raise NotAuthenticated("the login or the password is wrong", code="wrong_credentials")
    with database.transaction() as session:
        session.exec(delete(SignInAttempt).where(col(SignInAttempt.login) == login))
        if replaces is not None:
            revoke(session, replaces, now)
        opened = _open(session, settings, account.id, BY_PASSWORD, arrival=arrival, now=now)
    return account, opened


def _count_try(session: Session, login: str, now: datetime) -> None:
    """Count one more try at a login, or refuse it."""
    opens = wait_until(session, login, now)
    if opens is not None:
        seconds = int((opens - now).total_seconds()) + 1
        raise TooManyRequests("too many failed sign-ins; wait", retry_after=seconds)
    session.add(SignInAttempt(login=login, at=now))


def _open(
    session: Session, settings: Settings, account_id: str, method: str, *, arrival: Arrival, now: datetime
) -> SignIn:
    opened = SignIn(
        account_id=account_id,
        csrf=secrets.token_urlsafe(32),
        created_at=now,
        expires_at=now + timedelta(hours=settings.session_hours),
        device=arrival.device,
        network=arrival.network,
        method=method,
        last_seen_at=now,
    )
    session.add(opened)
    session.flush()
    audit.record(
        session,
        now,
        actor=f"account:{account_id}",
        action="sign_in",
        subject=account_id,
        details={"method": method},
    )
    return opened


def sign_in_by_provider(
    session: Session,
    settings: Settings,
    *,
    issuer: str,
    subject: str,
    email: str | None,
    now: datetime,
    replaces: str | None = None,
    arrival: Arrival = HERE,
) -> tuple[Account, SignIn]:
    """Return the account that a subject is linked to and a new sign-in. No account is ever made here.

    A subject that is not linked yet is linked by a verified address, if the operator allows its domain
    and exactly one account has it.

    Raises
    ------
    NotPermitted
        If no account is linked, or it is disabled; it tells the subject, for an administrator to link.
    """
    linked = session.exec(
        select(Identity).where(col(Identity.issuer) == issuer, col(Identity.subject) == subject)
    ).one_or_none()
    account = session.get(Account, linked.account_id) if linked is not None else None
    if linked is None and email is not None and email.rpartition("@")[2] in settings.email_domains:
        found = session.exec(select(Account).where(col(Account.email) == email)).all()
        if len(found) == 1 and found[0].disabled_at is None:
            account = found[0]
            _link_by_email(session, account.id, issuer, subject, now)
    if account is None or account.disabled_at is not None:
        log.warning("sign_in.not_linked", account=account.id if account else None)
        raise NotPermitted("no account is linked to this sign-in", code="not_linked", subject=subject)
    if replaces is not None:
        revoke(session, replaces, now)
    return account, _open(session, settings, account.id, BY_PROVIDER, arrival=arrival, now=now)


def _link_by_email(session: Session, account_id: str, issuer: str, subject: str, now: datetime) -> None:
    row = Identity(
        account_id=account_id, issuer=issuer, subject=subject, linked_by="service:email", linked_at=now
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        now,
        actor="service",
        action="identity.linked",
        subject=account_id,
        details={"identity": row.id, "by": "email"},
    )


def give_second_factor(
    database: Database, keys: Keys, principal: Principal, *, code: str, now: datetime
) -> SignIn:
    """Return the session under a new id, with its second factor given.

    Raises
    ------
    TooManyRequests
        If codes of this account have failed too often.
    NotAuthenticated
        If the code is wrong, used or too old.
    """
    tries = f"code:{principal.id}"
    with database.transaction() as session:
        # Counted before the code is looked at, as a password is.
        _count_try(session, tries, now)
    with database.transaction() as session:
        if second_factor.confirmed(session, principal.id) is None:
            raise Conflict("the account has no second factor", code="no_second_factor")
        how = second_factor.verify(session, keys, principal.id, code, now)
        if how is None:
            log.warning("second_factor.failed", account=principal.id)
            raise second_factor.wrong_code()
        session.exec(delete(SignInAttempt).where(col(SignInAttempt.login) == tries))
        opened = rotate(session, principal, now, second_factor_at=now)
        audit.record(
            session,
            now,
            actor=principal.actor,
            action="second_factor.given",
            subject=principal.id,
            details={"by": how},
        )
    return opened


def rotate(
    session: Session, principal: Principal, now: datetime, *, second_factor_at: datetime | None = None
) -> SignIn:
    """Return the session under a new id; the old one opens nothing any more. Its absolute limit stays.

    Raises
    ------
    NotAuthenticated
        If the session was revoked meanwhile.
    """
    old = session.get(SignIn, principal.sign_in_id or "")
    if old is None or old.revoked_at is not None:
        raise NotAuthenticated("the sign-in has ended; sign in again", code="session_ended")
    new = SignIn(
        account_id=old.account_id,
        # Kept, so that a program's next request holds; whoever gains power by a code gets a new one.
        csrf=old.csrf if second_factor_at is None else secrets.token_urlsafe(32),
        created_at=old.created_at,
        expires_at=old.expires_at,
        device=old.device,
        network=old.network,
        method=old.method,
        last_seen_at=now,
        second_factor_at=second_factor_at or old.second_factor_at,
    )
    session.add(new)
    revoke(session, old.id, now)
    return new


@dataclass(frozen=True, slots=True)
class Shown:
    """A session as its person sees it."""

    id: str
    device: str | None
    network: str | None
    method: str | None
    signed_in_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime
    current: bool


def list_live(
    session: Session, settings: Settings, account_id: str, now: datetime, *, current: str | None = None
) -> list[Shown]:
    """Return the sessions of an account that still open something, the newest first."""
    rows = session.exec(
        select(SignIn)
        .where(
            col(SignIn.account_id) == account_id,
            col(SignIn.revoked_at).is_(None),
            col(SignIn.expires_at) > now,
        )
        .order_by(col(SignIn.id).desc())
    )
    return [
        Shown(
            id=row.id,
            device=row.device,
            network=row.network,
            method=row.method,
            signed_in_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=row.expires_at,
            current=row.id == current,
        )
        for row in rows
        if not _is_idle(row, settings, now)
    ]


def end_one(session: Session, account_id: str, identifier: str, *, actor: str, now: datetime) -> None:
    """End one session of an account.

    Raises
    ------
    NotFound
        If the account has no such session.
    """
    refuse_unknown(session, account_id, identifier)
    revoke(session, identifier, now)
    _note_ended(session, account_id, 1, actor, now)


def refuse_unknown(session: Session, account_id: str, identifier: str) -> None:
    """Refuse a session that is not a live one of this account.

    Raises
    ------
    NotFound
        If it is not.
    """
    row = session.get(SignIn, identifier)
    if row is None or row.account_id != account_id or row.revoked_at is not None:
        raise NotFound("no such session of this account")


def end_others(session: Session, principal: Principal, now: datetime) -> int:
    """End every session of the caller but the one that asks; return how many."""
    ended = revoke_all(session, principal.id, now, but=principal.sign_in_id)
    _note_ended(session, principal.id, ended, principal.actor, now)
    return ended


def _note_ended(session: Session, account_id: str, ended: int, actor: str, now: datetime) -> None:
    audit.record(
        session, now, actor=actor, action="sessions.ended", subject=account_id, details={"sessions": ended}
    )


def sign_in_id(keys: Keys, cookie: str | None) -> str | None:
    """Return the id in a cookie, or None if its signature is not ours."""
    if not cookie:
        return None
    try:
        return keys.cookies.unsign(cookie).decode()
    except (BadSignature, UnicodeError):
        return None


def revoke(session: Session, identifier: str, now: datetime) -> None:
    """End one sign-in at once."""
    row = session.get(SignIn, identifier)
    if row is not None and row.revoked_at is None:
        row.revoked_at = now
        session.add(row)
        session.flush()


def revoke_all(session: Session, account_id: str, now: datetime, *, but: str | None = None) -> int:
    """End every sign-in of an account, except `but`; return how many."""
    live = session.exec(
        select(SignIn).where(col(SignIn.account_id) == account_id, col(SignIn.revoked_at).is_(None))
    ).all()
    ended = [row for row in live if row.id != but]
    for row in ended:
        row.revoked_at = now
        session.add(row)
    session.flush()
    return len(ended)


def principal_of_account(session: Session, account: Account, opened: SignIn | None = None) -> Principal:
    """Return the principal of an account, with all its grants."""
    rows = session.exec(select(Grant).where(col(Grant.account_id) == account.id)).all()
    grants = tuple(sorted((row.role, row.organisation) for row in rows))
    owed = second_factor.Owed.NOTHING
    if opened is not None:
        owed = second_factor.owed(session, account.id, grants, opened.second_factor_at)
    return Principal(
        id=account.id,
        name=account.name,
        permissions=permissions_of_grants(grants),
        language=account.language,
        # Whoever comes through the provider has no use for a one-time password.
        must_change_password=account.must_change_password
        and (opened is None or opened.method != BY_PROVIDER),
        owes_code=owed is second_factor.Owed.CODE,
        owes_enrolment=owed is second_factor.Owed.ENROLMENT,
        sign_in_id=opened.id if opened else None,
        csrf=opened.csrf if opened else "",
        grants=grants,
    )


def principal_of_cookie(
    database: Database, keys: Keys, settings: Settings, cookie: str, now: datetime
) -> Principal:
    """Return who a cookie speaks for, and write down now and then that it was seen.

    Raises
    ------
    NotAuthenticated
        If it is forged, expired, idle or revoked, or the account is disabled.
    """
    with database.reading() as session:
        identifier = sign_in_id(keys, cookie)
        opened = session.get(SignIn, identifier) if identifier else None
        account = session.get(Account, opened.account_id) if opened else None
        if (
            opened is None
            or account is None
            or opened.revoked_at is not None
            or opened.expires_at <= now
            or _is_idle(opened, settings, now)
            or account.disabled_at is not None
        ):
            raise NotAuthenticated("the sign-in has ended; sign in again", code="session_ended")
        principal = principal_of_account(session, account, opened)
    if opened.last_seen_at is not None and now - opened.last_seen_at >= SEEN_EVERY:
        with database.transaction() as session:
            session.exec(sa.update(SignIn).where(col(SignIn.id) == opened.id).values(last_seen_at=now))
    return principal


def _is_idle(opened: SignIn, settings: Settings, now: datetime) -> bool:
    """Return whether a session was left alone too long. One of the release before has only its limit."""
    if opened.last_seen_at is None:
        return False
    return now - opened.last_seen_at >= timedelta(minutes=settings.session_idle_minutes)


def new_key() -> str:
    """Return a new key of a source, 256 bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_hash(key: str) -> str:
    """Return the hash under which a key is kept. A key is random and long, so one round of SHA-256 does."""
    return hashlib.sha256(key.encode()).hexdigest()


_BY_HASH = select(ApiKey).where(col(ApiKey.key_hash) == bindparam("key_hash"))
_KEYS = SQLModel.metadata.tables["apikey"]
_HOLDER: Final = Prepared(
    sa.select(
        _KEYS.c.id, _KEYS.c.name, _KEYS.c.source, _KEYS.c.organisation, _KEYS.c.scopes, _KEYS.c.revoked_at
    ).where(_KEYS.c.key_hash == bindparam("key_hash", type_=_KEYS.c.key_hash.type))
)


def principal_of_key(connection: Connection, key: str) -> Principal:
    """Return which source a key speaks for.

    Raises
    ------
    NotAuthenticated
        If the key is unknown or revoked.
    """
    found = _HOLDER.rows(connection, {"key_hash": key_hash(key)})
    if not found or found[0][-1] is not None:
        raise NotAuthenticated("the key is unknown or revoked", code="wrong_key")
    identifier, name, source, organisation, scopes, _ = found[0]
    permitted = permissions_of_scopes(KeyScope(scope) for scope in scopes)
    return Principal(id=identifier, name=name, permissions={organisation: permitted}, source=source)


_NOTED: dict[str, datetime] = {}
"""When this process last wrote down that a key was used, by the key's hash; of keys that exist alone."""


def key_use_is_due(key: str, now: datetime) -> bool:
    """Return whether this process has not written down for a while that a key was used."""
    noted = _NOTED.get(key_hash(key))
    return noted is None or not timedelta() <= now - noted < KEY_NOTED_EVERY


def note_key_use(database: Database, key: str, now: datetime) -> None:
    """Write down that a key was used, if it exists; an invented one costs no writer's lock."""
    hashed = key_hash(key)
    with database.reading() as session:
        row = session.exec(_BY_HASH, params={"key_hash": hashed}).one_or_none()
    if row is None or row.revoked_at is not None:
        return
    if row.last_used_at is None or now - row.last_used_at >= KEY_NOTED_EVERY:
        with database.transaction() as session:
            session.exec(sa.update(ApiKey).where(col(ApiKey.id) == row.id).values(last_used_at=now))
    _NOTED[hashed] = now


def refuse_wrong_csrf(principal: Principal, sent: str) -> None:
    """Refuse a change that a cookie asks for without the CSRF token of its session."""
    if not principal.csrf or not hmac.compare_digest(principal.csrf.encode(), sent.encode()):
        raise NotPermitted("the CSRF token is missing or wrong", code="csrf")


def refuse_other_sites(headers: Mapping[str, str], settings: Settings, *, host: str) -> None:
    """Refuse a change that another site's page asks for, as far as the browser tells.

    Both the public address and the address that the browser used are our own: an operator may
    reach the service by another name than the public one.
    """
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise NotPermitted("the request comes from another site", code="wrong_origin")
    origin = headers.get("origin")
    if origin is None:
        return
    if origin != settings.public_origin and urlsplit(origin).netloc != host:
        raise NotPermitted("the request comes from another site", code="wrong_origin")


def forget_expired(session: Session, now: datetime) -> int:
    """Remove sign-ins, failed tries and spent ways through a provider that ran out; return how many."""
    ended = session.exec(delete(SignIn).where(col(SignIn.expires_at) < now - timedelta(days=1)))
    tries = session.exec(delete(SignInAttempt).where(col(SignInAttempt.at) < now - KEPT))
    spent = session.exec(delete(SpentState).where(col(SpentState.spent_at) < now - KEPT))
    return int(ended.rowcount) + int(tries.rowcount) + int(spent.rowcount)
