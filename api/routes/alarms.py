"""Alarms and their acknowledgement, silences, and the messages in an office's inbox."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, status

from alerts import alarms, messages, silences
from alerts.silences import Quiet
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.demands import actor_of
from api.routes.webhooks import Manager as Keeper
from api.routes.webhooks import Reader as Looker
from api.routes.webhooks import reach_of
from api.schemas.alarms import AlarmOut, OfficeMessageOut, SilenceBody, SilenceOut
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.security import Permission, Principal, authorise, nodes, scopes
from api.wiring import Service
from models.errors import NotPermitted
from models.office import OfficeMessage

router = APIRouter(prefix="/v1", tags=["alarms"])
AlarmReader = Annotated[Principal, Depends(require(Permission.ALARMS_READ))]
Acknowledging = Annotated[Principal, Depends(require(Permission.ALARMS_ACKNOWLEDGE))]
MessageReader = Annotated[Principal, Depends(require(Permission.INBOX_READ))]
Receiver = Annotated[Principal, Depends(require(Permission.INBOX_RECEIVE))]


def a_person(principal: Principal) -> Principal:
    """Refuse a source's key, which may hold a permission of the same name for its webhooks.

    Raises
    ------
    NotPermitted
        If a key is asking.
    """
    if principal.is_key:
        raise NotPermitted("this takes a person, not a key", code="person_needed")
    return principal


@router.get("/alarms")
def listing(
    principal: AlarmReader,
    session: Reading,
    *,
    waiting: Annotated[bool, Query(description="Only those that nobody has acknowledged.")] = True,
    before: Before = None,
    limit: Limit = 50,
) -> Page[AlarmOut]:
    """List the alarms within reach, newest first."""
    scope = scopes(principal, Permission.ALARMS_READ)
    rows = alarms.list_alarms(session, scope, waiting=waiting, before=before, limit=limit)
    return page_of([AlarmOut.model_validate(row) for row in rows], rows[-1].id if rows else None, limit)


@router.post("/alarms/{alarm_id}:acknowledge")
def acknowledge(alarm_id: Identifier, principal: Acknowledging, session: Transaction, now: Now) -> AlarmOut:
    """Take an alarm up, so that nobody else is called."""
    actor = actor_of(principal, Permission.ALARMS_ACKNOWLEDGE)
    return AlarmOut.model_validate(alarms.acknowledge(session, alarm_id, actor, now=now))


@router.get("/silences")
def silence_listing(principal: Looker, session: Reading) -> list[SilenceOut]:
    """List the silences within reach, newest first, those that are over too."""
    reach = reach_of(a_person(principal), Permission.WEBHOOKS_READ)
    return [SilenceOut.model_validate(row) for row in silences.list_silences(session, reach)]


@router.post("/silences", status_code=status.HTTP_201_CREATED)
def silence(body: SilenceBody, principal: Keeper, session: Transaction, now: Now) -> SilenceOut:
    """Keep one office quiet for a time, with a reason. What must not wait is never silenced."""
    a_person(principal)
    if body.organisation not in nodes(principal, Permission.WEBHOOKS_OWN):
        authorise(principal, Permission.WEBHOOKS_MANAGE, body.organisation)
    quiet = Quiet(body.organisation, body.ends_at, body.topics)
    made = silences.add_silence(session, quiet, reason=body.reason, actor=principal.actor, now=now)
    return SilenceOut.model_validate(made)


@router.post("/silences/{silence_id}:end")
def end_silence(silence_id: Identifier, principal: Keeper, session: Transaction, now: Now) -> SilenceOut:
    """End a silence before its time."""
    reach = reach_of(a_person(principal), Permission.WEBHOOKS_MANAGE)
    ended = silences.end_silence(session, silence_id, reach, actor=principal.actor, now=now)
    return SilenceOut.model_validate(ended)


@router.get("/messages")
def message_listing(
    *,
    principal: MessageReader,
    session: Reading,
    service: TheService,
    unread: bool = False,
    before: Before = None,
    limit: Limit = 50,
) -> Page[OfficeMessageOut]:
    """List what came to the inboxes within reach, newest first. Looking leaves no receipt."""
    scope = scopes(principal, Permission.INBOX_READ)
    rows = messages.list_messages(session, scope, unread=unread, before=before, limit=limit)
    items = [message_out(row, principal, service) for row in rows]
    return page_of(items, rows[-1].id if rows else None, limit)


@router.post("/messages/{office_message_id}:read")
def read(
    office_message_id: Identifier,
    principal: Receiver,
    session: Transaction,
    service: TheService,
    now: Now,
) -> OfficeMessageOut:
    """Leave the receipt of the very office that the message came to."""
    actor = actor_of(principal, Permission.INBOX_RECEIVE)
    offices = nodes(principal, Permission.INBOX_RECEIVE)
    message = messages.receive(session, office_message_id, actor, signs_for=offices, now=now)
    return message_out(message, principal, service)


def message_out(message: OfficeMessage, principal: Principal, service: Service) -> OfficeMessageOut:
    """Return a message in the reader's language."""
    letter = messages.told(message, principal.language, service.settings.public_url)
    return OfficeMessageOut(
        id=message.id,
        message_id=message.message_id,
        organisation=message.organisation,
        topic=message.topic,
        subject=letter.subject,
        lines=list(letter.lines[:-2]),
        arrived_at=message.arrived_at,
        read_at=message.read_at,
    )
