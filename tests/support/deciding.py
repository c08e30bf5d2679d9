"""Decisions and objections for tests, as officers and authors make them, without a queue in between."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from models.post import Post
from models.review import Appeal, Decision, Statement
from models.screening import Screening
from models.vocabulary import Action, AppealState, Category
from tests.support.posting import OFFICER


def decide(
    session: Session,
    post_id: str,
    action: Action,
    now: datetime,
    *,
    category: Category | None = Category.SPAM,
    **given: Any,
) -> Decision:
    """Put an officer's decision about the newest screening of a post on record."""
    screening = newest(session, post_id)
    decision = Decision(
        post_id=post_id,
        revision=screening.revision,
        screening_id=screening.id,
        account_id=OFFICER,
        action=action,
        category=category if action is Action.REMOVE else None,
        reason="a test",
        machine_verdict=screening.verdict,
        decided_at=now,
        **given,
    )
    session.add(decision)
    session.flush()
    return decision


def newest(session: Session, post_id: str) -> Screening:
    """Return the newest screening of a post."""
    found = session.exec(
        select(Screening).where(col(Screening.post_id) == post_id).order_by(col(Screening.sequence).desc())
    ).first()
    assert found is not None
    return found


def object_to(
    session: Session, post_id: str, outcome: AppealState, now: datetime, *, decision: Decision | None = None
) -> Appeal:
    """Put an objection to a removal on record, decided already."""
    screening = newest(session, post_id)
    post = session.get_one(Post, post_id)
    statement = Statement(
        token=f"token-{post_id}",
        post_id=post_id,
        revision=screening.revision,
        screening_id=screening.id,
        decision_id=decision.id if decision else None,
        category=Category.SPAM,
        restriction="removed",
        reason="a test",
        automated_detection=True,
        automated_decision=decision is None,
        issued_at=now,
        appeal_until=now + timedelta(days=180),
    )
    session.add(statement)
    session.flush()
    appeal = Appeal(
        statement_id=statement.id,
        organisation=post.organisation,
        state=outcome,
        submitted_at=now,
        decided_at=now,
    )
    session.add(appeal)
    session.flush()
    return appeal
