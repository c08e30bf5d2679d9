"""Sign-ins, their cookies and CSRF tokens, and keys of sources.

The cookie holds the id of a `SignIn` row, signed: whoever steals the database can not make one,
and signing out ends it at once everywhere. A guess costs time: five failures of one login in
fifteen minutes close the door for that login, and longer after each further five in the hour.

Refuses: an unknown login and a wrong password with the same words after the same time.

Neighbours: `dependencies` calls this for each request; `routes/sign_in` and the console sign people in.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog
from itsdangerous import BadSignature
from sqlmodel import Session, col, delete, select
from starlette.responses import Response

from api import passwords
from api.security import Principal, permissions_of_grants, permissions_of_scopes
from api.settings import Settings
from api.wiring import Keys, Service
from models import audit
from models.account import Account, ApiKey, Grant, SignIn, SignInAttempt
from models.database import Database
from models.errors import NotAuthenticated, NotPermitted, TooManyRequests
from models.vocabulary import KeyScope

log = structlog.get_logger("sign_in")

KEY_PREFIX = "tj_"
FAILURES = 5
WINDOW = timedelta(minutes=15)
KEPT = timedelta(hours=1)
LONGEST_LOGIN = 64


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
        opens = wait_until(session, login, now)
        if opens is not None:
            seconds = int((opens - now).total_seconds()) + 1
            raise TooManyRequests("too many failed sign-ins; wait", retry_after=seconds)
        # Counted before the password is checked, so that guesses sent at once can not slip through together.
        attempt = SignInAttempt(login=login, at=now)
        session.add(attempt)
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
        opened = SignIn(
            account_id=account.id,
            csrf=secrets.token_urlsafe(32),
            created_at=now,
            expires_at=now + timedelta(hours=settings.session_hours),
        )
        session.add(opened)
        audit.record(session, now, actor=f"account:{account.id}", action="sign_in", subject=account.id)
    return account, opened


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
    return Principal(
        id=account.id,
        name=account.name,
        permissions=permissions_of_grants(grants),
        language=account.language,
        must_change_password=account.must_change_password,
        sign_in_id=opened.id if opened else None,
        csrf=opened.csrf if opened else "",
        grants=grants,
    )


def principal_of_cookie(session: Session, keys: Keys, cookie: str, now: datetime) -> Principal:
    """Return who a cookie speaks for.

    Raises
    ------
    NotAuthenticated
        If it is forged, expired or revoked, or the account is disabled.
    """
    identifier = sign_in_id(keys, cookie)
    opened = session.get(SignIn, identifier) if identifier else None
    account = session.get(Account, opened.account_id) if opened else None
    if (
        opened is None
        or account is None
        or opened.revoked_at is not None
        or opened.expires_at <= now
        or account.disabled_at is not None
    ):
        raise NotAuthenticated("the sign-in has ended; sign in again", code="session_ended")
    return principal_of_account(session, account, opened)


def new_key() -> str:
    """Return a new key of a source, 256 bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_hash(key: str) -> str:
    """Return the hash under which a key is kept. A key is random and long, so one round of SHA-256 does."""
    return hashlib.sha256(key.encode()).hexdigest()


def principal_of_key(session: Session, key: str) -> Principal:
    """Return which source a key speaks for.

    Raises
    ------
    NotAuthenticated
        If the key is unknown or revoked.
    """
    row = session.exec(select(ApiKey).where(col(ApiKey.key_hash) == key_hash(key))).one_or_none()
    if row is None or row.revoked_at is not None:
        raise NotAuthenticated("the key is unknown or revoked", code="wrong_key")
    permitted = permissions_of_scopes(KeyScope(scope) for scope in row.scopes)
    return Principal(id=row.id, name=row.name, permissions={row.organisation: permitted}, source=row.source)


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
    """Remove sign-ins and failed tries that have run out; return how many."""
    ended = session.exec(delete(SignIn).where(col(SignIn.expires_at) < now - timedelta(days=1)))
    tries = session.exec(delete(SignInAttempt).where(col(SignInAttempt.at) < now - KEPT))
    return int(ended.rowcount) + int(tries.rowcount)
