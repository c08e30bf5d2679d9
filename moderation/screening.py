"""Put a verdict on record, and do what follows from it.

A publish publishes. A hold or a refer makes a place in the review queue. A remove by the machine
gives the author a statement of reasons. The platform is told by the outbox whenever the verdict
is not *publish*. A post that is moved later, because it was edited or the rules changed, has its
entry on the audit log.

Refuses: to remove automatically a post that belongs to a demand or an event, or stands in a report
(charter, 2): a person looks at it. Refuses, too, to let an edit publish what was removed, or to let one
end the lane of a person in danger. These are written here and not in the policy, because they depend on
records and the policy is pure.

Neighbours: `intake` and `rescreen` bring outcomes; `review` continues with the tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from models import audit
from models.audit import Note
from models.base import new_id
from models.casework import EventPost
from models.database import Database
from models.demand import Demand, DemandMember
from models.event import ReportExample
from models.outbox import WebhookEndpoint, endpoints_of, tell_platform
from models.post import NewPost, Post, PostRevision
from models.prepared import Prepared
from models.review import Decision, ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import (
    CLAUSES,
    Category,
    DemandState,
    PostState,
    ReasonSource,
    TaskState,
    Topic,
    Verdict,
)
from moderation import statements, tallies
from moderation.pipeline import Outcome, Reason, Screener

STATE_OF: Final = MappingProxyType(
    {
        Verdict.PUBLISH: PostState.PUBLISHED,
        Verdict.HOLD: PostState.HELD,
        Verdict.REMOVE: PostState.REMOVED,
        Verdict.REFER: PostState.REFERRED,
    }
)

URGENCY: Final = MappingProxyType(
    {
        Category.SELF_HARM: 0,
        Category.THREAT: 1,
        Category.DOXXING: 2,
        Category.SEXUAL: 2,
        Category.SCAM: 3,
        Category.MALICIOUS_LINK: 3,
        Category.ILLEGAL_GOODS: 3,
        Category.HARASSMENT: 4,
        Category.HATE: 4,
        Category.SPAM: 5,
    }
)
LEAST_URGENT: Final = 5

DUE_AFTER: Final = (
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(hours=24),
)
"""How soon a person should have looked, by urgency."""

RULE_NAME: Final = 120


@dataclass(frozen=True, slots=True)
class Screened:
    """One outcome about the current revision of one post. A new post has no history yet."""

    post: Post | NewPost
    outcome: Outcome

    @property
    def fresh(self) -> bool:
        """Whether the post was just written, with the state that its outcome gives it."""
        return isinstance(self.post, NewPost)


def reason_document(reason: Reason) -> dict[str, Any]:
    """Return a reason as it stands in a record and in an answer."""
    return {
        "source": reason.source.value,
        "rule": reason.rule,
        "category": reason.category.value if reason.category else None,
        "clause": reason.clause,
        "spans": [[start, end] for start, end in reason.spans],
        "probability": reason.probability,
    }


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of `Screening` as it was just written. Making the record's own class costs a batch its time."""

    id: str
    post_id: str
    revision: int
    sequence: int
    verdict: Verdict
    category: Category | None
    reasons: list[dict[str, Any]]
    probabilities: dict[str, float]
    rulebook: str
    bundle: str | None
    policy: str
    screened_at: datetime

    def row(self) -> dict[str, Any]:
        """Return the columns."""
        return {name: getattr(self, name) for name in self.__slots__}


_Change = tuple[Screened, Recorded, PostState | None]
"""What was said about a post, its record, and the state before; None for a new post."""


def record(session: Session, post: Post, outcome: Outcome, *, now: datetime) -> Recorded:
    """Put one outcome about the current revision of `post` on record; see `record_many`."""
    return record_many(session, [Screened(post, outcome)], now=now)[0]


_INSERT: Final = Prepared(sa.insert(SQLModel.metadata.tables["screening"]))
_INSERT_TASKS: Final = Prepared(sa.insert(SQLModel.metadata.tables["reviewtask"]))
_NEW_TASK: Final = {
    name: field.default for name, field in ReviewTask.model_fields.items() if not field.is_required()
}


