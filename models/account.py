"""Accounts, their roles at places in the tree, signed-in sessions, and keys of sources."""

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


class Grant(Record, table=True):
    """A role of an account at a node and under it."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("account_id", "role", "organisation"),)

    account_id: str = Field(foreign_key="account.id", index=True, max_length=32)
    role: Role = word(Role)
    organisation: str = place_in_tree(index=False)
    granted_at: datetime = moment()


class SignIn(Record, table=True):
    """One signed-in session of an account; the cookie holds its id, signed."""

    account_id: str = Field(foreign_key="account.id", index=True, max_length=32)
    csrf: str = Field(max_length=64)
    created_at: datetime = moment()
    expires_at: datetime = moment()
    revoked_at: datetime | None = moment(nullable=True)


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
