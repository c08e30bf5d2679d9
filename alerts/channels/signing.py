"""Sign webhooks as Standard Webhooks describes it: by a shared secret (v1) or by ed25519 (v1a).

While keys are rotated there are two signatures in the header, the new one first, so that a receiver
may change its key at any moment of the overlap. Private keys are sealed at rest and opened here.

Neighbours: `webhook` sends; `alerts/endpoints.py` makes and rotates the keys.
Source: https://www.standardwebhooks.com/
"""

import base64
import secrets
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from alerts.channels.channel import Envelope
from models.errors import Unavailable
from models.sealing import unseal
from models.vocabulary import Signing

SECRET_BYTES: Final = 32
SHARED, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"


def new_secret() -> str:
    """Return a new shared secret, `whsec_` and 32 random bytes in base64."""
    return SHARED + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_pair() -> tuple[str, str]:
    """Return a new private key (`whsk_`) and its public half (`whpk_`), 32 bytes each in base64."""
    private = Ed25519PrivateKey.generate()
    seed = private.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return PRIVATE + base64.b64encode(seed).decode(), PUBLIC + base64.b64encode(public).decode()


def signatures_of(envelope: Envelope, body: bytes, at: datetime, key: bytes | None) -> str:
    """Return the value of `webhook-signature` for a try made `at`.

    Raises
    ------
    Unavailable
        If something sealed has to be opened and there is no key.
    BrokenSeal
        If it does not open.
    """
    newest = envelope.sealed if envelope.signing is Signing.ED25519 else envelope.secret
    signing = [_opened(one, envelope.endpoint_id, key) for one in (newest, envelope.old_secret) if one]
    return " ".join(_signature(secret, envelope.id, at, body) for secret in signing)


def _signature(secret: str, identifier: str, at: datetime, body: bytes) -> str:
    if not secret.startswith(PRIVATE):
        return Webhook(secret).sign(identifier, at, body.decode())
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.removeprefix(PRIVATE)))
    signed = private.sign(f"{identifier}.{int(at.timestamp())}.".encode() + body)
    return "v1a," + base64.b64encode(signed).decode()


def _opened(kept: str, endpoint_id: str, key: bytes | None) -> str:
    if kept.startswith(SHARED):
        return kept
    if key is None:
        raise Unavailable("there is no key to open what is sealed")
    return unseal(key, kept, endpoint_id).decode()
