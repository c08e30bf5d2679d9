"""An officer's decision about one post in the queue.

A publish restores what was held. A remove names a category of the closed list and a reason, and
the author is told. A refer hands a person in danger to people who help; the post stays up. Each
decision is on record with what the machine had said, in the audit log, and told to the platform.

Refuses: to decide twice, over somebody else's lease, or about a version that the officer did not
see.

Neighbours: `queue` finds and leases; `statements` tells the author; `appeals` is the way back.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import Session

from models import audit
from models.errors import InvalidInput, StaleVersion
from models.outbox import tell_platform
from models.post import Post
from models.review import Decision, Statement
from models.screening import Screening
from models.vocabulary import CLAUSES, HARMS, Action, Category, PostState, TaskState, Topic
from moderation import queue, statements
from moderation.drafts import text_fault
from moderation.screening import close

REASON_LIMIT: Final = 2_000

STATE_AFTER: Final = {
    Action.PUBLISH: PostState.PUBLISHED,
    Action.REMOVE: PostState.REMOVED,
    Action.REFER: PostState.REFERRED,
}


def decide(
    session: Session,
    task_id: str,
    officer: str,
    action: Action,
    *,
    version: int,
    scope: Sequence[str],
    now: datetime,
    category: Category | None = None,
    reason: str = "",
) -> Decision:
    """Decide about one waiting post.

    `officer` is the id of the account; `version` is the task's version that the officer saw.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    InvalidInput
        If a removal names no harm or no reason, or the reason is not fit to be shown.
    Conflict
        If the task is over (`task_closed`) or in somebody else's hands (`task_leased`).
    StaleVersion
        If the task changed since the officer saw it.
    """
    _check(action, category, reason)
    task = queue.locked(session, task_id, scope)
    queue.refuse_unless_free(task, officer, now)
    if task.version != version:
        raise StaleVersion("the task changed since you opened it", field="/version", current=task.version)
    post = session.get_one(Post, task.post_id)
    screening = session.get_one(Screening, task.screening_id)
    decision = Decision(
        task_id=task.id,
        post_id=post.id,
        revision=screening.revision,
        screening_id=screening.id,
        account_id=officer,
        action=action,
        category=_category(action, category),
        reason=reason.strip(),
        machine_verdict=screening.verdict,
        decided_at=now,
    )
    session.add(decision)
    close(task, TaskState.DECIDED, now)
    post.state, post.category = STATE_AFTER[action], decision.category
    post.version += 1
    session.add_all([task, post])
    session.flush()
    statement = None
    statements.withdraw(
        session, post, now=now, restriction=statements.HELD if action is Action.REMOVE else None
    )
    if action is Action.REMOVE and category is not None:
        statement = statements.issue(
            session,
            post,
            screening,
            category=category,
            reason=decision.reason,
            decision=decision,
            now=now,
        )
    _tell(session, post, decision, statement, now)
    return decision


def _check(action: Action, category: Category | None, reason: str) -> None:
    if action is Action.REMOVE and category not in HARMS:
        raise InvalidInput("a removal names a category of harm", code="required", field="/category")
    if reason.strip() or action is Action.REMOVE:
        fault = text_fault(reason, "/reason", REASON_LIMIT)
        if fault is not None:
            raise InvalidInput(f"reason: {fault.detail}", code=fault.code, field=fault.field)


def _category(action: Action, category: Category | None) -> Category | None:
    if action is Action.REFER:
        return Category.SELF_HARM
    return category if action is Action.REMOVE else None


def _tell(
    session: Session, post: Post, decision: Decision, statement: Statement | None, now: datetime
) -> None:
    audit.record(
        session,
        now,
        actor=f"account:{decision.account_id}",
        action="post.decided",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={
            "decision": decision.id,
            "action": decision.action.value,
            "category": decision.category.value if decision.category else None,
            "revision": decision.revision,
            "machine_verdict": decision.machine_verdict.value,
        },
    )
    tell_platform(
        session,
        post.source,
        Topic.POST_DECIDED,
        post.id,
        payload={
            "post": post.id,
            "source": post.source,
            "external_id": post.external_id,
            "revision": decision.revision,
            "action": decision.action.value,
            "state": post.state.value,
            "category": decision.category.value if decision.category else None,
            "clause": CLAUSES[decision.category].number if decision.category else None,
            "passages": statement.passages if statement else [],
            "statement": statements.link(statement) if statement else None,
            "decided_at": decision.decided_at.isoformat(),
        },
        now=now,
        occurrence=decision.id,
    )
    session.flush()
