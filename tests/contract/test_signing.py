"""Signatures of webhooks against verifiers that others wrote: the standard's library, and cryptography."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.channels.channel import Envelope
from alerts.channels.signing import new_pair, new_secret
from alerts.channels.webhook import WebhookChannel
from alerts.settings import AlertsSettings
from models.sealing import BrokenSeal, seal
from models.vocabulary import Signing
from tests.support.receiver import Received, receiver

KEY = b"k" * 32
SETTINGS = AlertsSettings(allow_private=True, timeout=1.0, sealing=KEY)
ENDPOINT = "e" * 32


def envelope(address: str, **changes: object) -> Envelope:
    values: dict[str, object] = {
        "id": "0" * 31 + "1",
        "topic": "demand.updated",
        "created_at": datetime(2026, 3, 16, 4, tzinfo=UTC),
        "payload": {"demand": "d1"},
        "address": address,
        "secret": new_secret(),
        "endpoint_id": ENDPOINT,
    }
    return Envelope(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def channel() -> Iterator[WebhookChannel]:
    one = WebhookChannel(SETTINGS)
    yield one
    one.close()


def sent(channel: WebhookChannel, **changes: object) -> Received:
    with receiver() as peer:
        outcome = channel.send(envelope(peer.url, **changes), at=datetime.now(UTC))
    assert outcome.succeeded
    return peer.received[0]


def verify(public: str, got: Received, body: bytes | None = None) -> list[bool]:
    """Verify each signature of the header as the standard says, without any code of ours."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    said = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + (body or got.body)
    results = []
    for signature in got.headers["webhook-signature"].split(" "):
        version, _, value = signature.partition(",")
        assert version == "v1a"
        try:
            key.verify(base64.b64decode(value), said)
        except InvalidSignature:
            results.append(False)
        else:
            results.append(True)
    return results


def test_ed25519_is_verified_with_the_public_half_and_an_altered_body_is_not(channel: WebhookChannel) -> None:
    private, public = new_pair()
    got = sent(channel, signing=Signing.ED25519, sealed=seal(KEY, private.encode(), ENDPOINT))

    assert verify(public, got) == [True]
    assert verify(public, got, got.body.replace(b"d1", b"d2")) == [False]
    assert verify(new_pair()[1], got) == [False]


def test_while_keys_are_rotated_a_receiver_with_either_key_verifies(channel: WebhookChannel) -> None:
    old, new = new_secret(), new_secret()
    got = sent(channel, secret=new, old_secret=old)
    for secret in (old, new):
        assert Webhook(secret).verify(got.body, got.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(got.body + b" ", got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(got.body, got.headers)

    (first, first_public), (second, second_public) = new_pair(), new_pair()
    both = sent(
        channel,
        signing=Signing.ED25519,
        sealed=seal(KEY, second.encode(), ENDPOINT),
        old_secret=seal(KEY, first.encode(), ENDPOINT),
    )
    assert verify(second_public, both) == [True, False]
    assert verify(first_public, both) == [False, True]


def test_a_private_key_that_was_moved_to_another_endpoint_signs_nothing(channel: WebhookChannel) -> None:
    sealed = seal(KEY, new_pair()[0].encode(), "f" * 32)
    with receiver() as peer:
        moved = envelope(peer.url, signing=Signing.ED25519, sealed=sealed)
        with pytest.raises(BrokenSeal):
            channel.send(moved, at=datetime.now(UTC))

    assert peer.received == []


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "0",
    ],
)
def test_no_spelling_of_this_machine_is_called(host: str) -> None:
    guarded = WebhookChannel(AlertsSettings(timeout=1.0))
    with receiver() as peer:
        outcome = guarded.send(envelope(f"http://{host}:{peer.server.server_port}/"), at=datetime.now(UTC))
    guarded.close()

    assert (outcome.succeeded, outcome.error) == (False, "private_address")
    assert peer.received == []
