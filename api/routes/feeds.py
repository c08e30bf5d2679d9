"""An office's Atom feed behind a key, the keys, and the CAP message of an incident.

The key stands in the feed's address and lets in whoever has it. It is in no log: the log has the route
and not the path. A key that does not hold is told that there is no such feed.
"""

from email.utils import format_datetime
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response, status

from alerts import cap, feeds
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.alarms import a_person
from api.routes.webhooks import Manager as Keeper
from api.routes.webhooks import Reader as Looker
from api.routes.webhooks import reach_of
from api.schemas.alarms import FeedKeyBody, FeedKeyOut, NewFeedKeyOut
from api.schemas.alerts import Identifier
from api.security import Permission, Principal, authorise, authorise_found, nodes
from api.settings import Settings
from models.errors import NotFound
from models.event import Event

router = APIRouter(prefix="/v1", tags=["feeds"])
Handling = Annotated[Principal, Depends(require(Permission.INCIDENTS))]
FeedToken = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{8,80}$")]
PRIVATE = {"cache-control": "private, no-cache", "referrer-policy": "no-referrer"}


@router.get("/feed-keys")
def key_listing(principal: Looker, session: Reading) -> list[FeedKeyOut]:
    """List the keys of feeds within reach, without the keys."""
    reach = reach_of(a_person(principal), Permission.WEBHOOKS_READ)
    return [FeedKeyOut.model_validate(row) for row in feeds.list_keys(session, reach)]


@router.post("/feed-keys", status_code=status.HTTP_201_CREATED)
def add_key(
    body: FeedKeyBody, principal: Keeper, session: Transaction, service: TheService, now: Now
) -> NewFeedKeyOut:
    """Make a key of an office's feed. The feed's address is in the answer and nowhere else."""
    a_person(principal)
    if body.organisation not in nodes(principal, Permission.WEBHOOKS_OWN):
        authorise(principal, Permission.WEBHOOKS_MANAGE, body.organisation)
    record, key = feeds.add_key(
        session,
        body.organisation,
        name=body.name,
        language=body.language,
        incidents=body.incidents,
        actor=principal.actor,
        now=now,
    )
    shown = FeedKeyOut.model_validate(record).model_dump()
    return NewFeedKeyOut(**shown, url=address_of(service.settings, key))


def address_of(settings: Settings, key: str) -> str:
    """Return the address of a feed."""
    return f"{settings.public_url}/v1/feeds/{key}/atom"


@router.delete("/feed-keys/{feed_id}", status_code=status.HTTP_204_NO_CONTENT)
def revoke_key(feed_id: Identifier, principal: Keeper, session: Transaction, now: Now) -> None:
    """End a key at once."""
    reach = reach_of(a_person(principal), Permission.WEBHOOKS_MANAGE)
    feeds.revoke_key(session, feed_id, reach, actor=principal.actor, now=now)


@router.get("/feeds/{feed_token}/atom", response_class=Response)
def feed(feed_token: FeedToken, request: Request, session: Reading, service: TheService) -> Response:
    """Return the feed of the key's office: what was reported at and under it."""
    found = feeds.feed_of(session, feeds.key_of(session, feed_token), feed_token, service.settings.public_url)
    tag = f'"{sha256(found.document).hexdigest()[:32]}"'
    headers = {**PRIVATE, "etag": tag, "last-modified": format_datetime(found.updated, usegmt=True)}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(found.document, media_type="application/atom+xml; charset=utf-8", headers=headers)


@router.get("/feeds/{feed_token}/cap/{event_id}", response_class=Response)
def feed_cap(feed_token: FeedToken, event_id: Identifier, session: Reading, service: TheService) -> Response:
    """Return the CAP message of an incident that stands in the feed."""
    event = feeds.event_of(session, feeds.key_of(session, feed_token), event_id)
    return _cap(cap.document(cap.incident_of(session, event, _host(service.settings))))


@router.get("/events/{event_id}/cap", response_class=Response)
def event_cap(event_id: Identifier, principal: Handling, session: Reading, service: TheService) -> Response:
    """Return an incident as a CAP 1.2 message."""
    event = session.get(Event, event_id)
    if event is None:
        raise NotFound("no such incident, or none that you may see")
    authorise_found(principal, Permission.INCIDENTS, event.organisation)
    return _cap(cap.document(cap.incident_of(session, event, _host(service.settings))))


def _cap(document: bytes) -> Response:
    return Response(document, media_type=cap.MEDIA_TYPE, headers=PRIVATE)


def _host(settings: Settings) -> str:
    """Return the service's name in the world, without port, as a sender is called."""
    return settings.public_origin.partition("//")[2].partition(":")[0]