def record_many(session: Session, entries: Sequence[Screened], *, now: datetime) -> list[Recorded]:
    """Put outcomes on record, one per post, and do what follows from each.

    The posts are already in the session, and locked by the caller. A re-screening that comes to
    the same verdict leaves its row and nothing else, so that the queue keeps its order.
    """
    if not entries:
        return []
    known = _history(session, [entry.post.id for entry in entries if not entry.fresh])
    recorded: list[Recorded] = []
    changed: list[_Change] = []
    notes: list[Note] = []
    for entry in entries:
        post, outcome = entry.post, _bounded(entry, known)
        sequence = known.sequences.get((post.id, post.revision), 0) + 1
        recorded.append(_recorded(post, outcome, sequence, now))
        if isinstance(post, NewPost):
            if outcome.verdict is not Verdict.PUBLISH:
                changed.append((entry, recorded[-1], None))
            continue
        before = post.state, post.category
        post.state = STATE_OF[outcome.verdict]
        post.category = outcome.category if outcome.verdict is not Verdict.PUBLISH else None
        if before[0] is not post.state:
            notes.append(_note(post, recorded[-1], before[0]))
        if sequence == 1 or before != (post.state, post.category):
            changed.append((entry, recorded[-1], before[0]))
    session.flush()
    _INSERT.write(session.connection(), [screening.row() for screening in recorded])
    tallies.note(session, entries, now=now)
    if changed:
        _follow_each(session, changed, known, now=now)
    if notes:
        audit.record_all(session, now, notes)
    return recorded


def _note(post: Post, screening: Recorded, before: PostState) -> Note:
    """Return the entry for a post that a later screening moved: an edit, or rules that changed."""
    return Note(
        actor=f"machine:{screening.policy}",
        action="post.moved",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={
            "screening": screening.id,
            "revision": screening.revision,
            "from": before.value,
            "to": post.state.value,
        },
    )


def _recorded(post: Post | NewPost, outcome: Outcome, sequence: int, now: datetime) -> Recorded:
    return Recorded(
        id=new_id(),
        post_id=post.id,
        revision=post.revision,
        sequence=sequence,
        verdict=outcome.verdict,
        category=outcome.category,
        reasons=[reason_document(reason) for reason in outcome.reasons],
        probabilities={word.value: value for word, value in outcome.probabilities.items()},
        rulebook=outcome.rulebook,
        bundle=outcome.bundle,
        policy=outcome.policy,
        screened_at=now,
    )


@dataclass(frozen=True, slots=True)
class _History:
    """What is already on record about the posts of one call."""

    sequences: dict[tuple[str, int], int]
    open_tasks: dict[str, ReviewTask]
    heard: frozenset[str]
    """Posts that belong to a demand or an event, or stand in a report."""
    removed: frozenset[str]
    """Posts with a removal that still stands, of any revision."""
    conspicuous: dict[str, list[dict[str, Any]]]
    """The reasons by which posts are held for how they came; no screening of a text finds them again."""


def _history(session: Session, posts: Sequence[str]) -> _History:
    if not posts:
        return _History({}, {}, frozenset(), frozenset(), {})
    sequences = session.exec(
        select(Screening.post_id, Screening.revision, func.max(Screening.sequence))
        .where(col(Screening.post_id).in_(posts))
        .group_by(col(Screening.post_id), col(Screening.revision))
    ).all()
    tasks = session.exec(
        select(ReviewTask)
        .where(col(ReviewTask.post_id).in_(posts), col(ReviewTask.state) == TaskState.OPEN)
        .order_by(col(ReviewTask.id))
        .with_for_update()  # before any audit entry: whoever opens a task locks in this order too
    ).all()
    members = session.exec(
        select(DemandMember.post_id)
        .join(Demand, col(Demand.id) == col(DemandMember.demand_id))
        .where(col(DemandMember.post_id).in_(posts), col(Demand.state) != DemandState.REJECTED)
    ).all()
    examples = session.exec(select(ReportExample.post_id).where(col(ReportExample.post_id).in_(posts))).all()
    telling = session.exec(select(EventPost.post_id).where(col(EventPost.post_id).in_(posts))).all()
    removed = session.exec(
        select(Statement.post_id).where(
            col(Statement.post_id).in_(posts),
            col(Statement.restriction) == statements.REMOVED,
            col(Statement.withdrawn_at).is_(None),
        )
    ).all()
    return _History(
        sequences={(post, revision): sequence for post, revision, sequence in sequences},
        open_tasks={task.post_id: task for task in tasks},
        heard=frozenset(members) | frozenset(examples) | frozenset(telling),
        removed=frozenset(removed),
        conspicuous=_conspicuous(session, posts),
    )


