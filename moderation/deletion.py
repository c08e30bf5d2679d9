"""Delete a post wherever it has come to (charter, 10), and leave the proof that it was done.

The text goes from every revision, with the reading and its vector, the sighting, the place in a demand,
the examples in reports, the author's hash, the objection and the messages still waiting. What stays
is a row without content, the verdicts' figures, and a `PostDeletion` with keyed fingerprints and
the number of rows reached in each table.

The rooms meet through records: this module reaches into all of them, and calls none.

Refuses: nothing. A second deletion answers with the proof of the first.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from models import audit
from models.casework import CaseConsent, EventPost
from models.demand import Demand, DemandMember
from models.errors import NotFound
from models.event import Case, ReportExample
from models.organisation import reaches
from models.outbox import OutboxMessage
from models.post import Post, PostDeletion, PostRevision
from models.quality import UserReport
from models.reading import Reading
from models.review import Appeal, FreshLook, RegressionCase, ReviewTask, Statement, TaskLikeness
from models.sighting import SightingRow
from models.threshold import threshold_for
from models.vocabulary import DOMAIN_WORDS, DemandState, MessageState, PostState, TaskState, Topic
from moderation.drafts import can_be_key

PEOPLE: Final = 2
"""People who must use a word before a demand is named by it, here as in the grouping."""

IN_TITLE: Final = 4


def delete(
    session: Session,
    source: str,
    external_id: str,
    *,
    scope: Sequence[str] | None,
    deleted_by: str,
    now: datetime,
) -> PostDeletion:
    """Delete a post on the word of its platform; return the proof.

    `deleted_by` is the actor of the audit log. `scope` None reaches every place.

    Raises
    ------
    NotFound
        If there is no such post within the scope.
    """
    if not (can_be_key(source) and can_be_key(external_id)):
        raise NotFound("there is no such post")
    post = session.exec(
        select(Post)
        .where(col(Post.source) == source, col(Post.external_id) == external_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if post is None or (scope is not None and not reaches(scope, post.organisation)):
        raise NotFound("there is no such post")
    earlier = session.exec(
        select(PostDeletion).where(
            col(PostDeletion.source) == source, col(PostDeletion.external_id) == external_id
        )
    ).first()
    if earlier is not None:
        return earlier
    fingerprints = session.exec(
        select(PostRevision.fingerprint)
        .where(col(PostRevision.post_id) == post.id)
        .order_by(col(PostRevision.revision))
    ).all()
    reached = _reach(session, post, now)
    proof = PostDeletion(
        source=source,
        external_id=external_id,
        post_id=post.id,
        fingerprints=list(fingerprints),
        reached=reached,
        deleted_by=deleted_by,
        deleted_at=now,
    )
    post.state, post.category = PostState.DELETED, None
    post.author, post.place, post.parent, post.likes = "", None, None, 0
    post.version += 1
    session.add_all([proof, post])
    session.flush()
    audit.record(
        session,
        now,
        actor=deleted_by,
        action="post.deleted",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={"reached": reached},
    )
    return proof


def _reach(session: Session, post: Post, now: datetime) -> dict[str, int]:
    """Empty every copy; return how many rows were reached in each table."""
    own_statements = select(Statement.id).where(col(Statement.post_id) == post.id)
    tasks = _change(
        session,
        ReviewTask,
        (col(ReviewTask.post_id) == post.id) & (col(ReviewTask.state) == TaskState.OPEN),
        state=TaskState.WITHDRAWN,
        closed_at=now,
        leased_by=None,
        leased_until=None,
        version=col(ReviewTask.version) + 1,
    )
    revisions = _change(session, PostRevision, col(PostRevision.post_id) == post.id, text=None)
    appeals = _change(session, Appeal, col(Appeal.statement_id).in_(own_statements), text=None, answer=None)
    passages = _change(session, Statement, col(Statement.post_id) == post.id, passages=[])
    examples = _change(session, ReportExample, col(ReportExample.post_id) == post.id, text=None)
    _change(session, UserReport, col(UserReport.post_id) == post.id, text=None, reporter=None, digest=None)
    session.execute(sa.delete(SightingRow).where(col(SightingRow.post_id) == post.id))
    session.execute(sa.delete(TaskLikeness).where(col(TaskLikeness.post_id) == post.id))
    session.execute(sa.delete(RegressionCase).where(col(RegressionCase.post_id) == post.id))
    session.execute(sa.delete(FreshLook).where(col(FreshLook.post_id) == post.id))
    session.execute(sa.delete(EventPost).where(col(EventPost.post_id) == post.id))
    _change(session, ReviewTask, col(ReviewTask.post_id) == post.id, copy_of=None)
    readings = session.execute(sa.delete(Reading).where(col(Reading.post_id) == post.id))
    messages = _change(
        session,
        OutboxMessage,
        (col(OutboxMessage.subject_id) == post.id) & (col(OutboxMessage.state) == MessageState.PENDING),
        state=MessageState.WITHDRAWN,
        settled_at=now,
        lease=None,
        leased_until=None,
    )
    return {
        "revisions": revisions,
        "readings": _count(readings),
        "demands": _leave_demands(session, post),
        "consents": _leave_cases(session, post, now),
        "report_examples": examples,
        "review_tasks": tasks,
        "statements": passages,
        "appeals": appeals,
        "messages": messages,
    }


def _change(
    session: Session,
    table: type[SQLModel],
    which: sa.ColumnElement[bool],
    **values: Any,  # noqa: ANN401 - columns' values
) -> int:
    return _count(
        session.execute(
            sa.update(table).where(which).values(**values), execution_options={"synchronize_session": "fetch"}
        )
    )


def _count(result: Any) -> int:  # noqa: ANN401 - a cursor result
    return int(result.rowcount)


def _leave_cases(session: Session, post: Post, now: datetime) -> int:
    """Take back what the author let a help case about this post pass on; return how many words of theirs.

    The case goes on with the officers' own words. A name that waits in the outbox does not leave, and one
    that has left is emptied.
    """
    own = select(Case.id).where(col(Case.post_id) == post.id)
    for message in session.exec(
        select(OutboxMessage)
        .where(col(OutboxMessage.subject_id).in_(own), col(OutboxMessage.topic) == Topic.CASE_SHARED)
        .with_for_update()
    ):
        message.payload = {**message.payload, "shared": {}}
        if message.state is MessageState.PENDING:
            message.state, message.settled_at, message.lease = MessageState.WITHDRAWN, now, None
        session.add(message)
    session.flush()
    return _change(
        session,
        CaseConsent,
        col(CaseConsent.case_id).in_(own) & col(CaseConsent.value).is_not(None),
        value=None,
        revoked_at=now,
    )


def _leave_demands(session: Session, post: Post) -> int:
    """Take the post out of its demand and count the demand's posts and authors anew.

    A proposed demand that fewer people than needed still voice goes back to gathering at once
    (charter, 5). Words that were this post's leave the demand at once; the next run of the grouping
    finds better ones.
    """
    member = session.exec(select(DemandMember).where(col(DemandMember.post_id) == post.id)).first()
    if member is None:
        return 0
    session.delete(member)
    session.flush()
    demand = session.exec(
        select(Demand)
        .where(col(Demand.id) == member.demand_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    posts, authors = session.exec(
        select(func.count(), func.count(sa.distinct(col(Post.author))))
        .select_from(DemandMember)
        .join(Post, col(Post.id) == col(DemandMember.post_id))
        .where(col(DemandMember.demand_id) == demand.id, col(Post.state) == PostState.PUBLISHED)
    ).one()
    authors = max(0, authors - demand.in_concert)  # Accounts in concert were folded to one voice each.
    demand.posts, demand.authors, demand.recount_due = posts, authors, True
    if demand.state is DemandState.PROPOSED and authors < threshold_for(session, demand.organisation).k:
        demand.state, demand.tenth_author_at = DemandState.GATHERING, None
    _forget_words(session, demand)
    demand.version += 1
    session.add(demand)
    session.flush()
    return 1


def _forget_words(session: Session, demand: Demand) -> None:
    """Drop the words of a demand that fewer than two of its people still use, from its title as well.

    A verified demand keeps its title: an officer wrote or checked it, and it went up.
    """
    said = (
        select(func.count(sa.distinct(col(Post.author))))
        .select_from(DemandMember)
        .join(Post, col(Post.id) == col(DemandMember.post_id))
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id)) & (col(PostRevision.revision) == col(Post.revision)),
        )
        .where(col(DemandMember.demand_id) == demand.id, col(Post.state) == PostState.PUBLISHED)
    )
    kept = [
        term
        for term in demand.terms
        if session.exec(said.where(col(PostRevision.text).contains(term, autoescape=True))).one() >= PEOPLE
    ]
    gone = [term for term in demand.terms if term not in kept]
    demand.terms = kept
    checked = demand.state in {DemandState.VERIFIED, DemandState.CLOSED}
    if not checked and any(term in demand.title for term in gone):
        demand.title = "、".join(kept[:IN_TITLE]) or DOMAIN_WORDS[demand.domain].zh
