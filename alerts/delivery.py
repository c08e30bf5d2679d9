"""Deliver the outbox: at least once, never lost, and one slow endpoint delays only its own.

A message is leased in one short transaction, sent outside any, and settled in another: no lock is
held while a receiver is slow. A crash in between lets the lease run out, and the message goes
again under the same id, so that a receiver can drop the repeat.

While anything is in flight a round goes on looking for messages of endpoints that are free. An
endpoint that does not answer, or asks for rest, gets nothing more in that round. Waits between
tries grow from seconds to hours, spread by up to a fifth so that many messages do not come back
in one moment; after about three days a message is dead, and an operator can replay it.

What a later release wrote in words that this one does not know, a channel or a topic, is passed over
without being touched: a worker of that release sends it.

Neighbours: `channels` send; `models/outbox.py` writes the rows; `endpoints` replays.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from alerts.channels import Channel, Envelope, Outcome
from alerts.settings import AlertsSettings
from models import audit
from models.base import new_id
from models.database import Database
from models.organisation import Organisation
from models.outbox import DeliveryAttempt, OutboxMessage, WebhookEndpoint
from models.vocabulary import ChannelKind, MessageState, Signing, Topic

SPREAD: Final = 0.2
DISABLED: Final = "endpoint_disabled"
NO_CHANNEL: Final = "no_channel"
BURIED: Final = 500
KNOWN_TOPIC: Final = col(OutboxMessage.topic).in_(list(Topic))


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one round did. `dead` messages ran out of tries, or their endpoint is disabled."""

    sent: int = 0
    delivered: int = 0
    failed: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Leased:
    """A message that this round may send until its lease runs out."""

    endpoint_id: str
    channel: str
    lease: str
    envelope: Envelope


@dataclass(slots=True)
class _Round:
    """What one round has in flight, which endpoints rest, and what was done so far."""

    began: float = field(default_factory=time.monotonic)
    flying: dict[Future[Outcome], Leased] = field(default_factory=dict)
    resting: set[str] = field(default_factory=set)
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def at(self, now: datetime) -> datetime:
        """Return the time it is, if the round began at `now`."""
        return now + timedelta(seconds=time.monotonic() - self.began)

    def busy(self) -> dict[str, int]:
        """Return how many messages each endpoint has in flight."""
        counts: dict[str, int] = {}
        for leased in self.flying.values():
            counts[leased.endpoint_id] = counts.get(leased.endpoint_id, 0) + 1
        return counts


def deliver_due(
    database: Database,
    channels: Mapping[str, Channel],
    settings: AlertsSettings,
    now: datetime,
    *,
    limit: int = 100,
) -> DeliveryReport:
    """Send what is due at `now`, oldest first for each endpoint.

    Parameters
    ----------
    channels
        By the name that `OutboxMessage.channel` holds.
    limit
        The most messages leased at one moment. Unit: messages, >= 1.

    Safe to run in several processes at once, and to be killed anywhere.
    """
    running = _Round()
    with ThreadPoolExecutor(settings.threads, thread_name_prefix="delivery") as pool:
        while True:
            moment = running.at(now)
            if time.monotonic() - running.began < settings.round_limit:
                room = min(limit, settings.threads) - len(running.flying)
                for leased in _lease(database, settings, running, moment, room):
                    flying = pool.submit(_send, channels, leased, moment)
                    running.flying[flying] = leased
            if not running.flying:
                break
            done, _ = wait(running.flying, timeout=settings.poll, return_when=FIRST_COMPLETED)
            if done:
                _settle(database, settings, running, done, running.at(now))
    return DeliveryReport(running.sent, running.delivered, running.failed, running.dead)


def _send(channels: Mapping[str, Channel], leased: Leased, at: datetime) -> Outcome:
    """Try once. A channel that the operator has taken away since is a failure that can be mended."""
    channel = channels.get(leased.channel)
    if channel is None:
        return Outcome(succeeded=False, error=NO_CHANNEL)
    return channel.send(leased.envelope, at=at)


