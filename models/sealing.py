"""Seal a short secret for the database or a cookie, and open it again: AES-256-GCM.

What a seal is about (an account, a cookie's use) is bound into it, so that a sealed value moved
to another row or another cookie does not open.

Refuses: whatever was changed, or sealed with another key or about something else.

Neighbours: the roof seals secrets of second factors and the cookie of a sign-in on its way, `alerts`
the addresses of chats and the keys of signatures; the keys come from `wiring.Keys`.
"""

import base64
import binascii
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12


class BrokenSeal(Exception):  # noqa: N818 - it is named for what it says
    """The value was changed, or belongs elsewhere."""


def seal(key: bytes, secret: bytes, about: str) -> str:
    """Return `secret` sealed, in letters that a cookie may hold."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, secret, about.encode())).decode()


def unseal(key: bytes, sealed: str, about: str) -> bytes:
    """Return what was sealed.

    Raises
    ------
    BrokenSeal
        If it does not open.
    """
    try:
        raw = base64.urlsafe_b64decode(sealed.encode("ascii"))
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError, binascii.Error):
        raise BrokenSeal from None
