"""What an officer sees beside a post: its thread, what the machine's reasons are worth, the fate of the like.

Every part is read when it is asked for. The author's standing is not part of the card: it is shown on
request, after a first look, so that the post is judged before its author; it counts upheld violations
that have not expired and nothing else, and there is none for people in danger (charter, 7).

Refuses: to show a post of a thread outside the scope, and to name an author.

Neighbours: `queue` opens the task; `outcomes` says when a reason was right; `similarity` finds the like.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.errors import Conflict, NotFound
from models.organisation import within
from models.post import Post, PostRevision
from models.review import Appeal, Decision, RuleOutcome, Statement
from models.screening import Screening
from models.vocabulary import Action, AppealState, Category, PostState
from moderation import (
    locks,
    similarity,
    statements,
)
from moderation.leases import OpenedTask
from moderation.outcomes import subject_of
from moderation.precision import Precision

REPLIES: Final = 5
"""Replies shown beside a post, the earliest first."""

FIRST_LOOK: Final = timedelta(seconds=5)
"""How long a post is open before its author's standing is shown without asking twice."""

STANDING_KEPT: Final = timedelta(days=180)
"""How long an upheld violation counts."""

HARSH: Final = frozenset({Category.THREAT, Category.SEXUAL, Category.HATE, Category.HARASSMENT})
"""Harms whose text is folded until the officer asks for it."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A post of the same thread: the one above, or a reply."""

    post_id: str
    above: bool
    state: PostState
    created_at: datetime
    text: str
    same_author: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What became of the posts that said nearly the same, and on which a rule of this post spoke too."""

    published: int = 0
    referred: int = 0
    removed: Mapping[Category, int] | None = None

    @property
    def decided(self) -> int:
        """How many there are."""
        return self.published + self.referred + sum((self.removed or {}).values())


@dataclass(frozen=True, slots=True)
class Card:
    """Everything beside the post itself. `precision` is by what a reason counts for."""

    thread: tuple[Voice, ...]
    precision: Mapping[str, Precision]
    past: Past
    alike: int
    harsh: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Upheld violations of a post's author within the scope that have not expired, by category."""

    violations: Mapping[Category, int]
    since: datetime


def card(
    session: Session, opened: OpenedTask, scope: Sequence[str], officer: str, salt: bytes, *, now: datetime
) -> Card:
    """Return what stands beside an opened post."""
    task = opened.task
    found = thread(session, opened, scope)
    if found:
        audit.record(
            session,
            now,
            actor=f"account:{officer}",
            action="thread.viewed",
            subject=f"post:{opened.post.id}",
            organisation=opened.post.organisation,
            details={"task": task.id, "posts": [one.post_id for one in found]},
        )
    return Card(
        thread=found,
        precision=precision_of(session, opened.reasons),
        past=past(session, opened, scope, salt),
        alike=similarity.count_alike(session, task, scope, officer, salt, now=now),
        harsh=task.category in HARSH,
    )


def thread(session: Session, opened: OpenedTask, scope: Sequence[str]) -> tuple[Voice, ...]:
    """Return the post above and the first replies, as far as they are kept and lie within the scope."""
    post = opened.post
    near = col(Post.parent) == post.external_id
    if post.parent:
        near |= col(Post.external_id) == post.parent
    rows = session.exec(
        select(Post, PostRevision.text)
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id)) & (col(PostRevision.revision) == col(Post.revision)),
        )
        .where(
            col(Post.source) == post.source,
            near,
            col(Post.id) != post.id,
            col(PostRevision.text).is_not(None),
            within(Post.organisation, scope),
        )
        .order_by(col(Post.created_at), col(Post.id))
        .limit(REPLIES + 1)
    ).all()
    return tuple(
        Voice(
            post_id=one.id,
            above=one.external_id == post.parent,
            state=one.state,
            created_at=one.created_at,
            text=text or "",
            same_author=one.author == post.author,
        )
        for one, text in rows
    )


