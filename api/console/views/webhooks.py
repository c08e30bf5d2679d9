"""Where messages go, for administrators and for the office itself; auditors look.

A secret stands on the page that makes it and nowhere else; a chat's address on none.

Neighbours: `alerts/endpoints.py` keeps them; `quiet` takes the forms of silences and feeds; `records`
shows the log of all deliveries.
"""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from alerts import delivery_log, endpoints, feeds, silences
from alerts.delivery_log import Search
from alerts.endpoints import Wish
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import Why, places
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.webhooks import reach_of
from api.security import Permission, Principal, allows, authorise, nodes
from models.errors import InvalidInput, NotPermitted
from models.notice import URGENT
from models.outbox import WebhookEndpoint
from models.vocabulary import TO_PLATFORMS, ChannelKind, Signing, Topic

router = pages()


def _a_person(principal: Principal) -> Principal:
    """Refuse a source's key, which may hold the same permission and has its own door at `/v1/webhooks`."""
    if principal.is_key:
        raise NotPermitted("this page is for people")
    return principal


def _reader(
    principal: Annotated[Principal, Depends(require(Permission.WEBHOOKS_READ, Permission.WEBHOOKS_OWN))],
) -> Principal:
    return _a_person(principal)


def _manager(
    principal: Annotated[Principal, Depends(require(Permission.WEBHOOKS_MANAGE, Permission.WEBHOOKS_OWN))],
) -> Principal:
    return _a_person(principal)


Reader = Annotated[Principal, Depends(_reader)]
Manager = Annotated[Principal, Depends(_manager)]
TOPICS: Final = {topic.value: topic for topic in Topic if topic is not Topic.WEBHOOK_TEST}
FOR_OFFICES: Final = [topic for topic in TOPICS.values() if topic not in TO_PLATFORMS]
"""What the forms offer; an office that asks for a topic of platforms hears nothing of it."""
FOR_PLATFORMS: Final = [topic for topic in TOPICS.values() if topic in TO_PLATFORMS]
LATEST: Final = 3
WAITS: Final = (0, 60, 300, 900, 3_600)
"""How long messages may gather, as the form offers it. Unit: seconds."""


@router.get("/webhooks")
def listing(request: Request, principal: Reader, session: Reading, now: Now) -> Response:
    """Show the endpoints with the newest messages to each."""
    return webhooks_page(request, session, principal, now)


def webhooks_page(
    request: Request,
    session: Session,
    principal: Principal,
    now: Now,
    new: WebhookEndpoint | None = None,
    *,
    feed: str | None = None,
) -> Response:
    """Return the list of endpoints, with the secret of one that was made or changed just now.

    `feed` is the address of a feed that was made just now.
    """
    reach = reach_of(principal, Permission.WEBHOOKS_READ)
    found = endpoints.list_endpoints(session, reach)
    own = nodes(principal, Permission.WEBHOOKS_OWN)
    quiet, keys = silences.list_silences(session, reach, now=now), feeds.list_keys(session, reach)
    shown = {one.organisation for one in found} | {one.organisation for one in quiet}
    shown |= {one.organisation for one in keys}
    open_to = {one.path: one for one in places(session, principal, Permission.WEBHOOKS_MANAGE)}
    return page.render(
        request,
        "webhooks.html",
        principal=principal,
        endpoints=found,
        new=new,
        managed={
            one.id
            for one in found
            if allows(principal, Permission.WEBHOOKS_MANAGE, one.organisation)
            or (one.source is None and one.organisation in own)
        },
        latest={
            one.id: delivery_log.list_deliveries(
                session, reach, Search(endpoint_id=one.id), limit=LATEST, now=now
            )
            for one in found
        },
        now=now,
        names=organisation_names(session, shown | set(own) | set(open_to)),
        places=sorted(set(open_to) | set(own)),
        topics=FOR_OFFICES,
        platform_topics=FOR_PLATFORMS,
        channels=list(ChannelKind),
        signings=list(Signing),
        waits=WAITS,
        silences=quiet,
        feed_keys=keys,
        feed=feed,
        kept={one for one in shown if one in own or allows(principal, Permission.WEBHOOKS_MANAGE, one)},
        may_wait=[topic for topic in FOR_OFFICES if topic not in URGENT],
    )


