"""Time-based one-time codes (RFC 6238 over RFC 4226): the arithmetic, pure.

Codes have six digits and hold for thirty seconds; one step to either side is taken, because
telephones and servers disagree about the time. Which step a code belongs to is told, so that
the caller can refuse a step that was used already.

Refuses: codes that are not six digits; nothing here keeps or looks up a secret.

Neighbours: `second_factor` keeps the secrets and counts the tries.
"""

import base64
import hmac
import secrets
import struct
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

STEP_SECONDS: Final = 30
DIGITS: Final = 6
DRIFT: Final = 1
SECRET_BYTES: Final = 20


def new_secret() -> bytes:
    """Return a new secret: 160 bits, as RFC 4226 recommends."""
    return secrets.token_bytes(SECRET_BYTES)


def step_at(now: datetime) -> int:
    """Return the number of whole steps between 1970 and `now`. Unit: steps of 30 seconds."""
    return int(now.timestamp()) // STEP_SECONDS


def code_at(secret: bytes, step: int, *, digits: int = DIGITS, digest: str = "sha1") -> str:
    """Return the code of one step.

    Parameters
    ----------
    secret
        The shared secret. Unit: bytes.
    step
        Steps since 1970, >= 0.
    digits
        How long the code is, 6 to 8.
    digest
        The name of the hash, as `hashlib` knows it.

    Source
    ------
    RFC 4226, 5.3 and RFC 6238, 4.2.
    """
    mac = hmac.digest(secret, struct.pack(">Q", step), digest)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def normal_code(typed: str) -> str:
    """Return what was typed without the blanks that apps show between groups of digits."""
    return "".join(typed.split())


def matching_step(secret: bytes, typed: str, now: datetime, *, after: int = 0) -> int | None:
    """Return the step that a code belongs to, or None if it is of none that may still be used.

    Parameters
    ----------
    after
        The step that was used last: it and all before it are refused.
    """
    code = normal_code(typed)
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    current = step_at(now)
    found = None
    for step in range(current - DRIFT, current + DRIFT + 1):
        # Every step is compared, so that the time that it takes tells nothing about which one it was.
        if hmac.compare_digest(code_at(secret, step), code) and step > after:
            found = step
    return found


def shown_secret(secret: bytes) -> str:
    """Return a secret as people type it into an app: base32 without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def address(secret: bytes, *, issuer: str, login: str) -> str:
    """Return what the QR code says: the otpauth address that authenticator apps read."""
    label = quote(f"{issuer}:{login}", safe="")
    query = urlencode({"secret": shown_secret(secret), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"
