"""Settings that a person changes, each with a reason that stays on record.

The list is closed: what is not on it cannot be set, and each has bounds that the charter draws.

Neighbours: the rooms read the newest row of the nearest node; the command line and HTTP call this.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from sqlmodel import Session, col, select

from alerts.dispatch import AUTOMATIC_KEY
from api.accounts import Actor, known_place
from api.second_factor import ADMINISTRATORS_KEY, OFFICERS_KEY
from api.security import Permission, Principal, scopes
from api.training_rows import CONSENT_KEY
from models import audit
from models.demand import Setting
from models.errors import CharterViolation, InvalidInput
from models.organisation import within
from models.threshold import KEY as MINIMUM_KEY
from models.threshold import LOWEST_AUTHORS
from moderation.knobs import KNOBS, Knob

HIGHEST_AUTHORS = 1_000


def _authors(value: Any) -> int:  # noqa: ANN401 - whatever came
    if isinstance(value, bool) or not isinstance(value, int) or value > HIGHEST_AUTHORS:
        raise InvalidInput(f"a whole number up to {HIGHEST_AUTHORS}", field="/value")
    if value < LOWEST_AUTHORS:
        raise CharterViolation(f"a demand needs at least {LOWEST_AUTHORS} distinct authors", field="/value")
    return value


def _consent(value: Any) -> int:  # noqa: ANN401 - whatever came
    if isinstance(value, bool) or value not in {0, 1}:
        raise InvalidInput("1 lets reviewed posts be learnt from, 0 does not", field="/value")
    return int(value)


def _asked_for(value: Any) -> int:  # noqa: ANN401 - whatever came
    if isinstance(value, bool) or value not in {0, 1}:
        raise InvalidInput("1 asks for a second factor, 0 does not", field="/value")
    return int(value)


def _automatic(value: Any) -> int:  # noqa: ANN401 - whatever came
    if isinstance(value, bool) or value not in {0, 1}:
        raise InvalidInput("1 hands questions over at once, 0 proposes it", field="/value")
    return int(value)


def _within(knob: Knob, value: Any) -> int:  # noqa: ANN401 - whatever came
    if isinstance(value, bool) or not isinstance(value, int) or not knob.low <= value <= knob.high:
        raise InvalidInput(f"a whole number from {knob.low} to {knob.high}", field="/value")
    return value


KNOWN: Final = MappingProxyType[str, Callable[[Any], Any]](
    {
        MINIMUM_KEY: _authors,
        CONSENT_KEY: _consent,
        OFFICERS_KEY: _asked_for,
        ADMINISTRATORS_KEY: _asked_for,
        AUTOMATIC_KEY: _automatic,
        **{key: partial(_within, knob) for key, knob in KNOBS.items()},
    }
)


def change_setting(
    session: Session,
    actor: Actor,
    *,
    key: str,
    value: Any,  # noqa: ANN401 - whatever came; checked by `KNOWN`
    organisation: str,
    reason: str,
    now: datetime,
) -> Setting:
    """Set `key` to `value` at a node and under it.

    Raises
    ------
    InvalidInput
        If there is no such setting, the value is not of its kind, or the reason is empty.
    CharterViolation
        If the value is beyond what the charter allows.
    NotPermitted
        If the actor may not change settings there.
    """
    if key not in KNOWN:
        raise InvalidInput(f"no such setting; known: {', '.join(KNOWN)}", field="/key")
    if not reason.strip():
        raise InvalidInput("a change needs its reason", field="/reason")
    known_place(session, organisation)
    actor.must(Permission.SETTINGS_CHANGE, organisation)
    row = Setting(
        key=key,
        value=KNOWN[key](value),
        organisation=organisation,
        reason=reason.strip(),
        changed_by=actor.name,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor.name,
        action="setting.changed",
        subject=key,
        organisation=organisation,
        details={"value": row.value, "reason": row.reason},
    )
    return row


def list_settings(session: Session, principal: Principal | None = None) -> list[Setting]:
    """Return every change that `principal` may read (all for the operator), newest first."""
    query = select(Setting)
    if principal is not None:
        roots = scopes(principal, Permission.SETTINGS_READ)
        query = query.where(within(Setting.organisation, roots))
    return list(session.exec(query.order_by(col(Setting.changed_at).desc(), col(Setting.id).desc())))