def chosen_topics(topic: Annotated[list[str] | None, Form()] = None) -> list[Topic]:
    """Return the topics that a form names.

    Raises
    ------
    InvalidInput
        If a word is not one.
    """
    chosen = topic or []
    if not set(chosen) <= set(TOPICS):
        raise InvalidInput("no such topic", code="unknown_word", field="/topic")
    return [TOPICS[one] for one in chosen]


def wished(
    *,
    topics: Annotated[list[Topic], Depends(chosen_topics)],
    url: Annotated[str, Form()] = "",
    channel: Annotated[str, Form()] = ChannelKind.WEBHOOK.value,
    signing: Annotated[str, Form()] = Signing.HMAC.value,
    name: Annotated[str, Form(max_length=120)] = "",
    language: Annotated[str, Form(pattern="^(zh|en)$")] = "zh",
    group: Annotated[int, Form(ge=0, le=86_400)] = 0,
) -> Wish:
    """Return what the form asks for; what a channel has no use for is left aside.

    Raises
    ------
    InvalidInput
        If a word is not one.
    """
    if channel not in set(ChannelKind) or signing not in set(Signing):
        raise InvalidInput("no such channel", code="unknown_word", field="/channel")
    by = ChannelKind(channel)
    is_webhook = by is ChannelKind.WEBHOOK
    return Wish(
        url=url.strip(),
        topics=topics,
        channel=by,
        signing=Signing(signing) if is_webhook else Signing.HMAC,
        name=name.strip(),
        language=language,
        group=0 if is_webhook else group,
    )


@router.post("/webhooks")
def create(
    *,
    request: Request,
    principal: Manager,
    service: TheService,
    session: Transaction,
    now: Now,
    reason: Why,
    wish: Annotated[Wish, Depends(wished)],
    organisation: Annotated[str, Form()] = "",
) -> Response:
    """Add an endpoint of an office and show its secret this once. No topic means all of them."""
    if organisation not in nodes(principal, Permission.WEBHOOKS_OWN):
        authorise(principal, Permission.WEBHOOKS_MANAGE, organisation)
    made = endpoints.add_endpoint(
        session,
        wish,
        source=None,
        organisation=organisation,
        settings=service.alerts,
        actor=principal.actor,
        now=now,
        reason=reason,
    )
    return webhooks_page(request, session, principal, now, made)


@router.post("/webhooks/{endpoint_id}/rotate")
def rotate(
    *,
    request: Request,
    endpoint_id: str,
    principal: Manager,
    service: TheService,
    session: Transaction,
    now: Now,
    reason: Why,
    at_once: Annotated[bool, Form()] = False,
) -> Response:
    """Give an endpoint a new key and show it this once; the old one signs beside it for a day, or ends."""
    changed = endpoints.rotate_secret(
        session,
        endpoint_id,
        reach_of(principal, Permission.WEBHOOKS_MANAGE),
        settings=service.alerts,
        actor=principal.actor,
        now=now,
        overlap=timedelta(0) if at_once else endpoints.OVERLAP,
        reason=reason,
    )
    return webhooks_page(request, session, principal, now, changed)


@router.post("/webhooks/{endpoint_id}/topics")
def change_topics(
    *,
    endpoint_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Why,
    topics: Annotated[list[Topic], Depends(chosen_topics)],
) -> Response:
    """Let an endpoint hear other topics; what was written for it before still goes to it."""
    endpoints.change_topics(
        session,
        endpoint_id,
        reach_of(principal, Permission.WEBHOOKS_MANAGE),
        topics,
        actor=principal.actor,
        now=now,
        reason=reason,
    )
    return page.go("/webhooks", "webhook_topics")


@router.post("/webhooks/{endpoint_id}/test")
def test(endpoint_id: str, principal: Manager, session: Transaction, now: Now) -> Response:
    """Send a test message, through the outbox like any other."""
    reach = reach_of(principal, Permission.WEBHOOKS_MANAGE)
    endpoints.send_test(session, endpoint_id, reach, actor=principal.actor, now=now)
    return page.go("/webhooks", "webhook_tested")


@router.post("/webhooks/{endpoint_id}/disable")
def disable(endpoint_id: str, principal: Manager, session: Transaction, now: Now, reason: Why) -> Response:
    """End an endpoint; what still waits for it is withdrawn, its log stays."""
    reach = reach_of(principal, Permission.WEBHOOKS_MANAGE)
    endpoints.delete_endpoint(session, endpoint_id, reach, actor=principal.actor, now=now, reason=reason)
    return page.go("/webhooks", "webhook_disabled")
