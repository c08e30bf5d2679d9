"""Shapes that several kinds of alerts share. Unknown members of a body are refused."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Item = TypeVar("Item")
Identifier = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]
Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[Identifier | None, Query(description="The `next` of the page before.")]


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid")


class Out(BaseModel):
    """Something that goes out, read from a record."""

    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[Item]):
    """One page, newest first. `next` goes into `before` for the page that follows; None at the end."""

    items: list[Item]
    next: str | None = Field(default=None)


def page_of(items: list[Item], last_id: str | None, limit: int) -> Page[Item]:
    """Return a page; a full one has a next."""
    return Page(items=items, next=last_id if len(items) == limit else None)
