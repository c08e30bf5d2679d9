"""Posts, their revisions, and the proof that is left when one is deleted.

The text of a post stands in one column of one table, `PostRevision.text`. Everything else points
at it: passages are offsets, examples are references, messages carry identifiers. So a deletion
reaches every copy by emptying that column.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, UniqueConstraint

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import Category, PostKind, PostState


class Post(Record, table=True):
    """One post as its platform knows it. `author` is a keyed hash, never the platform's own key."""

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        sa.Index("ix_post_organisation_created", "organisation", "created_at"),
        sa.Index("ix_post_author_created", "author", "created_at"),
        sa.Index("ix_post_parent", "source", "parent"),
        sa.Index("ix_post_unread", "read_revision", "state"),
    )

    source: str = Field(max_length=64)
    external_id: str = Field(max_length=200)
    revision: int
    kind: PostKind = word(PostKind)
    parent: str | None = Field(default=None, max_length=200)
    organisation: str = place_in_tree(index=False)
    author: str = Field(max_length=64)
    state: PostState = word(PostState)
    category: Category | None = word(Category, nullable=True)
    place: str | None = Field(default=None, max_length=120)
    likes: int = 0
    created_at: datetime = moment()
    received_at: datetime = moment(index=True)
    read_revision: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True)
class NewPost:
    """A row of `Post` as it was just written, with what follows from a first verdict.

    It is whole and nothing about it changes any more, so it needs no watching by a session.
    """

    id: str
    source: str
    external_id: str
    revision: int
    organisation: str
    state: PostState
    category: Category | None


class PostRevision(Record, table=True):
    """One content of a post. `text` is empty once the post is deleted; `fingerprint` is keyed."""

    __table_args__ = (UniqueConstraint("post_id", "revision"),)

    post_id: str = Field(foreign_key="post.id", max_length=32)
    revision: int
    text: str | None = body(nullable=True)
    fingerprint: str = Field(max_length=64)
    received_at: datetime = moment()


class PostDeletion(Record, table=True):
    """The proof of a deletion: what was deleted, when, on whose word, and how far it reached."""

    __table_args__ = (UniqueConstraint("source", "external_id"),)

    source: str = Field(max_length=64)
    external_id: str = Field(max_length=200)
    post_id: str = Field(max_length=32)
    fingerprints: list[str] = document(factory=list)
    reached: dict[str, Any] = document()
    deleted_by: str = Field(max_length=120)
    deleted_at: datetime = moment()


class ImportRun(SQLModel, table=True):
    """How far an import of one file has come, so that it can go on where it stopped."""

    digest: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=255)
    lines_done: int = 0
    accepted: int = 0
    rejected: int = 0
    started_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)
