"""The second factor of an account: enrolled, confirmed, asked for, recovered, reset.

A secret is made by the service, sealed with a key of its own and counts once a code of it was
confirmed. A code opens once: the step that was used last is on record, and is moved on by one
statement, so that two processes can not both take it. Ten recovery codes are shown once and kept
as keyed hashes; each opens once. Failures count like those of a password.

Who needs one is a setting of a place, for officers and for administrators apart; the strictest of
the nodes above holds, so that no county switches off what its province asks for.

Refuses: a new enrolment while a confirmed one is in force (an administrator resets it first), and
a reset of one's own by an administrator's way.

Neighbours: `totp` is the arithmetic; `sessions` asks whether a session still owes its second
factor; `accounts` is who may manage whom.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlmodel import Session, col, delete, select

from api import totp
from api.passwords import ALPHABET
from models import audit, sealing
from models.account import Account, RecoveryCode, SecondFactor
from models.demand import Setting
from models.errors import Conflict, NotAuthenticated
from models.organisation import ancestors
from models.vocabulary import Role

if TYPE_CHECKING:
    from api.wiring import Keys

OFFICERS_KEY: Final = "second_factor_officers"
ADMINISTRATORS_KEY: Final = "second_factor_administrators"
KEY_OF_ROLE: Final = MappingProxyType(
    {
        role: ADMINISTRATORS_KEY if role in {Role.ADMINISTRATOR, Role.AUDITOR} else OFFICERS_KEY
        for role in Role
    }
)
RECOVERY_CODES: Final = 10
RECOVERY_GROUPS: Final = 3
ISSUER: Final = "Tingjian"


class Owed(StrEnum):
    """What a session still owes before it opens anything: nothing, a code, or an enrolment."""

    NOTHING = "nothing"
    CODE = "code"
    ENROLMENT = "enrolment"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A secret that waits to be confirmed, as it is shown."""

    secret: str
    address: str


def confirmed(session: Session, account_id: str) -> SecondFactor | None:
    """Return the second factor that is in force, if there is one."""
    return session.exec(
        select(SecondFactor).where(
            col(SecondFactor.account_id) == account_id, col(SecondFactor.confirmed_at).is_not(None)
        )
    ).one_or_none()


def is_required(session: Session, grants: Sequence[tuple[Role, str]]) -> bool:
    """Return whether a setting at or above one of these roles' places asks for a second factor."""
    asked = {(KEY_OF_ROLE[role], node) for role, place in grants for node in ancestors(place)}
    if not asked:
        return False
    rows = session.exec(
        select(Setting)
        .where(
            col(Setting.key).in_(sorted({key for key, _ in asked})),
            col(Setting.organisation).in_(sorted({node for _, node in asked})),
        )
        .order_by(col(Setting.changed_at), col(Setting.id))
    )
    newest = {(row.key, row.organisation): row.value == 1 for row in rows}
    return any(newest.get(one, False) for one in asked)


def owed(
    session: Session, account_id: str, grants: Sequence[tuple[Role, str]], given_at: datetime | None
) -> Owed:
    """Return what a session still owes. `given_at` is when it gave its second factor."""
    if given_at is not None:
        return Owed.NOTHING
    if confirmed(session, account_id) is not None:
        return Owed.CODE
    return Owed.ENROLMENT if is_required(session, grants) else Owed.NOTHING


def begin(session: Session, keys: "Keys", account: Account, now: datetime) -> Enrolment:
    """Return a secret to confirm; one that was begun and not confirmed is shown again.

    Raises
    ------
    Conflict
        If the account has a second factor already.
    """
    row = session.exec(select(SecondFactor).where(col(SecondFactor.account_id) == account.id)).one_or_none()
    if row is not None and row.confirmed_at is not None:
        raise Conflict("the account has a second factor already", code="second_factor_exists")
    if row is None:
        secret = totp.new_secret()
        row = SecondFactor(
            account_id=account.id,
            secret=sealing.seal(keys.second_factors, secret, account.id),
            created_at=now,
        )
        session.add(row)
        session.flush()
    return _shown(_secret(keys, row), account)


