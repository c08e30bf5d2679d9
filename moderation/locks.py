"""Lock places in the queue with their posts, within a scope: the one door to a task for whoever changes it.

The posts come first, then their tasks, each in the order of their ids, and the audit log last: whoever
changes a post locks in this order, so that nobody waits for somebody who waits for them.

Refuses: what is outside the scope, like what does not exist; a referral, where somebody is trained for
people in danger (`care`) and the caller is not.

Neighbours: `leases`, `review`, `undo` and `card` lock here; `order` knows who is trained.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from models.errors import NotFound, NotPermitted
from models.organisation import reaches, within
from models.post import Post
from models.review import ReviewTask
from models.vocabulary import Category
from moderation.order import cared_for


def locked(
    session: Session, task_id: str, scope: Sequence[str], *, care: Sequence[str] | None = None
) -> ReviewTask:
    """Return a task of any state, with its post and its row locked.

    Raises
    ------
    NotFound
        If there is none within the scope.
    NotPermitted
        `care_only`, if it is for those who are trained for people in danger.
    """
    found = locked_many(session, [task_id], scope, care=care)
    if task_id in found.refused:
        raise found.refused[task_id]
    return found.tasks[task_id]


@dataclass(frozen=True, slots=True)
class Locked:
    """Tasks with their posts, by their ids, and why others were not locked."""

    tasks: dict[str, ReviewTask]
    posts: dict[str, Post]
    refused: dict[str, NotFound | NotPermitted]


def locked_many(
    session: Session, task_ids: Iterable[str], scope: Sequence[str], *, care: Sequence[str] | None = None
) -> Locked:
    """Lock tasks of any state with their posts. What `locked` would refuse is told by its id."""
    wanted = set(task_ids)
    rows = session.exec(
        select(ReviewTask.id, ReviewTask.post_id, ReviewTask.organisation, ReviewTask.category).where(
            col(ReviewTask.id).in_(wanted), within(ReviewTask.organisation, scope)
        )
    ).all()
    kept = _kept_for_care(session, rows, care)
    refused: dict[str, NotFound | NotPermitted] = {
        task: NotFound("there is no such task") for task in wanted - {row[0] for row in rows}
    }
    refused |= {
        task: NotPermitted("somebody who is trained for it has to open this", code="care_only")
        for task in kept
    }
    mine = [(task, post) for task, post, *_ in rows if task not in kept]
    # All posts first, then their tasks, each in one order, then the audit log: an edit and a deletion lock
    # in this order too, so that nobody waits for somebody who waits for them.
    posts = session.exec(
        select(Post)
        .where(col(Post.id).in_([post for _, post in mine]))
        .order_by(col(Post.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    tasks = session.exec(
        select(ReviewTask)
        .where(col(ReviewTask.id).in_([task for task, _ in mine]))
        .order_by(col(ReviewTask.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    return Locked({task.id: task for task in tasks}, {post.id: post for post in posts}, refused)


def _kept_for_care(
    session: Session,
    rows: Iterable[tuple[str, str, str, Any]],
    care: Sequence[str] | None,
) -> set[str]:
    """Return the referrals that somebody else is trained for and this officer is not."""
    danger = {task: place for task, _, place, category in rows if category is Category.SELF_HARM}
    if care is None or not danger:
        return set()
    trained = cared_for(session)
    return {task for task, place in danger.items() if not reaches(care, place) and reaches(trained, place)}


def post_of(
    session: Session, task_id: str, scope: Sequence[str], *, care: Sequence[str] | None = None
) -> str:
    """Return the post that a task is about, without locking anything.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    NotPermitted
        `care_only`, if it is for those who are trained for people in danger.
    """
    found = session.exec(
        select(ReviewTask.id, ReviewTask.post_id, ReviewTask.organisation, ReviewTask.category).where(
            col(ReviewTask.id) == task_id, within(ReviewTask.organisation, scope)
        )
    ).first()
    if found is None:
        raise NotFound("there is no such task")
    if _kept_for_care(session, [found], care):
        raise NotPermitted("somebody who is trained for it has to open this", code="care_only")
    return found[1]
