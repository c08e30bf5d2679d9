"""Accounts, their roles at places in the tree, signed-in sessions, second factors, and keys of sources."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import Role


class Account(Record, table=True):
    """A person who works with the service."""

    login: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=64)
    password: str = Field(max_length=200)
    language: str = Field(default="zh", max_length=2)
    must_change_password: bool = False
    created_at: datetime = moment()
    disabled_at: datetime | None = moment(nullable=True)
    email: str | None = Field(default=None, index=True, max_length=200)


class Identity(Record, table=True):
    """An account's name at an identity provider: the subject that the provider never gives to another."""

    __tablename__ = "account_identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    account_id: str = Field(foreign_key="account.id", index=True, max_length=32)
    issuer: str = Field(max_length=200)
    subject: str = Field(max_length=255)
    linked_by: str = Field(max_length=120)
    linked_at: datetime = moment()


class SpentState(Record, table=True):
    """A way through the provider that was gone to its end, so that nobody goes it twice."""

    state_hash: str = Field(unique=True, max_length=64)
    spent_at: datetime = moment(index=True)


class SecondFactor(Record, table=True):
    """The TOTP secret of an account, sealed. It counts once it was confirmed; `last_step` was used last."""

    account_id: str = Field(foreign_key="account.id", unique=True, max_length=32)
    secret: str = Field(max_length=200)
    created_at: datetime = moment()
    confirmed_at: datetime | None = moment(nullable=True)
    last_step: int = 0


class RecoveryCode(Record, table=True):
    """A code for the day on which the telephone is lost: only its hash is kept, and it opens once."""

    __table_args__ = (UniqueConstraint("account_id", "code_hash"),)

    account_id: str = Field(foreign_key="account.id", max_length=32)
    code_hash: str = Field(max_length=64)
    used_at: datetime | None = moment(nullable=True)


class Grant(Record, table=True):
    """A role of an account at a node and under it."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("account_id", "role", "organisation"),)

    account_id: str = Field(foreign_key="account.id", index=True, max_length=32)
    role: Role = word(Role)
    organisation: str = place_in_tree(index=False)
    granted_at: datetime = moment()


class SignIn(Record, table=True):
    """One signed-in session of an account; the cookie holds its id, signed.

    `device` and `network` are coarse on purpose: the browser's family and the system's, and the first
    part of the address. They are for the person whose session it is, and go with the row.
    """

    account_id: str = Field(foreign_key="account.id", index=True, max_length=32)
    csrf: str = Field(max_length=64)
    created_at: datetime = moment()
    expires_at: datetime = moment()
    revoked_at: datetime | None = moment(nullable=True)
    device: str | None = Field(default=None, max_length=60)
    network: str | None = Field(default=None, max_length=60)
    method: str | None = Field(default=None, max_length=16)
    last_seen_at: datetime | None = moment(nullable=True)
    second_factor_at: datetime | None = moment(nullable=True)


class SignInAttempt(Record, table=True):
    """A failed try to sign in, kept for an hour to slow guessing down."""

    __table_args__ = (sa.Index("ix_sign_in_attempt", "login", "at"),)

    login: str = Field(max_length=64)
    at: datetime = moment()


class ApiKey(Record, table=True):
    """A key of one source. Only its hash is kept."""

    source: str = Field(index=True, max_length=64)
    name: str = Field(max_length=64)
    organisation: str = place_in_tree(index=False)
    scopes: list[str] = document(factory=list)
    key_hash: str = Field(unique=True, max_length=64)
    created_at: datetime = moment()
    revoked_at: datetime | None = moment(nullable=True)
    last_used_at: datetime | None = moment(nullable=True)
