"""Keys of sources: shown once when made, kept as a hash, ended at once.

Refuses: a source that another place's keys already speak for, because its posts are theirs.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from api import sessions
from api.accounts import Actor, known_place
from api.security import Permission, Principal, allows, authorise, scopes
from models import audit
from models.account import ApiKey
from models.errors import Conflict, InvalidInput, NotFound
from models.organisation import within
from models.vocabulary import KeyScope

SOURCE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def create_key(
    session: Session,
    actor: Actor,
    *,
    source: str,
    name: str,
    organisation: str,
    may: Sequence[KeyScope],
    now: datetime,
) -> tuple[ApiKey, str]:
    """Return a new key's record and the key itself, which is not kept.

    Raises
    ------
    InvalidInput
        If the source breaks its rule, the place is unknown or no scope is given.
    Conflict
        If keys at a place that the actor does not manage speak for the source.
    """
    if not SOURCE.fullmatch(source):
        raise InvalidInput("a source has 1 to 64 of a-z, 0-9, '.', '_', '-'", field="/source")
    if not may:
        raise InvalidInput("a key needs a scope", field="/scopes")
    known_place(session, organisation)
    actor.must(Permission.KEYS_MANAGE, organisation)
    others = session.exec(select(ApiKey.organisation).where(col(ApiKey.source) == source)).all()
    if actor.by is not None and not all(allows(actor.by, Permission.KEYS_MANAGE, place) for place in others):
        raise Conflict(
            "another organisation's keys speak for this source", code="source_taken", field="/source"
        )
    key = sessions.new_key()
    row = ApiKey(
        source=source,
        name=name,
        organisation=organisation,
        scopes=sorted({scope.value for scope in may}),
        key_hash=sessions.key_hash(key),
        created_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor.name,
        action="key.created",
        subject=row.id,
        organisation=organisation,
        details=actor.told(source=source, scopes=row.scopes),
    )
    return row, key


def list_keys(session: Session, principal: Principal | None = None) -> list[ApiKey]:
    """Return the keys where `principal` may read keys (all for the operator), newest first."""
    query = select(ApiKey)
    if principal is not None:
        roots = scopes(principal, Permission.KEYS_READ)
        query = query.where(within(ApiKey.organisation, roots))
    return list(session.exec(query.order_by(col(ApiKey.id).desc())))


def revoke_key(session: Session, actor: Actor, key_id: str, now: datetime) -> ApiKey:
    """End a key at once.

    Raises
    ------
    NotFound
        If there is none, or none that the actor may see.
    NotPermitted
        If the actor may see it, but not end it.
    """
    row = session.get(ApiKey, key_id)
    if row is None or (actor.by is not None and not allows(actor.by, Permission.KEYS_READ, row.organisation)):
        raise NotFound("no such key, or none that you may see")
    if actor.by is not None:
        authorise(actor.by, Permission.KEYS_MANAGE, row.organisation)
    if row.revoked_at is None:
        row.revoked_at = now
        session.add(row)
        audit.record(
            session,
            now,
            actor=actor.name,
            action="key.revoked",
            subject=row.id,
            organisation=row.organisation,
            details=actor.told(source=row.source),
        )
    return row