def precision_of(session: Session, reasons: Sequence[Mapping[str, Any]]) -> dict[str, Precision]:
    """Return how often people bore out each of these reasons, by what a reason counts for."""
    subjects = {subject[:200] for reason in reasons if (subject := subject_of(reason)) is not None}
    rows = session.exec(
        select(RuleOutcome.rule, RuleOutcome.upheld, func.count())
        .where(col(RuleOutcome.rule).in_(subjects))
        .group_by(col(RuleOutcome.rule), col(RuleOutcome.upheld))
    ).all()
    found = dict.fromkeys(subjects, Precision())
    for rule, upheld, count in rows:
        found[rule] += Precision(count, 0) if upheld else Precision(0, count)
    return found


def past(session: Session, opened: OpenedTask, scope: Sequence[str], salt: bytes) -> Past:
    """Return what was decided about near-duplicates on which one of the same rules spoke: outcomes alone."""
    copy = opened.task.copy_of
    if copy is None:
        return Past()
    rules = {reason["rule"] for reason in opened.reasons}
    rows = session.exec(
        select(Decision.action, Decision.category, Screening.reasons)
        .join(Screening, col(Screening.id) == col(Decision.screening_id))
        .where(col(Decision.task_id).in_(similarity.decided_alike(session, copy, salt, scope)))
    ).all()
    counted = Counter(
        (action, category)
        for action, category, reasons in rows
        if not rules or rules & {reason["rule"] for reason in reasons}
    )
    return Past(
        published=counted[Action.PUBLISH, None],
        referred=counted[Action.REFER, Category.SELF_HARM],
        removed={
            Category(category): count
            for (action, category), count in counted.items()
            if action is Action.REMOVE and category
        },
    )


def standing(
    session: Session,
    task_id: str,
    officer: str,
    scope: Sequence[str],
    *,
    now: datetime,
    asked_twice: bool = False,
    care: Sequence[str] | None = None,
) -> Standing:
    """Return the standing of a post's author; the look is on the audit log.

    A violation counts for 180 days if its removal stands: a person decided it, or an objection against
    the machine was turned down. A removal that can still be undone does not count yet.

    Raises
    ------
    NotFound
        If there is no such task within the scope, or it is about somebody in danger.
    Conflict
        `not_in_hand`, if the officer does not have the post open; `look_first`, if it was opened only just
        now and is not asked for a second time.
    """
    task = locks.locked(session, task_id, scope, care=care)
    if task.category is Category.SELF_HARM:
        raise NotFound("a referral has no standing")
    if task.leased_by != officer or task.leased_until is None or task.leased_until <= now:
        raise Conflict("open the post first", code="not_in_hand")
    if not asked_twice and task.leased_at is not None and now < task.leased_at + FIRST_LOOK:
        raise Conflict("look at the post first", code="look_first")
    post = session.get_one(Post, task.post_id)
    since = now - STANDING_KEPT
    rows = session.exec(
        select(Statement.category, func.count())
        .join(Post, col(Post.id) == col(Statement.post_id))
        .outerjoin(Appeal, col(Appeal.statement_id) == col(Statement.id))
        .where(
            col(Post.author) == post.author,
            col(Post.author) != "",
            within(Post.organisation, scope),
            col(Statement.restriction) == statements.REMOVED,
            col(Statement.withdrawn_at).is_(None),
            col(Statement.issued_at) >= since,
            (col(Statement.leaves_at).is_(None)) | (col(Statement.leaves_at) <= now),
            (col(Statement.decided_by).is_not(None)) | (col(Appeal.state) == AppealState.UPHELD),
        )
        .group_by(col(Statement.category))
    ).all()
    audit.record(
        session,
        now,
        actor=f"account:{officer}",
        action="standing.viewed",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={"task": task.id},
    )
    return Standing({Category(word): count for word, count in rows if word}, since)
