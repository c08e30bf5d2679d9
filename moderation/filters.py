"""What an officer may ask of the queue: filters that combine, words, and one author's posts.

A filter narrows what the scope already allows and never widens it: conditions are added, none is
taken away. A search by author works on the keyed hash that posts carry, so that it needs the name
as its platform wrote it, and finds nothing without the installation's key.

Refuses: nothing; a filter that fits no post finds none.

Neighbours: `queue` lists and leases by a filter; `api/console/views/queue.py` writes them as links.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import col, select

from models.organisation import under
from models.post import Post, PostRevision
from models.review import ReviewTask
from models.screening import Screening
from models.vocabulary import Category, PostKind


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which waiting posts are wanted. What is None asks nothing.

    `unsure` are those without a category; `older_than` is how long a post has waited at least;
    `author` is the hash that a post carries, never a name; `words` is looked for as it is written.
    """

    organisation: str | None = None
    category: Category | None = None
    unsure: bool = False
    urgency: int | None = None
    overdue: bool = False
    rule: str | None = None
    older_than: timedelta | None = None
    place: str | None = None
    kind: PostKind | None = None
    post_id: str | None = None
    words: str | None = None
    author: str | None = None

    @property
    def asks(self) -> bool:
        """Whether anything is asked at all."""
        return self != NO_FILTER

    def conditions(self, now: datetime) -> list[sa.ColumnElement[bool]]:
        """Return the conditions over waiting tasks; what is about the post is asked of the post."""
        found = self._of_the_task(now)
        about_post = self._of_the_post()
        if about_post:
            found.append(
                select(Post.id)
                .where(col(Post.id) == col(ReviewTask.post_id), *about_post)
                .correlate(ReviewTask)
                .exists()
            )
        if self.words:
            found.append(
                select(PostRevision.id)
                .join(
                    Screening,
                    (col(Screening.post_id) == col(PostRevision.post_id))
                    & (col(Screening.revision) == col(PostRevision.revision)),
                )
                .where(
                    col(Screening.id) == col(ReviewTask.screening_id),
                    func.lower(PostRevision.text).contains(self.words.lower(), autoescape=True),
                )
                .correlate(ReviewTask)
                .exists()
            )
        return found

    def _of_the_task(self, now: datetime) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = []
        if self.organisation is not None:
            found.append(under(ReviewTask.organisation, self.organisation))
        if self.category is not None:
            found.append(col(ReviewTask.category) == self.category)
        if self.unsure:
            found.append(col(ReviewTask.category).is_(None))
        if self.urgency is not None:
            found.append(col(ReviewTask.urgency) == self.urgency)
        if self.overdue:
            found.append(col(ReviewTask.due_at) < now)
        if self.rule is not None:
            found.append(col(ReviewTask.rule) == self.rule)
        if self.older_than is not None:
            found.append(col(ReviewTask.created_at) <= now - self.older_than)
        return found

    def _of_the_post(self) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = []
        if self.kind is not None:
            found.append(col(Post.kind) == self.kind)
        if self.place is not None:
            found.append(col(Post.place) == self.place)
        if self.author is not None:
            found.append(col(Post.author) == self.author)
        if self.post_id is not None:
            found.append((col(Post.id) == self.post_id) | (col(Post.external_id) == self.post_id))
        return found


NO_FILTER = QueueFilter()
