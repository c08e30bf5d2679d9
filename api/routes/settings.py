"""Settings that a person changes, for administrators; auditors look. Nothing is overwritten."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, status
from pydantic import BaseModel, Field

from api.accounts import Actor
from api.adjustments import change_setting, list_settings
from api.dependencies import Now, Reading, Transaction, require
from api.schemas.access import Body, Path
from api.security import Permission, Principal

router = APIRouter(prefix="/v1/settings", tags=["settings"])


class SettingBody(Body):
    """A change, with its reason."""

    key: str = Field(max_length=64)
    value: int
    organisation: Path
    reason: str = Field(min_length=1, max_length=1_000)


class SettingOut(BaseModel):
    """A change that was made."""

    id: str
    key: str
    value: Any
    organisation: str
    reason: str
    changed_by: str
    changed_at: datetime


@router.get("")
def listing(
    principal: Annotated[Principal, Depends(require(Permission.SETTINGS_READ))], session: Reading
) -> list[SettingOut]:
    """List every change, newest first; the newest of a key at the nearest node holds."""
    return [SettingOut.model_validate(row, from_attributes=True) for row in list_settings(session, principal)]


@router.post("", status_code=status.HTTP_201_CREATED)
def change(
    body: SettingBody,
    principal: Annotated[Principal, Depends(require(Permission.SETTINGS_CHANGE))],
    session: Transaction,
    now: Now,
) -> SettingOut:
    """Set a value at a node and under it."""
    row = change_setting(
        session,
        Actor.of(principal),
        key=body.key,
        value=body.value,
        organisation=body.organisation,
        reason=body.reason,
        now=now,
    )
    return SettingOut.model_validate(row, from_attributes=True)
