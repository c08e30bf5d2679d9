"""Every channel is held to the same promises, against a real peer that behaves badly."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.channels import Channel, Envelope, channels
from alerts.channels.signing import new_secret
from alerts.channels.webhook import WebhookChannel
from alerts.settings import AlertsSettings
from tests.support.receiver import Answer, receiver

SETTINGS = AlertsSettings(allow_private=True, timeout=1.0)
# A peer hangs for 30 s or for ever and the limit is 1 s: far enough from both for a busy machine.
LEFT_BY = 10.0
SECRET = new_secret()


@pytest.fixture(params=sorted(channels(SETTINGS)))
def channel(request: pytest.FixtureRequest) -> Iterator[Channel]:
    one = channels(SETTINGS)[request.param]
    yield one
    one.close()


def envelope(address: str, **changes: object) -> Envelope:
    values: dict[str, object] = {
        "id": "0" * 31 + "1",
        "topic": "demand.updated",
        "created_at": datetime(2026, 3, 16, 4, tzinfo=UTC),
        "payload": {"demand": "d1", "word": "诉求"},
        "address": address,
        "secret": SECRET,
    }
    return Envelope(**{**values, **changes})  # type: ignore[arg-type]


def test_what_the_peer_takes_is_a_success(channel: Channel) -> None:
    with receiver() as peer:
        outcome = channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert outcome.succeeded
    assert outcome.status == 204
    assert peer.ids() == ["0" * 31 + "1"]


def test_the_standard_library_verifies_ours_and_refuses_an_altered_one(channel: Channel) -> None:
    with receiver() as peer:
        channel.send(envelope(peer.url), at=datetime.now(UTC))
    got = peer.received[0]

    taken = Webhook(SECRET).verify(got.body, got.headers)

    assert taken == {
        "type": "demand.updated",
        "timestamp": "2026-03-16T04:00:00+00:00",
        "data": {"demand": "d1", "word": "诉求"},
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body.replace(b"d1", b"d2"), got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body, {**got.headers, "webhook-id": "another"})
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(got.body, got.headers)


def test_every_try_has_the_same_id_and_the_same_body(channel: Channel) -> None:
    with receiver() as peer:
        channel.send(envelope(peer.url), at=datetime(2026, 3, 16, 4, tzinfo=UTC))
        channel.send(envelope(peer.url), at=datetime(2026, 3, 16, 5, tzinfo=UTC))

    first, second = peer.received
    assert (first.id, first.body) == (second.id, second.body)
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


@pytest.mark.parametrize("status", [400, 404, 500, 502])
def test_a_refusal_is_a_failure_and_its_body_is_not_kept(channel: Channel, status: int) -> None:
    with receiver(Answer(status, body="帖子内容".encode())) as peer:
        outcome = channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert not outcome.succeeded
    assert (outcome.status, outcome.error, outcome.gone) == (status, f"http_{status}", False)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(channel: Channel, status: int) -> None:
    with receiver() as other, receiver(Answer(status, headers={"location": other.url})) as peer:
        outcome = channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert (outcome.succeeded, outcome.error) == (False, "redirect")
    assert other.received == []


def test_gone_says_never_again(channel: Channel) -> None:
    with receiver(Answer(410)) as peer:
        outcome = channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert outcome.gone
    assert not outcome.succeeded


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_may_say_when_to_come_back(channel: Channel, status: int) -> None:
    with receiver(Answer(status, headers={"retry-after": "120"})) as peer:
        outcome = channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert outcome.retry_after == 120.0
    assert outcome.slow


def test_a_date_to_come_back_counts_from_now(channel: Channel) -> None:
    at = datetime(2026, 3, 16, 4, tzinfo=UTC)
    with receiver(Answer(503, headers={"retry-after": "Mon, 16 Mar 2026 04:10:00 GMT"})) as peer:
        outcome = channel.send(envelope(peer.url), at=at)

    assert outcome.retry_after == 600.0


def test_a_peer_that_hangs_is_left_in_time(channel: Channel) -> None:
    with receiver(Answer(wait=30.0)) as peer:
        began = time.monotonic()
        outcome = channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert time.monotonic() - began < LEFT_BY
    assert (outcome.succeeded, outcome.error, outcome.slow) == (False, "timeout", True)


def test_a_peer_that_drips_is_left_in_time(channel: Channel) -> None:
    with receiver(Answer(drip=0.2)) as peer:
        began = time.monotonic()
        outcome = channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert time.monotonic() - began < LEFT_BY
    assert (outcome.succeeded, outcome.error) == (False, "timeout")


def test_a_peer_that_is_not_there_is_a_failure(channel: Channel) -> None:
    with receiver() as peer:
        address = peer.url
    outcome = channel.send(envelope(address), at=datetime.now(UTC))

    assert (outcome.succeeded, outcome.error, outcome.slow) == (False, "no_connection", True)


def test_a_long_answer_is_not_read_to_its_end(channel: Channel) -> None:
    with receiver(Answer(200, body=b"x" * 5_000_000)) as peer:
        outcome = channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert outcome.succeeded


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1", "64:ff9b::a00:1"],
)
def test_a_name_that_leads_into_a_private_network_is_never_called(host: str) -> None:
    asked: list[str] = []

    def resolver(name: str, _: int) -> list[str]:
        asked.append(name)
        return ["93.184.215.14", host] if len(asked) == 1 else [host]

    guarded = WebhookChannel(AlertsSettings(timeout=1.0), resolver=resolver)
    with receiver() as peer:
        port = peer.url.rpartition(":")[2]
        outcome = guarded.send(envelope(f"http://hooks.example:{port}"), at=datetime.now(UTC))
    guarded.close()

    assert (outcome.succeeded, outcome.error) == (False, "private_address")
    assert peer.received == []


def test_the_name_is_asked_once_and_stays_in_the_host_header() -> None:
    asked: list[str] = []

    def resolver(name: str, _: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"]

    pinned = WebhookChannel(SETTINGS, resolver=resolver)
    with receiver() as peer:
        port = peer.server.server_port
        outcome = pinned.send(envelope(f"http://hooks.example:{port}/in"), at=datetime.now(UTC))
    pinned.close()

    assert outcome.succeeded
    assert asked == ["hooks.example"]
    assert peer.received[0].headers["host"] == f"hooks.example:{port}"


def test_the_body_is_json_with_type_timestamp_and_data(channel: Channel) -> None:
    with receiver() as peer:
        channel.send(envelope(peer.url), at=datetime.now(UTC))

    assert set(json.loads(peer.received[0].body)) == {"type", "timestamp", "data"}
    assert peer.received[0].headers["content-type"] == "application/json"
