"""The inbox of suggestions: what the nightly run would do, accepted or dismissed by a person.

Neighbours: `sentiment/demand/suggestions.py`; an accepted one is undone as any correction is.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, status

from api.correcting import Person
from api.dependencies import Reading, Transaction, require
from api.schemas.alerts import Identifier
from api.schemas.corrections import CorrectionOut, DecideBody, SuggestionOut
from api.security import Permission, Principal, allows
from sentiment.demand import suggestions

router = APIRouter(prefix="/v1/demand-suggestions", tags=["demands"])
Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]


@router.get("")
def listing(principal: Reader, session: Reading) -> list[SuggestionOut]:
    """List what waits for a person in scope, the surest first; posts for whoever may read posts there."""
    found = []
    for one in suggestions.open_suggestions(session):
        if allows(principal, Permission.DEMANDS_READ, one.organisation):
            shown = SuggestionOut.model_validate(one)
            reads = allows(principal, Permission.POSTS_READ, one.organisation)
            found.append(shown if reads else shown.model_copy(update={"posts": [], "reasons": {}}))
    return found


@router.post("/{suggestion_id}:accept", status_code=status.HTTP_201_CREATED)
def accept(
    suggestion_id: Identifier, body: DecideBody, person: Person, session: Transaction
) -> CorrectionOut:
    """Do what a suggestion says, as your own act."""
    hand = person.hand(reason=body.reason, insists=body.insists)
    return CorrectionOut.model_validate(suggestions.accept(session, suggestion_id, hand))


@router.post("/{suggestion_id}:dismiss")
def dismiss(
    suggestion_id: Identifier, body: DecideBody, person: Person, session: Transaction
) -> SuggestionOut:
    """Turn a suggestion down; the like is not suggested again."""
    row = suggestions.dismiss(session, suggestion_id, person.hand(reason=body.reason))
    return SuggestionOut.model_validate(row)