def _lease(
    database: Database, settings: AlertsSettings, running: _Round, now: datetime, room: int
) -> list[Leased]:
    """Lease due messages of endpoints that are free. A glance comes first: it takes no writer's lock."""
    if room <= 0:
        return []
    full = {one for one, count in running.busy().items() if count >= settings.per_endpoint}
    waiting = _due(now, full | running.resting)
    with database.reading() as session:
        if session.exec(select(OutboxMessage.id).where(*waiting).limit(1)).first() is None:
            return []
    with database.transaction() as session:
        _bury_disabled(session, running, now)
        rows = session.exec(_pick(waiting, settings.per_endpoint, room)).all()
        leased = []
        for message in _fair(rows, running.busy(), settings.per_endpoint):
            endpoint = session.get_one(WebhookEndpoint, message.endpoint_id)
            if endpoint.disabled_at is not None:
                continue
            message.lease = new_id()
            message.leased_until = now + timedelta(seconds=settings.lease)
            session.add(message)
            # The endpoint says by which channel: a row that an earlier release wrote knows webhooks only.
            leased.append(
                Leased(
                    endpoint.id,
                    endpoint.channel.value,
                    message.lease,
                    _envelope(session, message, endpoint, now),
                )
            )
    return leased


def _envelope(session: Session, message: OutboxMessage, endpoint: WebhookEndpoint, now: datetime) -> Envelope:
    """Return what a channel needs to know; the old secret signs too while its time lasts."""
    until = endpoint.old_secret_until
    office = None
    if endpoint.channel is not ChannelKind.WEBHOOK:
        office = session.get(Organisation, endpoint.organisation)
    return Envelope(
        id=message.id,
        topic=message.topic.value,
        created_at=message.created_at,
        payload=message.payload,
        address=endpoint.url,
        secret=endpoint.secret,
        endpoint_id=endpoint.id,
        signing=endpoint.signing,
        sealed=endpoint.sealed,
        old_secret=endpoint.old_secret if until is not None and now < until else None,
        language=endpoint.language,
        organisation=endpoint.organisation,
        office="" if office is None else _name_of(office, endpoint.language),
    )


def _name_of(office: Organisation, language: str) -> str:
    return office.name_en if language == "en" and office.name_en else office.name


def _due(now: datetime, excluded: set[str]) -> list[sa.ColumnElement[bool]]:
    return [
        col(OutboxMessage.state) == MessageState.PENDING,
        col(OutboxMessage.due_at) <= now,
        sa.or_(col(OutboxMessage.leased_until).is_(None), col(OutboxMessage.leased_until) <= now),
        col(OutboxMessage.endpoint_id).in_(
            select(WebhookEndpoint.id).where(
                col(WebhookEndpoint.channel).in_(list(ChannelKind)),
                col(WebhookEndpoint.signing).in_(list(Signing)),
            )
        ),
        col(OutboxMessage.endpoint_id).not_in(sorted(excluded)),
        KNOWN_TOPIC,
    ]


def _pick(
    waiting: Sequence[sa.ColumnElement[bool]], per_endpoint: int, room: int
) -> SelectOfScalar[OutboxMessage]:
    """Choose the oldest few of each endpoint, so that a long queue hides no other; skip what is held."""
    place = sa.func.row_number().over(
        partition_by=col(OutboxMessage.endpoint_id),
        order_by=(col(OutboxMessage.due_at), col(OutboxMessage.id)),
    )
    ranked = sa.select(col(OutboxMessage.id).label("id"), place.label("place")).where(*waiting).subquery()
    few = sa.select(ranked.c.id).where(ranked.c.place <= per_endpoint)
    return (
        select(OutboxMessage)
        .where(col(OutboxMessage.id).in_(few), *waiting)
        .order_by(col(OutboxMessage.due_at), col(OutboxMessage.id))
        .limit(room)
        .with_for_update(skip_locked=True)
    )


def _fair(rows: Sequence[OutboxMessage], busy: dict[str, int], per_endpoint: int) -> list[OutboxMessage]:
    """Keep as many of each endpoint as it has room for, counting what is in flight already."""
    kept = []
    for row in rows:
        endpoint = row.endpoint_id or ""
        if busy.get(endpoint, 0) < per_endpoint:
            busy[endpoint] = busy.get(endpoint, 0) + 1
            kept.append(row)
    return kept


