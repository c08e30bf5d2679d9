"""Passwords: hashed with argon2id, checked in the same time whether or not the login exists.

Refuses: passwords under ten characters, and ones that contain the login.
"""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.errors import InvalidInput

MINIMUM = 10
MAXIMUM = 200
# No characters that look alike, because people copy a one-time password from a screen.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

HASHER = PasswordHasher()


def check_strength(password: str, login: str) -> None:
    """Refuse a password that is too short, too long, or holds the login.

    Raises
    ------
    InvalidInput
        Naming the field, without the password.
    """
    if not MINIMUM <= len(password) <= MAXIMUM:
        raise InvalidInput(
            f"a password has {MINIMUM} to {MAXIMUM} characters", code="weak_password", field="/password"
        )
    if login.lower() in password.lower():
        raise InvalidInput("a password must not hold the login", code="weak_password", field="/password")


def hash_password(password: str) -> str:
    """Return the argon2id hash."""
    return HASHER.hash(password)


@cache
def _nobody() -> str:
    return HASHER.hash(secrets.token_urlsafe(16))


def matches(stored: str | None, password: str) -> bool:
    """Return whether the password is right. Without a stored hash it takes as long, and is wrong."""
    try:
        HASHER.verify(stored or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def one_time_password() -> str:
    """Return a password that is easy to type: sixteen characters in four groups, 79 bits."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)