def _conspicuous(session: Session, posts: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    held = session.exec(
        select(Screening.post_id, Screening.reasons)
        .join(Post, col(Post.id) == col(Screening.post_id))
        .where(col(Screening.post_id).in_(posts), col(Post.state) == PostState.HELD)
        .order_by(col(Screening.screened_at), col(Screening.id))
    ).all()
    return {
        post: reasons
        for post, found in held
        if (reasons := [reason for reason in found if reason["source"] == ReasonSource.BEHAVIOUR.value])
    }


def _bounded(entry: Screened, known: _History) -> Outcome:
    """Return the outcome within the bounds that records set to it."""
    post, outcome = entry.post, entry.outcome
    if outcome.verdict is Verdict.REMOVE and post.id in known.heard:
        return _because(outcome, Verdict.HOLD, outcome.category, "belongs-to-a-demand")
    if outcome.verdict is Verdict.PUBLISH and post.id in known.conspicuous:
        return _still_conspicuous(outcome, known.conspicuous[post.id])
    edited = not entry.fresh and (post.id, post.revision) not in known.sequences
    if not edited:
        return outcome
    task = known.open_tasks.get(post.id)
    in_danger = task is not None and task.category is Category.SELF_HARM
    if in_danger and outcome.verdict is not Verdict.REFER:
        return _because(outcome, Verdict.REFER, Category.SELF_HARM, "edit-of-a-referred-post")
    if outcome.verdict is Verdict.PUBLISH and post.id in known.removed:
        return _because(outcome, Verdict.HOLD, post.category, "edit-of-a-removed-post")
    return outcome


def _still_conspicuous(outcome: Outcome, reasons: Sequence[dict[str, Any]]) -> Outcome:
    """Return the outcome held on: how the post came has not changed with its text or with the rules on it."""
    kept = tuple(
        Reason(
            source=ReasonSource.BEHAVIOUR,
            rule=reason["rule"],
            category=Category(reason["category"]),
            clause=reason["clause"],
            spans=(),
            probability=None,
        )
        for reason in reasons
    )
    return replace(
        outcome, verdict=Verdict.HOLD, category=kept[0].category, reasons=(*outcome.reasons, *kept)
    )


def _because(outcome: Outcome, verdict: Verdict, category: Category | None, rule: str) -> Outcome:
    """Return the outcome with another verdict, and the reason for that."""
    reason = Reason(
        source=ReasonSource.POLICY,
        rule=rule,
        category=category,
        clause=CLAUSES[category].number if category else None,
        spans=(),
        probability=None,
    )
    return replace(outcome, verdict=verdict, category=category, reasons=(*outcome.reasons, reason))


def _follow_each(session: Session, changed: Sequence[_Change], known: _History, *, now: datetime) -> None:
    """Do what follows from verdicts that changed something."""
    platforms: dict[str, Sequence[WebhookEndpoint]] = {}
    tasks: list[dict[str, Any]] = []
    for entry, screening, state in changed:
        source = entry.post.source
        if source not in platforms:
            platforms[source] = endpoints_of(session, source)
        _follow(session, entry, screening, known, before=state, now=now, listeners=platforms[source])
        if screening.verdict in {Verdict.HOLD, Verdict.REFER}:
            tasks.append(open_task(entry.post, screening, now))
    session.flush()
    if tasks:
        _INSERT_TASKS.write(session.connection(), tasks)


def _follow(
    session: Session,
    entry: Screened,
    screening: Recorded,
    known: _History,
    *,
    before: PostState | None,
    now: datetime,
    listeners: Sequence[WebhookEndpoint],
) -> None:
    """Close the place in the queue; make the statement and the message that follow from a verdict."""
    post, verdict = entry.post, screening.verdict
    task = known.open_tasks.get(post.id)
    if task is not None:
        close(task, TaskState.WITHDRAWN, now)
    statement = None
    if isinstance(post, Post):
        ended = statements.HELD if verdict is Verdict.REMOVE else None
        statements.withdraw(session, post, now=now, restriction=ended)
    if verdict is Verdict.REMOVE and screening.category is not None:
        statement = _standing_or_new(session, post, screening, screening.category, now)
    if verdict is not Verdict.PUBLISH or before not in {None, PostState.PUBLISHED}:
        tell_platform(
            session,
            post.source,
            Topic.POST_SCREENED,
            post.id,
            payload=message(post, screening, statement=statement),
            now=now,
            occurrence=screening.id,
            endpoints=listeners,
        )


def _standing_or_new(
    session: Session, post: Post | NewPost, screening: Recorded, category: Category, now: datetime
) -> Statement:
    """Return the statement that already stands about this revision, or a new one."""
    standing = None
    if isinstance(post, Post):
        standing = session.exec(
            select(Statement).where(
                col(Statement.post_id) == post.id,
                col(Statement.revision) == post.revision,
                col(Statement.category) == category,
                col(Statement.restriction) == statements.REMOVED,
                col(Statement.withdrawn_at).is_(None),
            )
        ).first()
    return standing or statements.issue(
        session,
        post,
        screening,
        category=category,
        reason=CLAUSES[category].rule.zh,
        decision=None,
        now=now,
    )


def open_task(post: Post | NewPost, screening: Recorded, now: datetime) -> dict[str, Any]:
    """Return the row of a new place in the queue of the post's organisation."""
    category = Category.SELF_HARM if screening.verdict is Verdict.REFER else screening.category
    urgency = URGENCY[category] if category else LEAST_URGENT
    return _NEW_TASK | {
        "id": new_id(),
        "post_id": post.id,
        "screening_id": screening.id,
        "organisation": post.organisation,
        "category": category,
        "urgency": urgency,
        "lane": 0 if category is Category.SELF_HARM else 2,
        "rule": screening.reasons[0]["rule"][:RULE_NAME] if screening.reasons else None,
        "due_at": now + DUE_AFTER[urgency],
        "created_at": now,
    }


def close(task: ReviewTask, state: TaskState, now: datetime) -> None:
    """End a place in the queue."""
    task.state = state
    task.closed_at = now
    task.version += 1
    task.leased_by = task.leased_until = None


def message(post: Post | NewPost, screening: Recorded, *, statement: Statement | None) -> dict[str, Any]:
    """Return what the platform is told about a screening: identifiers and offsets, never a text."""
    return {
        "post": post.id,
        "source": post.source,
        "external_id": post.external_id,
        "revision": screening.revision,
        "verdict": screening.verdict.value,
        "state": post.state.value,
        "category": screening.category.value if screening.category else None,
        "clause": CLAUSES[screening.category].number if screening.category else None,
        "reasons": screening.reasons,
        "statement": statements.link(statement) if statement else None,
        "screened_at": screening.screened_at.isoformat(),
    }


@dataclass(frozen=True, slots=True)
class Rescreening:
    """What one round of re-screening did. `last` is where the next round goes on; None at the end."""

    screened: int
    changed: int
    last: str | None


def rescreen(
    database: Database, screener: Screener, *, now: datetime, after: str = "", limit: int = 500
) -> Rescreening:
    """Screen up to `limit` posts again with the present rules and models, in the order of their ids.

    A post whose current revision a person has decided about is left alone, and so is a deleted
    one. Safe to run twice.
    """
    untouched = (col(Post.state) != PostState.DELETED) & ~select(Decision.id).where(
        col(Decision.post_id) == col(Post.id), col(Decision.revision) == col(Post.revision)
    ).exists()
    with database.reading() as session:
        found = session.exec(
            select(Post.id, Post.revision, PostRevision.text)
            .join(
                PostRevision,
                (col(PostRevision.post_id) == col(Post.id))
                & (col(PostRevision.revision) == col(Post.revision)),
            )
            .where(col(Post.id) > after, col(PostRevision.text).is_not(None), untouched)
            .order_by(col(Post.id))
            .limit(limit)
        ).all()
    outcomes = screener.screen([text or "" for _, _, text in found])
    by_post = {
        post: (revision, outcome) for (post, revision, _), outcome in zip(found, outcomes, strict=True)
    }
    with database.transaction() as session:
        locked = session.exec(
            select(Post).where(col(Post.id).in_(by_post), untouched).order_by(col(Post.id)).with_for_update()
        ).all()
        entries = [
            Screened(post, by_post[post.id][1]) for post in locked if post.revision == by_post[post.id][0]
        ]
        before = [(post.state, post.category) for post in locked if post.revision == by_post[post.id][0]]
        record_many(session, entries, now=now)
        changed = sum(
            (entry.post.state, entry.post.category) != state
            for entry, state in zip(entries, before, strict=True)
        )
    return Rescreening(len(entries), changed, found[-1][0] if len(found) == limit else None)