def _bury_disabled(session: Session, running: _Round, now: datetime) -> None:
    """Settle messages whose endpoint was disabled after they were written, but for those in other hands."""
    for message in session.exec(
        select(OutboxMessage)
        .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(OutboxMessage.endpoint_id))
        .where(
            col(OutboxMessage.state) == MessageState.PENDING,
            col(WebhookEndpoint.disabled_at).is_not(None),
            KNOWN_TOPIC,
            sa.or_(col(OutboxMessage.leased_until).is_(None), col(OutboxMessage.leased_until) <= now),
        )
        .order_by(col(OutboxMessage.id))
        .limit(BURIED)
        .with_for_update(skip_locked=True, of=OutboxMessage)
    ):
        message.state, message.settled_at, message.last_error = MessageState.DEAD, now, DISABLED
        message.lease = message.leased_until = None
        session.add(message)
        running.dead += 1
    session.flush()


def _settle(
    database: Database,
    settings: AlertsSettings,
    running: _Round,
    done: set[Future[Outcome]],
    now: datetime,
) -> None:
    """Write down how the tries went, all in one transaction."""
    results = [(running.flying.pop(future), _outcome(future)) for future in done]
    with database.transaction() as session:
        for leased, outcome in sorted(results, key=lambda result: result[0].envelope.id):
            _settle_one(session, settings, running, leased, outcome=outcome, now=now)
    running.sent += len(results)


def _outcome(future: Future[Outcome]) -> Outcome:
    """Return a try's outcome; a fault of our own counts as a failure and not as the end of the round."""
    error = future.exception()
    if error is None:
        return future.result()
    return Outcome(succeeded=False, error=f"fault:{type(error).__name__}"[:200])


def _settle_one(
    session: Session,
    settings: AlertsSettings,
    running: _Round,
    leased: Leased,
    *,
    outcome: Outcome,
    now: datetime,
) -> None:
    message = session.exec(
        select(OutboxMessage).where(col(OutboxMessage.id) == leased.envelope.id).with_for_update()
    ).one()
    session.add(
        DeliveryAttempt(
            message_id=message.id,
            at=now,
            succeeded=outcome.succeeded,
            status=outcome.status,
            error=outcome.error,
            milliseconds=outcome.milliseconds,
        )
    )
    if outcome.slow:
        running.resting.add(leased.endpoint_id)
    running.delivered += outcome.succeeded
    running.failed += not outcome.succeeded
    if message.state is not MessageState.PENDING:
        return
    if outcome.succeeded:
        message.state, message.settled_at, message.last_error = MessageState.DELIVERED, now, None
        message.attempts += 1
        message.lease = message.leased_until = None
    elif message.lease == leased.lease:
        running.dead += _put_off(message, settings, outcome, now)
        if outcome.gone:
            _disable(session, leased.endpoint_id, now)
    session.add(message)


def _put_off(message: OutboxMessage, settings: AlertsSettings, outcome: Outcome, now: datetime) -> bool:
    """Set when the message is due again; return whether it is dead instead."""
    message.attempts += 1
    message.last_error = outcome.error
    message.lease = message.leased_until = None
    if outcome.gone or outcome.refused or message.attempts > len(settings.waits):
        message.state, message.settled_at = MessageState.DEAD, now
        return True
    message.due_at = now + timedelta(
        seconds=next_wait(settings, message.id, message.attempts, outcome.retry_after)
    )
    return False


def next_wait(
    settings: AlertsSettings, message_id: str, attempts: int, retry_after: float | None = None
) -> float:
    """Return how long a message waits after its `attempts`-th failure.

    Parameters
    ----------
    attempts
        Failures so far, 1 to `len(settings.waits)`.
    retry_after
        What the receiver asked for. Unit: seconds. The longer wait holds, up to the settings' limit.

    Returns
    -------
    float
        Seconds. The settings' wait, spread by up to a fifth either way. The spread comes from the
        message and the attempt, so the same failure always waits equally long.
    """
    digest = hashlib.blake2b(f"{message_id}:{attempts}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest) / 2**64
    planned = settings.waits[attempts - 1] * (1.0 - SPREAD + 2.0 * SPREAD * share)
    return max(planned, min(retry_after or 0.0, settings.longest_retry_after))


def _disable(session: Session, endpoint_id: str, now: datetime) -> None:
    """Disable an endpoint that answered 410; what waits for it is settled by the next lease."""
    endpoint = session.get_one(WebhookEndpoint, endpoint_id)
    if endpoint.disabled_at is not None:
        return
    endpoint.disabled_at, endpoint.disabled_reason = now, "gone"
    session.add(endpoint)
    audit.record(
        session,
        now,
        actor="service",
        action="webhook.disabled",
        subject=f"webhook:{endpoint.id}",
        organisation=endpoint.organisation,
        details={"reason": "gone"},
    )
