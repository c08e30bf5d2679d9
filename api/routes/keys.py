"""Keys of sources, for administrators; auditors look."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, status

from api import keys
from api.accounts import Actor
from api.dependencies import Now, Reading, Transaction, require
from api.schemas.access import KeyBody, KeyOut, NewKey
from api.security import Permission, Principal
from models.account import ApiKey

router = APIRouter(prefix="/v1/keys", tags=["keys"])
Reason = Annotated[str, Query(max_length=1_000, description="Why; it stands on the audit log.")]


def key_out(row: ApiKey) -> KeyOut:
    """Return a key as it goes out: without its hash."""
    return KeyOut(**row.model_dump(exclude={"key_hash"}))


@router.get("")
def listing(
    principal: Annotated[Principal, Depends(require(Permission.KEYS_READ))], session: Reading
) -> list[KeyOut]:
    """List the keys at places that the caller may read, newest first."""
    return [key_out(row) for row in keys.list_keys(session, principal)]


@router.post("", status_code=status.HTTP_201_CREATED)
def create(
    body: KeyBody,
    principal: Annotated[Principal, Depends(require(Permission.KEYS_MANAGE))],
    session: Transaction,
    now: Now,
    reason: Reason = "",
) -> NewKey:
    """Make a key; it is in the answer and nowhere else."""
    row, key = keys.create_key(
        session,
        Actor.of(principal, reason),
        source=body.source,
        name=body.name,
        organisation=body.organisation,
        may=body.scopes,
        now=now,
    )
    return NewKey(record=key_out(row), key=key)


@router.delete("/{key_id}", status_code=status.HTTP_204_NO_CONTENT)
def revoke(
    key_id: str,
    principal: Annotated[Principal, Depends(require(Permission.KEYS_MANAGE))],
    session: Transaction,
    now: Now,
    reason: Reason = "",
) -> None:
    """End a key at once."""
    keys.revoke_key(session, Actor.of(principal, reason), key_id, now)
