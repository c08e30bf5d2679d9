"""What an officer does with demands: list them, confirm or reject a post, rename, reject the whole.

Every act is recorded in the audit log. What is said about a post is a fact that later runs keep: a
post that was rejected never comes back to that demand, one that was confirmed stays.

It refuses to take the last word from a verified demand: its event has gone up, and lives on there.

Neighbours: `grouping` obeys the facts; `alerts` verifies; the console calls these.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, delete, select

from models.audit import record
from models.demand import Demand, DemandFact, DemandMember
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion
from models.organisation import under
from models.vocabulary import DemandState
from sentiment.demand.grouping import recount
from sentiment.demand.naming import LONGEST_TITLE
from sentiment.settings import SentimentSettings


def list_demands(
    session: Session,
    organisation: str,
    *,
    states: Sequence[DemandState] = (DemandState.PROPOSED, DemandState.VERIFIED),
    limit: int = 100,
) -> list[Demand]:
    """Return the demands at `organisation` and under it, the most recently voiced first."""
    query = (
        select(Demand)
        .where(under(col(Demand.organisation), organisation), col(Demand.state).in_(states))
        .where(col(Demand.merged_into).is_(None))
        .order_by(col(Demand.last_posted_at).desc(), col(Demand.id))
        .limit(limit)
    )
    return list(session.exec(query))


def _open(session: Session, demand_id: str, version: int | None = None) -> Demand:
    demand = session.exec(select(Demand).where(Demand.id == demand_id).with_for_update()).first()
    if demand is None:
        raise NotFound("no such demand")
    if version is not None and demand.version != version:
        raise StaleVersion("the demand was changed meanwhile", version=demand.version)
    return demand


def _say(
    session: Session, demand: Demand, post_id: str, *, belongs: bool, actor: str, reason: str, now: datetime
) -> None:
    """Put a fact on record, in place of what was said before about the same post and demand."""
    session.execute(
        delete(DemandFact).where(col(DemandFact.demand_id) == demand.id, col(DemandFact.post_id) == post_id)
    )
    session.add(
        DemandFact(
            demand_id=demand.id,
            post_id=post_id,
            belongs=belongs,
            reason=reason,
            decided_by=actor,
            decided_at=now,
        )
    )
    demand.version += 1
    record(
        session,
        now,
        actor=actor,
        action="demand.post_confirmed" if belongs else "demand.post_rejected",
        subject=demand.id,
        organisation=demand.organisation,
        details={"post": post_id},
    )


def _member(session: Session, demand: Demand, post_id: str) -> DemandMember:
    member = session.exec(
        select(DemandMember).where(DemandMember.demand_id == demand.id, DemandMember.post_id == post_id)
    ).first()
    if member is None:
        raise NotFound("the post is not in this demand")
    return member


def confirm_member(
    session: Session, demand_id: str, post_id: str, *, actor: str, now: datetime, reason: str = ""
) -> Demand:
    """Say that a post belongs to the demand it stands in."""
    demand = _open(session, demand_id)
    _member(session, demand, post_id)
    _say(session, demand, post_id, belongs=True, actor=actor, reason=reason, now=now)
    return demand


def remove_member(
    session: Session,
    demand_id: str,
    post_id: str,
    settings: SentimentSettings,
    *,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Demand:
    """Say that a post does not belong, and take it out; the demand is counted anew."""
    demand = _open(session, demand_id)
    session.delete(_member(session, demand, post_id))
    _say(session, demand, post_id, belongs=False, actor=actor, reason=reason, now=now)
    session.flush()
    recount(session, demand, settings, now)
    demand.recount_due = True  # The words of its title are made anew by the next run.
    return demand


def rename(
    session: Session, demand_id: str, title: str, *, actor: str, now: datetime, version: int | None = None
) -> Demand:
    """Give a demand a title that no later run overwrites."""
    words = " ".join(title.split())
    if not 1 <= len(words) <= LONGEST_TITLE:
        raise InvalidInput(f"a title has 1 to {LONGEST_TITLE} characters", field="/title")
    demand = _open(session, demand_id, version)
    demand.title, demand.titled_by = words, actor
    demand.version += 1
    record(
        session,
        now,
        actor=actor,
        action="demand.renamed",
        subject=demand.id,
        organisation=demand.organisation,
    )
    session.add(demand)
    return demand


def reject(
    session: Session, demand_id: str, reason: str, *, actor: str, now: datetime, version: int | None = None
) -> Demand:
    """Say that a proposed demand is none; its posts stay with it and propose nothing again."""
    if not reason.strip():
        raise InvalidInput("a rejection needs its reason", field="/reason")
    demand = _open(session, demand_id, version)
    if demand.state not in {DemandState.GATHERING, DemandState.PROPOSED}:
        raise Conflict("only a demand that was not verified can be rejected")
    demand.state, demand.rejected_reason = DemandState.REJECTED, reason
    demand.version += 1
    record(
        session,
        now,
        actor=actor,
        action="demand.rejected",
        subject=demand.id,
        organisation=demand.organisation,
    )
    session.add(demand)
    return demand
