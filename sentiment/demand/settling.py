"""Settle what two people said differently: a third word, of somebody who was shown both.

Neighbours: `facts` lists what contradicts; `corrections` writes the act, which can be undone.
"""

from sqlmodel import Session, col, select

from models.correction import DemandCorrection
from models.demand import Demand, DemandMember
from models.errors import InvalidInput, NotFound
from models.vocabulary import CorrectionKind
from sentiment.demand import facts
from sentiment.demand.corrections import Act, Hand, do


def settle(session: Session, post_id: str, chosen: str | None, hand: Hand) -> DemandCorrection:
    """Say to which of the demands a post belongs about which people differ, or to none of them.

    Raises
    ------
    NotFound
        If nobody differs about the post, or a demand lies out of reach.
    InvalidInput
        If the chosen demand is none of those.
    """
    found = next((one for one in facts.contradictions(session) if one.post_id == post_id), None)
    if found is None:
        raise NotFound("nothing contradicts about this post")
    demands = {
        one.id: one
        for one in session.exec(
            select(Demand).where(col(Demand.id).in_(found.demands)).order_by(col(Demand.id)).with_for_update()
        )
    }
    if not all(hand.reaches(one.organisation) for one in demands.values()):
        raise NotFound("nothing contradicts about this post")
    if chosen is not None and chosen not in demands:
        raise InvalidInput("choose one of the demands, or none", code="candidate", field="/demand")
    kind = CorrectionKind.REJECT if chosen is None else CorrectionKind.CONFIRM
    act = Act(kind, demands[chosen or found.demands[0]], None, (post_id,))
    act.facts = [(post_id, one, one == chosen) for one in found.demands]
    stands = session.exec(select(DemandMember.demand_id).where(DemandMember.post_id == post_id)).first()
    if chosen is not None and stands != chosen:
        act.places = {post_id: chosen}
    elif chosen is None and stands in demands:
        act.places = {post_id: None}
    insisting = Hand(hand.actor, hand.now, hand.settings, hand.reaches, hand.reason, insists=True)
    return do(session, act, insisting)
