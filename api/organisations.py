"""The tree of organisations, as it is made and listed.

Refuses: a node whose parent does not exist, a root added by anyone but the operator of the machine,
and moving a node, because every record names its place.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from api.accounts import Actor
from api.security import Permission, Principal, scopes
from models import audit
from models.errors import Conflict, InvalidInput, NotPermitted
from models.organisation import PATH_PATTERN, Organisation, within
from models.vocabulary import OrganisationKind

PATH = re.compile(PATH_PATTERN)


def add_organisation(
    session: Session,
    actor: Actor,
    *,
    path: str,
    name: str,
    kind: OrganisationKind,
    now: datetime,
    name_en: str = "",
    names: Sequence[str] = (),
) -> Organisation:
    """Return a new node of the tree.

    Raises
    ------
    InvalidInput
        If the path breaks its rule or its parent does not exist.
    Conflict
        If there is one already.
    """
    if not PATH.fullmatch(path):
        raise InvalidInput("a path has slugs of a-z, 0-9 and '-', joined by '/'", field="/path")
    parent, _, _ = path.rpartition("/")
    if parent:
        actor.must(Permission.ORGANISATIONS_MANAGE, parent)
        if session.get(Organisation, parent) is None:
            raise InvalidInput("its parent does not exist", code="unknown_organisation", field="/path")
    elif actor.by is not None:
        raise NotPermitted("a new tree is planted at the command line")
    if session.get(Organisation, path) is not None:
        raise Conflict("there is such an organisation already", code="organisation_exists", field="/path")
    node = Organisation(path=path, name=name, name_en=name_en, kind=kind, names=list(names), created_at=now)
    session.add(node)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor.name,
        action="organisation.created",
        subject=path[-120:],
        organisation=path,
        details={"kind": kind.value},
    )
    return node


def list_organisations(session: Session, principal: Principal | None = None) -> list[Organisation]:
    """Return the nodes that `principal` may read (all for the operator), in order of path."""
    query = select(Organisation)
    if principal is not None:
        roots = scopes(principal, Permission.ORGANISATIONS_READ)
        query = query.where(within(Organisation.path, roots))
    return list(session.exec(query.order_by(col(Organisation.path))))


def load_organisations(
    session: Session, actor: Actor, rows: Iterable[dict[str, Any]], now: datetime
) -> tuple[int, int]:
    """Add the nodes of a list, parents first wherever they stand; return how many are new, how many known.

    Raises
    ------
    InvalidInput
        If a row has not the fields path, name and kind, or a parent is missing. It names the row.
    """
    entries: list[tuple[str, dict[str, Any], int]] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get("path"), str):
            raise InvalidInput(f"row {number}: needs path, name and kind")
        entries.append((row["path"], row, number))
    added = known = 0
    for path, row, number in sorted(entries, key=lambda entry: (entry[0].count("/"), entry[2])):
        if session.get(Organisation, path) is not None:
            known += 1
            continue
        try:
            add_organisation(
                session,
                actor,
                path=path,
                name=str(row["name"]),
                kind=OrganisationKind(row["kind"]),
                name_en=str(row.get("name_en") or ""),
                names=[str(one) for one in row.get("names") or ()],
                now=now,
            )
        except (KeyError, ValueError):
            raise InvalidInput(f"row {number}: needs path, name and a known kind") from None
        except InvalidInput as error:
            raise InvalidInput(f"row {number}: {error.detail}", code=error.problem_code) from None
        added += 1
    return added, known
