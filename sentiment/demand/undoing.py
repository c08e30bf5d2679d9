"""Take back what a person did with demands, by another act on record.

For 30 seconds always; after that until the next run of the grouping has worked with it; never once
another act was built on it. What stood before is put back: the facts that gave way, the places of
the posts that are still published, the titles, the voices. What was told stays in the audit log.

Neighbours: `corrections` does what is taken back here, and keeps what stood before.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import new_id
from models.correction import DemandCorrection, DemandVoice
from models.demand import Demand, DemandFact, DemandMember
from models.errors import Conflict, NotFound
from models.post import Post
from models.reading import Reading
from models.vocabulary import CorrectionKind, DemandState, PostState
from sentiment.demand.corrections import Hand, log, stand
from sentiment.demand.grouping import recount


def may_undo(session: Session, correction: DemandCorrection, now: datetime) -> bool:
    """Return whether an act can still be taken back.

    For 30 s always; after that as long as no run of the grouping has worked with it. Never once
    another act has built on it.
    """
    if correction.undone_at is not None or correction.kind is CorrectionKind.UNDO:
        return False
    if _built_on(session, correction):
        return False
    if now < correction.undo_until:
        return True
    ran = session.exec(
        select(Reading.id).where(col(Reading.clustered_at) > correction.made_at).limit(1)
    ).first()
    return ran is None


def _built_on(session: Session, correction: DemandCorrection) -> bool:
    """Return whether a later act, not taken back, touches the same posts or demands."""
    both = [one for one in (correction.demand_id, correction.other_id) if one is not None]
    later = session.exec(
        select(DemandCorrection).where(
            col(DemandCorrection.id) > correction.id,
            col(DemandCorrection.undone_at).is_(None),
            col(DemandCorrection.kind) != CorrectionKind.UNDO,
            sa.or_(col(DemandCorrection.demand_id).in_(both), col(DemandCorrection.other_id).in_(both)),
        )
    ).all()
    wide = {CorrectionKind.SPLIT, CorrectionKind.MERGE}
    return any(
        correction.kind in wide or one.kind in wide or set(one.posts) & set(correction.posts)
        for one in later
        if (one.kind is CorrectionKind.RENAME) == (correction.kind is CorrectionKind.RENAME)
    )


def undo(session: Session, correction_id: str, hand: Hand) -> DemandCorrection:
    """Take an act back, by an act of its own that puts back what stood before.

    Raises
    ------
    NotFound
        If there is no such act within reach.
    Conflict
        `undo_over`, if its time is over or something was built on it.
    """
    done = session.exec(
        select(DemandCorrection).where(DemandCorrection.id == correction_id).with_for_update()
    ).first()
    if done is None or not hand.reaches(done.organisation):
        raise NotFound("no such correction, or none that you may see")
    if not may_undo(session, done, hand.now):
        raise Conflict("this cannot be taken back any more", code="undo_over")
    demand = session.get_one(Demand, done.demand_id)
    other = session.get(Demand, done.other_id) if done.other_id else None
    _unsay(session, done)
    _put_back(session, done, hand.now)
    if done.kind is CorrectionKind.RENAME:
        demand.title, demand.titled_by = done.before["title"], done.before["titled_by"]
    if done.kind is CorrectionKind.MERGE and other is not None:
        other.merged_into = None
    if done.kind is CorrectionKind.SPLIT and other is not None:
        other.merged_into, other.state = demand.id, DemandState.GATHERING
    done.undone_at = hand.now
    taken = DemandCorrection(
        id=new_id(),
        kind=CorrectionKind.UNDO,
        organisation=done.organisation,
        demand_id=done.demand_id,
        other_id=done.other_id,
        posts=list(done.posts),
        reason=hand.reason.strip(),
        made_by=hand.actor,
        made_at=hand.now,
        undo_until=hand.now,
        undoes=done.id,
    )
    session.add_all([done, taken, demand])
    session.flush()
    for row in (demand, other):
        if row is None or row.state is DemandState.VERIFIED:
            continue
        if row.merged_into is None and row.id in done.before["states"]:
            row.state = DemandState(done.before["states"][row.id])
        was_proposed = row.state is DemandState.PROPOSED
        recount(session, row, hand.settings, hand.now, vouched=was_proposed)
        row.recount_due = True
    log(session, taken, hand)
    session.flush()
    return taken


def _unsay(session: Session, done: DemandCorrection) -> None:
    """Take the facts of an act back, and say again what gave way to them."""
    for one in session.exec(select(DemandFact).where(DemandFact.correction_id == done.id)).all():
        session.delete(one)
    session.flush()
    for before in done.before.get("facts", ()):
        session.add(
            DemandFact(
                demand_id=before["demand"],
                post_id=before["post"],
                belongs=before["belongs"],
                reason=before["reason"],
                decided_by=before["by"],
                decided_at=datetime.fromisoformat(before["at"]),
                correction_id=before["correction"],
            )
        )


def _put_back(session: Session, done: DemandCorrection, now: datetime) -> None:
    """Let the posts of an act stand where they stood, those that are still published."""
    places: Iterable[Mapping[str, Any]] = done.before.get("members", ())
    named = [place["post"] for place in places] + list(done.before.get("put", ()))
    published = set(
        session.exec(select(Post.id).where(col(Post.id).in_(named), Post.state == PostState.PUBLISHED))
    )
    rows = {
        row.post_id: row
        for row in session.exec(select(DemandMember).where(col(DemandMember.post_id).in_(named)))
    }
    for post in done.before.get("put", ()):
        if post in rows:
            session.delete(rows[post])
    for place in places:
        if place["post"] not in published:
            continue
        stand(session, rows.get(place["post"]), place["post"], place["demand"], now)
    session.flush()
    for place in places:
        row = session.exec(select(DemandMember).where(DemandMember.post_id == place["post"])).first()
        if row is not None:
            row.probability, row.parts = place["probability"], dict(place["parts"])
            row.joined_at = datetime.fromisoformat(place["joined_at"])
            session.add(row)
    for voice in session.exec(
        select(DemandVoice).where(col(DemandVoice.id).in_(list(done.before.get("voices", ()))))
    ).all():
        voice.demand_id = done.before["redirect"]
        session.add(voice)


def history(session: Session, demand_id: str, *, limit: int = 20) -> list[DemandCorrection]:
    """Return what was done with a demand, the newest first."""
    return list(
        session.exec(
            select(DemandCorrection)
            .where(
                sa.or_(
                    col(DemandCorrection.demand_id) == demand_id, col(DemandCorrection.other_id) == demand_id
                )
            )
            .order_by(col(DemandCorrection.id).desc())
            .limit(limit)
        )
    )
