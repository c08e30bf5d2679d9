"""What an officer rules about a post, and all that is done once nothing speaks against it.

A decision is put on record with what the machine had said and with what it changed, so that it can be
undone; the reasons that it bears out are counted, readers' reports answered, the author and the platform
told, and the audit log has it. For many posts it is asked and written for all at once, and each keeps its own
record, reason and statement.

Refuses: a removal without a harm of the closed list or without a reason. Whether a ruling may be made at all
(whose hands, which version, a second officer, a sample) was asked before.

Neighbours: `review` asks whether it may be made, `confirming` has a second officer's word, `undo` takes back.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlmodel import Session, col, select

from models import audit
from models.audit import Note
from models.base import Record
from models.errors import InvalidInput
from models.outbox import endpoints_of, tell_platform
from models.post import Post
from models.review import Decision, ReviewTask, RuleOutcome, Statement
from models.screening import Screening
from models.vocabulary import CLAUSES, HARMS, Action, Category, PostState, TaskState, Topic
from moderation import reports, statements
from moderation.drafts import text_fault
from moderation.outcomes import Judgement, subject_of
from moderation.screening import close
from moderation.statements import Restricted

Row = TypeVar("Row", bound=Record)

REASON_LIMIT: Final = 2_000

STATE_AFTER: Final = {
    Action.PUBLISH: PostState.PUBLISHED,
    Action.REMOVE: PostState.REMOVED,
    Action.REFER: PostState.REFERRED,
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an officer decides: the action, for a removal the harm, and the reason that the author reads.

    Raises
    ------
    InvalidInput
        If a removal names no harm or no reason, or the reason is not fit to be shown.
    """

    action: Action
    category: Category | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.action is Action.REMOVE and self.category not in HARMS:
            raise InvalidInput("a removal names a category of harm", code="required", field="/category")
        if self.reason.strip() or self.action is Action.REMOVE:
            fault = text_fault(self.reason, "/reason", REASON_LIMIT)
            if fault is not None:
                raise InvalidInput(f"reason: {fault.detail}", code=fault.code, field=fault.field)

    @property
    def recorded(self) -> Category | None:
        """The category that goes on record: the harm of a removal, self-harm for a referral."""
        if self.action is Action.REFER:
            return Category.SELF_HARM
        return self.category if self.action is Action.REMOVE else None


def carry_out(
    session: Session,
    task: ReviewTask,
    officer: str,
    ruling: Ruling,
    *,
    now: datetime,
    leaves_at: datetime,
    batch: str | None = None,
    second: str | None = None,
) -> Decision:
    """Put a decision on record and do what follows from it. Whether it may be made was asked before.

    `second` names the confirmation by another officer, where one was needed.
    """
    (decision,) = carry_out_all(
        session, [task], officer, ruling, now=now, leaves_at=leaves_at, batch=batch, second=second
    )
    return decision


def carry_out_all(
    session: Session,
    tasks: Sequence[ReviewTask],
    officer: str,
    ruling: Ruling,
    *,
    now: datetime,
    leaves_at: datetime,
    batch: str | None = None,
    second: str | None = None,
) -> list[Decision]:
    """Carry one ruling out about several tasks, as `carry_out` does about one: a record of its own for each.

    What is asked and written is asked and written for all at once, however many there are.
    """
    if not tasks:
        return []
    posts = _by_id(session, Post, [task.post_id for task in tasks])
    screenings = _by_id(session, Screening, [task.screening_id for task in tasks])
    removal = ruling.action is Action.REMOVE
    withdrawn: defaultdict[str, list[str]] = defaultdict(list)
    for statement in statements.withdraw_all(
        session, list(posts.values()), now=leaves_at, restriction=statements.HELD if removal else None
    ):
        withdrawn[statement.post_id].append(statement.id)
    made: list[Made] = []
    for task in tasks:
        post, screening = posts[task.post_id], screenings[task.screening_id]
        decision = Decision(
            task_id=task.id,
            post_id=post.id,
            revision=screening.revision,
            screening_id=screening.id,
            account_id=officer,
            action=ruling.action,
            category=ruling.recorded,
            reason=ruling.reason.strip(),
            machine_verdict=screening.verdict,
            decided_at=now,
            batch=batch,
            leaves_at=leaves_at,
            second=second,
            before={
                "state": post.state.value,
                "category": post.category.value if post.category else None,
                "post_version": post.version,
                "withdrawn": withdrawn[post.id],
            },
        )
        close(task, TaskState.DECIDED, now)
        post.state, post.category = STATE_AFTER[ruling.action], decision.category
        post.version += 1
        session.add_all([decision, task, post])
        made.append(Made(decision, post, screening))
    session.flush()
    for one in made:
        _count(session, one.decision, one.screening)
    reported = reports.reported_among(session, list(posts))
    for one in made:
        if one.post.id in reported:
            reports.settle(session, one.post, one.decision, now=now)
    _tell(session, made, ruling, now=now, leaves_at=leaves_at)
    return [one.decision for one in made]


@dataclass(frozen=True, slots=True)
class Made:
    """A decision with what it is about."""

    decision: Decision
    post: Post
    screening: Screening


def _by_id(session: Session, table: type[Row], ids: Sequence[str]) -> dict[str, Row]:
    """Return rows by their ids; those that are in the session already come as they are there."""
    return {row.id: row for row in session.exec(select(table).where(col(table.id).in_(ids)))}


def _count(session: Session, decision: Decision, screening: Screening) -> None:
    """Put on record which of the machine's reasons the decision bears out, and which it does not."""
    judged = Judgement(
        decision.post_id, decision.revision, decision.action, decision.category, tuple(screening.reasons)
    )
    for subject, category in {
        (subject, reason["category"])
        for reason in judged.reasons
        if (subject := subject_of(reason)) is not None
    }:
        right = judged.is_right(Category(category))
        if right is not None:
            session.add(
                RuleOutcome(
                    rule=subject[:200],
                    decision_id=decision.id,
                    upheld=right,
                    decided_at=decision.decided_at,
                )
            )


def _tell(
    session: Session, made: Sequence[Made], ruling: Ruling, *, now: datetime, leaves_at: datetime
) -> None:
    """Tell the authors of what was removed, the audit log and the platforms."""
    listeners = {source: endpoints_of(session, source) for source in {one.post.source for one in made}}
    stated: dict[str, Statement] = {}
    if ruling.action is Action.REMOVE and ruling.category is not None:
        issued = statements.issue_all(
            session,
            [Restricted(one.post, one.screening, one.decision) for one in made],
            category=ruling.category,
            reason=ruling.reason.strip(),
            now=now,
            leaves_at=leaves_at,
            listeners=listeners,
        )
        stated = {one.post_id: one for one in issued}
    audit.record_all(session, now, [_note(one.decision, one.post) for one in made])
    for one in made:
        tell_platform(
            session,
            one.post.source,
            Topic.POST_DECIDED,
            one.post.id,
            payload=_message(one.decision, one.post, stated.get(one.post.id)),
            now=now,
            occurrence=one.decision.id,
            due_at=one.decision.leaves_at,
            endpoints=listeners[one.post.source],
        )
    session.flush()


def _note(decision: Decision, post: Post) -> Note:
    return Note(
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
        }
        | ({"batch": decision.batch} if decision.batch else {})
        | ({"second_reading": decision.second} if decision.second else {}),
    )


def _message(decision: Decision, post: Post, statement: Statement | None) -> dict[str, Any]:
    """Return what the platform is told about a decision."""
    return {
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
    }
