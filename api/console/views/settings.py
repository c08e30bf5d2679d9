"""Settings that a person changes, for administrators; auditors look. Nothing is overwritten."""

from typing import Annotated, Final

from fastapi import Depends, Form, Request, Response

from api.accounts import Actor
from api.adjustments import KNOWN, change_setting, list_settings
from api.console import page, words
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import Why, people, places
from api.dependencies import Now, Reading, Transaction, require
from api.security import Permission, Principal
from models.demand import Setting
from models.errors import InvalidInput

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.SETTINGS_READ))]
Changer = Annotated[Principal, Depends(require(Permission.SETTINGS_CHANGE))]
SHOWN: Final = 200


def label(key: str, language: str) -> str:
    """Return what a setting is called; its key if it has no name yet."""
    name = f"setting_name.{key}"
    return words.phrase(name, language) if words.has(name) else key


@router.get("/settings")
def listing(request: Request, principal: Reader, session: Reading) -> Response:
    """Show what holds where, then every change, newest first."""
    changes = list_settings(session, principal)
    holding: dict[tuple[str, str], Setting] = {}
    for row in changes:
        holding.setdefault((row.key, row.organisation), row)
    language = page.language_of(request, principal)
    return page.render(
        request,
        "settings.html",
        principal=principal,
        holding=[holding[one] for one in sorted(holding)],
        changes=changes[:SHOWN],
        labels={key: label(key, language) for key in {*KNOWN, *(row.key for row in changes)}},
        known=list(KNOWN),
        people=people(session, [row.changed_by for row in changes]),
        names=organisation_names(session, {row.organisation for row in changes}),
        places=places(session, principal, Permission.SETTINGS_CHANGE),
    )


@router.post("/settings")
def change(
    *,
    principal: Changer,
    session: Transaction,
    now: Now,
    reason: Why,
    key: Annotated[str, Form()] = "",
    value: Annotated[str, Form()] = "",
    organisation: Annotated[str, Form()] = "",
) -> Response:
    """Set a value at a node and under it."""
    try:
        number = int(value)
    except ValueError:
        raise InvalidInput("a whole number", code="wrong_type", field="/value") from None
    change_setting(
        session,
        Actor.of(principal),
        key=key,
        value=number,
        organisation=organisation,
        reason=reason,
        now=now,
    )
    return page.go("/settings", "setting_changed")