def _shown(secret: bytes, account: Account) -> Enrolment:
    return Enrolment(totp.shown_secret(secret), totp.address(secret, issuer=ISSUER, login=account.login))


def _secret(keys: "Keys", row: SecondFactor) -> bytes:
    return sealing.unseal(keys.second_factors, row.secret, row.account_id)


def confirm(
    session: Session, keys: "Keys", account: Account, code: str, *, actor: str, now: datetime
) -> list[str]:
    """Put a secret in force with a code of it, and return the recovery codes, which are shown this once.

    Raises
    ------
    Conflict
        If no enrolment was begun, or one is in force already.
    NotAuthenticated
        If the code is wrong.
    """
    row = session.exec(select(SecondFactor).where(col(SecondFactor.account_id) == account.id)).one_or_none()
    if row is None or row.confirmed_at is not None:
        raise Conflict("no enrolment waits to be confirmed", code="no_enrolment")
    step = totp.matching_step(_secret(keys, row), code, now)
    if step is None or not _use(session, row, step):
        raise wrong_code()
    row.confirmed_at = now
    session.add(row)
    audit.record(session, now, actor=actor, action="second_factor.enrolled", subject=account.id)
    return new_recovery_codes(session, keys, account.id)


def wrong_code() -> NotAuthenticated:
    """Return the error of a code that opens nothing; it tells not why."""
    return NotAuthenticated("the code is wrong, used or too old", code="wrong_code")


def _use(session: Session, row: SecondFactor, step: int) -> bool:
    """Move the last used step on, in one statement; return False if somebody was there before."""
    moved = session.exec(
        sa.update(SecondFactor)
        .where(col(SecondFactor.id) == row.id, col(SecondFactor.last_step) < step)
        .values(last_step=step)
        .execution_options(synchronize_session=False)
    )
    session.refresh(row)
    return bool(moved.rowcount)


def verify(session: Session, keys: "Keys", account_id: str, typed: str, now: datetime) -> str | None:
    """Return how a code opened, `code` or `recovery`, or None if it did not. Whatever opens is used up."""
    row = confirmed(session, account_id)
    if row is None:
        return None
    step = totp.matching_step(_secret(keys, row), typed, now, after=row.last_step)
    if step is not None:
        return "code" if _use(session, row, step) else None
    used = session.exec(
        sa.update(RecoveryCode)
        .where(
            col(RecoveryCode.account_id) == account_id,
            col(RecoveryCode.code_hash) == _hash(keys, typed),
            col(RecoveryCode.used_at).is_(None),
        )
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    return "recovery" if used.rowcount else None


def _hash(keys: "Keys", code: str) -> str:
    """Return the keyed hash of a recovery code; it is random enough for one round."""
    plain = "".join(code.split()).replace("-", "").lower()
    return hmac.digest(keys.second_factors, b"recovery/" + plain.encode(), hashlib.sha256).hex()


def new_recovery_codes(session: Session, keys: "Keys", account_id: str) -> list[str]:
    """Return ten new recovery codes, about 59 bits each; those before open nothing any more."""
    session.exec(delete(RecoveryCode).where(col(RecoveryCode.account_id) == account_id))
    codes = [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(RECOVERY_GROUPS))
        for _ in range(RECOVERY_CODES)
    ]
    session.add_all(RecoveryCode(account_id=account_id, code_hash=_hash(keys, code)) for code in codes)
    session.flush()
    return codes


def codes_left(session: Session, account_id: str) -> int:
    """Return how many recovery codes still open."""
    return session.exec(
        select(sa.func.count())
        .select_from(RecoveryCode)
        .where(col(RecoveryCode.account_id) == account_id, col(RecoveryCode.used_at).is_(None))
    ).one()


def remove(session: Session, account_id: str) -> bool:
    """Take the second factor of an account away with its recovery codes; return whether there was one."""
    session.exec(delete(RecoveryCode).where(col(RecoveryCode.account_id) == account_id))
    gone = session.exec(delete(SecondFactor).where(col(SecondFactor.account_id) == account_id))
    return bool(gone.rowcount)
