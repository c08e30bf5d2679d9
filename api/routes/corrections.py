"""What officers correct about demands: over HTTP as on the card, with the same acts and the same undo.

An id that a merge ended leads to what it became part of. What contradicts a standing fact is refused
with the facts (`contradicts`); the same request with `insists` lets them give way, on record.

Neighbours: `sentiment/demand/corrections.py` and `undoing.py` act; `demands` reads and verifies.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, status
from sqlmodel import col, select

from api.correcting import Correcting, Person
from api.dependencies import Reading, Transaction, require
from api.schemas.alerts import Identifier
from api.schemas.corrections import (
    ActBody,
    ContradictionOut,
    CorrectionOut,
    MergeBody,
    MoveBody,
    PostsBody,
    RenameBody,
)
from api.security import Permission, Principal, allows, authorise_found
from models.demand import Demand
from models.errors import NotFound
from sentiment.demand import corrections, facts, undoing
from sentiment.demand.corrections import Hand

router = APIRouter(prefix="/v1", tags=["demands"])
Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]
MADE = status.HTTP_201_CREATED


def hand_of(person: Correcting, body: ActBody) -> Hand:
    """Return the hand that a request's body asks for."""
    return person.hand(reason=body.reason, insists=body.insists, version=body.version)


@router.post("/demands/{demand_id}/posts:confirm", status_code=MADE)
def confirm(
    demand_id: Identifier,
    body: PostsBody,
    person: Person,
    session: Transaction,
) -> CorrectionOut:
    """Say that posts belong to the demand they stand in; every later run keeps them there."""
    done = corrections.confirm(session, demand_id, body.posts, hand_of(person, body))
    return CorrectionOut.model_validate(done)


@router.post("/demands/{demand_id}/posts:remove", status_code=MADE)
def remove(
    demand_id: Identifier,
    body: PostsBody,
    person: Person,
    session: Transaction,
) -> CorrectionOut:
    """Say that posts do not belong, and take them out; no later run brings them back."""
    done = corrections.reject(session, demand_id, body.posts, hand_of(person, body))
    return CorrectionOut.model_validate(done)


@router.post("/demands/{demand_id}/posts:move", status_code=MADE)
def move(
    demand_id: Identifier,
    body: MoveBody,
    person: Person,
    session: Transaction,
) -> CorrectionOut:
    """Put posts into another demand."""
    hand = hand_of(person, body)
    return CorrectionOut.model_validate(corrections.move(session, demand_id, body.posts, body.to, hand))


@router.post("/demands/{demand_id}:split", status_code=MADE)
def split(
    demand_id: Identifier,
    body: PostsBody,
    person: Person,
    session: Transaction,
) -> CorrectionOut:
    """Make a demand of its own out of some posts. `other_id` is its id."""
    done = corrections.split(session, demand_id, body.posts, hand_of(person, body))
    return CorrectionOut.model_validate(done)


@router.post("/demands/{demand_id}:merge", status_code=MADE)
def merge(
    demand_id: Identifier,
    body: MergeBody,
    person: Person,
    session: Transaction,
) -> CorrectionOut:
    """Take another demand in. Its id leads here from now on."""
    done = corrections.merge(session, demand_id, body.other, hand_of(person, body))
    return CorrectionOut.model_validate(done)


@router.post("/demands/{demand_id}:rename", status_code=MADE)
def rename(
    demand_id: Identifier,
    body: RenameBody,
    person: Person,
    session: Transaction,
) -> CorrectionOut:
    """Give a demand a name that no later run overwrites."""
    done = corrections.rename(session, demand_id, body.title, hand_of(person, body))
    return CorrectionOut.model_validate(done)


@router.get("/demands/{demand_id}/corrections")
def history(demand_id: Identifier, principal: Reader, session: Reading) -> list[CorrectionOut]:
    """List what was done with a demand, the newest first; the posts for whoever may read posts there."""
    demand = session.get(Demand, facts.follow(session, demand_id))
    if demand is None:
        raise NotFound("no such demand, or none that you may see")
    authorise_found(principal, Permission.DEMANDS_READ, demand.organisation)
    done = [CorrectionOut.model_validate(one) for one in undoing.history(session, demand.id)]
    if allows(principal, Permission.POSTS_READ, demand.organisation):
        return done
    return [one.model_copy(update={"posts": [], "reason": ""}) for one in done]


@router.post("/demand-corrections/{correction_id}:undo", status_code=MADE)
def undo(correction_id: Identifier, person: Person, session: Transaction) -> CorrectionOut:
    """Take an act back: within 30 seconds, or until the next run of the grouping."""
    taken = undoing.undo(session, correction_id, person.hand())
    return CorrectionOut.model_validate(taken)


@router.get("/demand-contradictions")
def contradicting(person: Person, session: Reading) -> list[ContradictionOut]:
    """List the facts that cannot both hold, for a person to decide."""
    found = facts.contradictions(session)
    named = {demand for one in found for demand in one.demands}
    at = dict(session.exec(select(Demand.id, Demand.organisation).where(col(Demand.id).in_(named))).all())
    return [
        ContradictionOut.model_validate(one)
        for one in found
        if all(person.reaches(at[demand]) for demand in one.demands)
    ]
