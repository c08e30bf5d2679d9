"""An author's objection to a removal or a long hold, and its decision by somebody else (charter, 4).

Whoever holds the statement's link may object once, within six months. The objection goes to the
queue of the post's organisation. A successful one restores the post and withdraws the statement, and
with it what it counted in the author's standing; it counts against the rule that erred, because the
statement names its screening; and it leaves a regression case, by reference alone.

Refuses: a decision by anybody who decided about the post before, or about an earlier objection; the
database refuses it as well.

Neighbours: `statements` holds what is objected to; `queue.within` bounds what an officer sees;
`fresh_looks` finds the decisions that a granted objection puts in doubt; `regression` asks the cases.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlmodel import Session, col, select

from models import audit
from models.errors import Conflict, Gone, InvalidInput, NotFound, NotPermitted
from models.organisation import within
from models.outbox import tell_platform
from models.post import Post, PostRevision
from models.quality import SecondReading
from models.review import Appeal, Decision, RegressionCase, ReviewTask, RuleOutcome, Statement
from models.screening import Screening
from models.vocabulary import AppealState, PostState, TaskState, Topic
from moderation import statements
from moderation.drafts import text_fault
from moderation.screening import close

TEXT_LIMIT: Final = 5_000
ANSWER_LIMIT: Final = 2_000
RESTRICTED: Final = MappingProxyType({statements.REMOVED: PostState.REMOVED, statements.HELD: PostState.HELD})
"""The state of a post that a reversal ends. One that a later decision brought about stands."""


@dataclass(frozen=True, slots=True)
class OpenAppeal:
    """One objection with what it is about. `may_decide` is false for whoever decided about the post."""

    appeal: Appeal
    statement: Statement
    post: Post
    text: str
    may_decide: bool


def _checked(value: str, field: str, limit: int) -> str:
    fault = text_fault(value, field, limit)
    if fault is not None:
        raise InvalidInput(f"{field.removeprefix('/')}: {fault.detail}", code=fault.code, field=field)
    return value.strip()


def submit(session: Session, token: str, text: str, *, now: datetime) -> Appeal:
    """Take an author's objection to the statement behind `token`.

    Raises
    ------
    InvalidInput
        If the text is empty, longer than 5,000 characters or not fit to be kept.
    NotFound
        If there is no such statement.
    Conflict
        `already_appealed`, `statement_withdrawn`, or `appeal_period_over`.
    Gone
        If the post was deleted meanwhile.
    """
    written = _checked(text, "/text", TEXT_LIMIT)
    statement = statements.find(session, token, lock=True)
    post = session.get_one(Post, statement.post_id)
    if post.state is PostState.DELETED:
        raise Gone("the post was deleted")
    if statement.withdrawn_at is not None:
        raise Conflict("the removal was withdrawn already", code="statement_withdrawn")
    if now > statement.appeal_until:
        raise Conflict("the time to object has passed", code="appeal_period_over")
    if session.exec(select(Appeal.id).where(col(Appeal.statement_id) == statement.id)).first():
        raise Conflict("there is an objection to this already", code="already_appealed")
    appeal = Appeal(
        statement_id=statement.id,
        organisation=post.organisation,
        text=written,
        original_decider=statement.decided_by,
        submitted_at=now,
    )
    session.add(appeal)
    session.flush()
    audit.record(
        session,
        now,
        actor="author",
        action="appeal.submitted",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={"appeal": appeal.id, "statement": statement.id},
    )
    return appeal


def waiting(
    session: Session, scope: Sequence[str], officer: str, *, limit: int = 50, offset: int = 0
) -> list[OpenAppeal]:
    """Return the open objections within the scope, oldest first. Those about deleted posts are over."""
    rows = session.exec(
        select(Appeal, Statement, Post, PostRevision)
        .join(Statement, col(Statement.id) == col(Appeal.statement_id))
        .join(Post, col(Post.id) == col(Statement.post_id))
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id))
            & (col(PostRevision.revision) == col(Statement.revision)),
        )
        .where(
            col(Appeal.state) == AppealState.OPEN,
            within(Appeal.organisation, scope),
            col(Post.state) != PostState.DELETED,
        )
        .order_by(col(Appeal.submitted_at), col(Appeal.id))
        .limit(limit)
        .offset(offset)
    )
    found = list(rows)
    decided = decided_before(session, [post.id for _, _, post, _ in found])
    return [
        OpenAppeal(
            appeal, statement, post, revision.text or "", may_decide=officer not in decided.get(post.id, ())
        )
        for appeal, statement, post, revision in found
    ]


def decided_before(session: Session, posts: Collection[str]) -> dict[str, set[str]]:
    """Return who has decided about each of these posts: in the queue, as a second, or about an objection."""
    deciders: dict[str, set[str]] = {}
    for rows in (
        session.exec(select(Decision.post_id, Decision.account_id).where(col(Decision.post_id).in_(posts))),
        session.exec(
            select(Statement.post_id, Statement.decided_by).where(
                col(Statement.post_id).in_(posts), col(Statement.decided_by).is_not(None)
            )
        ),
        session.exec(
            select(Statement.post_id, Appeal.decided_by)
            .join(Appeal, col(Appeal.statement_id) == col(Statement.id))
            .where(col(Statement.post_id).in_(posts), col(Appeal.decided_by).is_not(None))
        ),
        session.exec(
            select(SecondReading.post_id, SecondReading.asked_by).where(col(SecondReading.post_id).in_(posts))
        ),
        session.exec(
            select(SecondReading.post_id, SecondReading.decided_by).where(
                col(SecondReading.post_id).in_(posts)
            )
        ),
    ):
        for post, account in rows:
            if account is not None:
                deciders.setdefault(post, set()).add(account)
    return deciders


def note_looks(session: Session, found: Sequence[OpenAppeal], *, actor: str, now: datetime) -> None:
    """Put on the audit log that somebody saw the posts that these objections are about."""
    for one in found:
        audit.record(
            session,
            now,
            actor=actor,
            action="post.viewed",
            subject=f"post:{one.post.id}",
            organisation=one.post.organisation,
            details={"appeal": one.appeal.id, "revision": one.statement.revision},
        )


def decide(
    session: Session,
    appeal_id: str,
    officer: str,
    outcome: AppealState,
    *,
    answer: str,
    scope: Sequence[str],
    now: datetime,
) -> Appeal:
    """Uphold the removal or reverse it, with an answer to the author.

    A reversal publishes the post if the removed revision is still the current one, and withdraws
    the statement. `officer` is the id of the account.

    Raises
    ------
    NotFound
        If there is no such objection within the scope.
    NotPermitted
        `same_person`, if this officer decided about the post before.
    Conflict
        If it is decided already.
    Gone
        If the post was deleted meanwhile.
    InvalidInput
        If the outcome is not one, or the answer is empty.
    """
    if outcome is AppealState.OPEN:
        raise InvalidInput("uphold or reverse", code="unknown_word", field="/outcome")
    written = _checked(answer, "/answer", ANSWER_LIMIT)
    post = _locked_post(session, appeal_id, scope)
    appeal = session.exec(
        select(Appeal)
        .where(col(Appeal.id) == appeal_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    statement = session.get_one(Statement, appeal.statement_id)
    if post.state is PostState.DELETED:
        raise Gone("the post was deleted")
    if appeal.state is not AppealState.OPEN:
        raise Conflict("the objection is decided", code="appeal_closed", state=appeal.state.value)
    if officer in decided_before(session, [post.id]).get(post.id, ()):
        raise NotPermitted("somebody who has not decided about this post decides", code="same_person")
    appeal.state, appeal.answer = outcome, written
    appeal.decided_by, appeal.decided_at = officer, now
    if outcome is AppealState.REVERSED:
        statement.withdrawn_at = now
        count_against(session, statement)
        _add_case(session, appeal, statement, now)
        if post.revision == statement.revision and post.state is RESTRICTED[statement.restriction]:
            post.state, post.category = PostState.PUBLISHED, None
            post.version += 1
            _leave_the_queue(session, post, now)
    session.add_all([appeal, statement, post])
    session.flush()
    _tell(session, appeal, statement, post, now)
    return appeal


def count_against(session: Session, statement: Statement) -> None:
    """Let a restriction that was taken back count against every reason of the decision."""
    for outcome in session.exec(
        select(RuleOutcome).where(col(RuleOutcome.decision_id) == statement.decision_id)
    ).all():
        outcome.upheld = False
        session.add(outcome)


def _add_case(session: Session, appeal: Appeal, statement: Statement, now: datetime) -> None:
    """Leave a regression case: the post, by reference, and the rules that erred on it."""
    known = session.exec(
        select(RegressionCase.id).where(
            col(RegressionCase.post_id) == statement.post_id,
            col(RegressionCase.revision) == statement.revision,
        )
    ).first()
    if known is not None:
        return
    reasons = session.get_one(Screening, statement.screening_id).reasons
    session.add(
        RegressionCase(
            appeal_id=appeal.id,
            post_id=statement.post_id,
            revision=statement.revision,
            category=statement.category,
            rules=sorted({str(reason["rule"]) for reason in reasons if reason.get("rule")}),
            added_at=now,
        )
    )


def _leave_the_queue(session: Session, post: Post, now: datetime) -> None:
    """End the place in the queue of a post that was held and is up again."""
    for task in session.exec(
        select(ReviewTask)
        .where(col(ReviewTask.post_id) == post.id, col(ReviewTask.state) == TaskState.OPEN)
        .with_for_update()
    ).all():
        close(task, TaskState.WITHDRAWN, now)
        session.add(task)


def _locked_post(session: Session, appeal_id: str, scope: Sequence[str]) -> Post:
    """Return the post that an objection is about, with its row locked."""
    post_id = session.exec(
        select(Statement.post_id)
        .join(Appeal, col(Appeal.statement_id) == col(Statement.id))
        .where(col(Appeal.id) == appeal_id, within(Appeal.organisation, scope))
    ).first()
    if post_id is None:
        raise NotFound("there is no such objection")
    return session.exec(
        select(Post)
        .where(col(Post.id) == post_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _tell(session: Session, appeal: Appeal, statement: Statement, post: Post, now: datetime) -> None:
    audit.record(
        session,
        now,
        actor=f"account:{appeal.decided_by}",
        action="appeal.decided",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={"appeal": appeal.id, "statement": statement.id, "outcome": appeal.state.value},
    )
    tell_platform(
        session,
        post.source,
        Topic.APPEAL_DECIDED,
        post.id,
        payload={
            "post": post.id,
            "source": post.source,
            "external_id": post.external_id,
            "revision": statement.revision,
            "outcome": appeal.state.value,
            "state": post.state.value,
            "category": statement.category.value if statement.category else None,
            "clause": statements.clause_of(statement.category),
            "statement": statements.link(statement),
            "decided_at": now.isoformat(),
        },
        now=now,
        occurrence=appeal.id,
    )
    session.flush()
