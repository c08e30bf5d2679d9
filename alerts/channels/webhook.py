"""Webhooks as Standard Webhooks describes them: signed, with an id that stays the same.

The body is {"type", "timestamp", "data"}. A 2xx answer is success; a redirect is a failure and is
not followed; 410 means never again; 429 and 503 may say when to come back. The answer's body is
thrown away unread but for its first bytes, and never kept.

Neighbours: `address` decides where a request may go; `signing` signs; `delivery` decides when.
Source: https://www.standardwebhooks.com/
"""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpcore
import httpx
import orjson

from alerts.channels.address import (
    Deadline,
    Forbidden,
    GuardedBackend,
    Resolver,
    Unresolved,
    resolve,
)
from alerts.channels.channel import Envelope, Outcome
from alerts.channels.signing import signatures_of
from alerts.settings import AlertsSettings

ENOUGH: Final = 4_096
REST: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def body_of(envelope: Envelope) -> bytes:
    """Return the bytes that are signed and sent; the same at every try."""
    return orjson.dumps(
        {
            "type": envelope.topic,
            "timestamp": envelope.created_at.astimezone(UTC).isoformat(),
            "data": envelope.payload,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def headers_of(envelope: Envelope, body: bytes, at: datetime, key: bytes | None) -> dict[str, str]:
    """Return the headers, signature and all, of a try made `at`; `key` opens what is sealed."""
    moment = at.astimezone(UTC)
    return {
        "content-type": "application/json",
        "user-agent": "tingjian-webhooks/1",
        "webhook-id": envelope.id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signatures_of(envelope, body, moment, key),
    }


def retry_after(value: str | None, at: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, or None if it says nothing usable."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    return max(0.0, (until - at).total_seconds())


class WebhookChannel:
    """Sends envelopes over HTTP. One instance serves any number of threads."""

    def __init__(self, settings: AlertsSettings, *, resolver: Resolver = resolve) -> None:
        self._timeout, self._key = settings.timeout, settings.sealing
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=settings.threads,
            keepalive_expiry=15.0,
            network_backend=GuardedBackend(
                allow_private=settings.allow_private, deadline=self._deadline, resolver=resolver
            ),
        )

    def send(self, envelope: Envelope, *, at: datetime) -> Outcome:
        """Try once. See `Channel`."""
        began = time.monotonic()
        self._deadline.at = began + self._timeout
        body = body_of(envelope)
        try:
            with self._pool.stream(
                "POST",
                envelope.address,
                headers=list(headers_of(envelope, body, at, self._key).items()),
                content=body,
                extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)},
            ) as response:
                outcome = _judged(response, at)
                _drain(response)
        except Forbidden:
            outcome = Outcome(succeeded=False, error="private_address")
        except Unresolved:
            outcome = Outcome(succeeded=False, error="no_address", slow=True)
        except (httpcore.TimeoutException, TimeoutError):
            outcome = Outcome(succeeded=False, error="timeout", slow=True)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError):
            outcome = Outcome(succeeded=False, error="no_connection", slow=True)
        spent = round((time.monotonic() - began) * 1000)
        return Outcome(
            succeeded=outcome.succeeded,
            status=outcome.status,
            error=outcome.error,
            retry_after=outcome.retry_after,
            gone=outcome.gone,
            slow=outcome.slow,
            milliseconds=spent,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def _judged(response: httpcore.Response, at: datetime) -> Outcome:
    status = response.status
    if 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls success
        return Outcome(succeeded=True, status=status)
    if 300 <= status < 400:  # noqa: PLR2004 - what HTTP calls redirection
        return Outcome(succeeded=False, status=status, error="redirect")
    if status == HTTPStatus.GONE:
        return Outcome(succeeded=False, status=status, error="gone", gone=True)
    if status in REST:
        headers = {name.lower(): value for name, value in response.headers}
        wait = retry_after(headers.get(b"retry-after", b"").decode("latin-1"), at)
        return Outcome(succeeded=False, status=status, error=f"http_{status}", retry_after=wait, slow=True)
    return Outcome(succeeded=False, status=status, error=f"http_{status}")


def _drain(response: httpcore.Response) -> None:
    """Read a short answer to its end, so that the connection can serve again; leave a long one.

    What happens to the body changes nothing: the status has been given already.
    """
    read = 0
    try:
        for chunk in response.iter_stream():
            read += len(chunk)
            if read > ENOUGH:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError):
        return
