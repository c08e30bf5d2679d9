"""Silences and feeds of an office: forms on the page of where messages go.

The address of a feed holds its key and stands on the page that makes it and nowhere else.

Neighbours: `webhooks` is the page; `alerts/silences.py` and `alerts/feeds.py` keep them.
"""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Form, Request, Response

from alerts import feeds, silences
from alerts.silences import Quiet
from api.console import page
from api.console.console import pages
from api.console.views.administration import Why
from api.console.views.webhooks import TOPICS, Manager, webhooks_page
from api.dependencies import Now, TheService, Transaction
from api.routes.feeds import address_of
from api.routes.webhooks import reach_of
from api.security import Permission, Principal, authorise, nodes
from models.errors import InvalidInput

router = pages()
LONGEST: Final = 168


def _here(principal: Principal, organisation: str) -> str:
    """Return the office; refuse one that the principal does not keep."""
    if organisation not in nodes(principal, Permission.WEBHOOKS_OWN):
        authorise(principal, Permission.WEBHOOKS_MANAGE, organisation)
    return organisation


@router.post("/webhooks/silences")
def silence(
    *,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Why,
    organisation: Annotated[str, Form()] = "",
    topic: Annotated[list[str] | None, Form()] = None,
    hours: Annotated[int, Form(ge=1, le=LONGEST)] = 1,
) -> Response:
    """Keep one office quiet for some hours."""
    if not set(topic or []) <= set(TOPICS):
        raise InvalidInput("no such topic", code="unknown_word", field="/topic")
    quiet = Quiet(
        _here(principal, organisation), now + timedelta(hours=hours), [TOPICS[one] for one in topic or []]
    )
    silences.add_silence(session, quiet, reason=reason, actor=principal.actor, now=now)
    return page.go("/webhooks", "silence_added")


@router.post("/webhooks/silences/{silence_id}/end")
def end_silence(silence_id: str, principal: Manager, session: Transaction, now: Now) -> Response:
    """End a silence before its time."""
    reach = reach_of(principal, Permission.WEBHOOKS_MANAGE)
    silences.end_silence(session, silence_id, reach, actor=principal.actor, now=now)
    return page.go("/webhooks", "silence_ended")


@router.post("/webhooks/feeds")
def add_feed(
    *,
    request: Request,
    principal: Manager,
    service: TheService,
    session: Transaction,
    now: Now,
    name: Annotated[str, Form(max_length=120)] = "",
    organisation: Annotated[str, Form()] = "",
    language: Annotated[str, Form(pattern="^(zh|en)$")] = "zh",
    incidents: Annotated[bool, Form()] = False,
) -> Response:
    """Make a key of an office's feed and show the feed's address this once."""
    _, key = feeds.add_key(
        session,
        _here(principal, organisation),
        name=name,
        language=language,
        incidents=incidents,
        actor=principal.actor,
        now=now,
    )
    return webhooks_page(request, session, principal, now, feed=address_of(service.settings, key))


@router.post("/webhooks/feeds/{feed_id}/revoke")
def revoke_feed(feed_id: str, principal: Manager, session: Transaction, now: Now) -> Response:
    """End a key at once."""
    reach = reach_of(principal, Permission.WEBHOOKS_MANAGE)
    feeds.revoke_key(session, feed_id, reach, actor=principal.actor, now=now)
    return page.go("/webhooks", "feed_revoked")
