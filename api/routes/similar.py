"""While somebody writes: "so many people have asked this already", and "add me".

A platform's key asks with what its author is writing, and lets the author join. Below the number of
people nothing is said, not even that there is nothing; people are told in round numbers. Authors come
under the platform's own key for them and are kept as a keyed hash, like the authors of posts.

Neighbours: `api/similar.py`, `sentiment/demand/voices.py`.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, status
from pydantic import Field, StringConstraints
from sqlmodel import select

from alerts.disclosure import rounded_down
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.schemas.alerts import Body, Identifier, Out
from api.security import Permission, Principal, authorise, scopes
from api.similar import Neighbourhood, is_near, similar_to
from models.demand import Demand
from models.errors import NotFound
from models.organisation import PATH_PATTERN
from models.post import Post
from models.vocabulary import PostState
from moderation.intake import author_hash
from sentiment.demand import facts, voices

router = APIRouter(prefix="/v1/demands", tags=["demands"])
Platform = Annotated[Principal, Depends(require(Permission.POSTS_WRITE))]
LONGEST = 20_000


class SimilarBody(Body):
    """What somebody is writing, and on which board."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST, strip_whitespace=True)]
    organisation: Annotated[str, StringConstraints(pattern=PATH_PATTERN, max_length=200)]


class SimilarOut(Out):
    """A demand that many people voice. `people` is rounded down."""

    demand_id: str
    title: str
    domain: str
    people: int
    verified: bool


class VoiceBody(Body):
    """Who joins, by the platform's own key for its author; with `external_id`, by a post of theirs."""

    author: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(default=None)


class LeaveBody(Body):
    """Who leaves."""

    author: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class VoiceOut(Out):
    """How many people there are now, rounded down, and whether this changed anything."""

    demand_id: str
    people: int
    changed: bool


@router.post("/similar")
def similar(
    *,
    request: Request,
    body: SimilarBody,
    principal: Platform,
    session: Reading,
    service: TheService,
    now: Now,
) -> list[SimilarOut]:
    """Tell which demands a text belongs to, the likeliest first; an empty list tells nothing."""
    authorise(principal, Permission.POSTS_WRITE, body.organisation)
    kept: Neighbourhood = request.app.state.neighbourhood
    found = similar_to(service, session, kept, text=body.text, organisation=body.organisation, now=now)
    return [SimilarOut.model_validate(one) for one in found]


def _near(principal: Principal, demand: Demand | None) -> Demand:
    if demand is None or not any(is_near(root, demand) for root in scopes(principal, Permission.POSTS_WRITE)):
        raise NotFound("no such demand, or none that you may see")
    return demand


@router.post("/{demand_id}/voices", status_code=status.HTTP_201_CREATED)
def join(
    *,
    demand_id: Identifier,
    body: VoiceBody,
    principal: Platform,
    session: Transaction,
    service: TheService,
    now: Now,
) -> VoiceOut:
    """Let an author join a demand, by a post or without one; whoever joins again is counted once."""
    demand = _near(principal, voices.open_demand(session, demand_id))
    source = principal.source or ""
    author = author_hash(service.keys, source, body.author)
    post = None
    if body.external_id is not None:
        post = session.exec(
            select(Post).where(Post.source == source, Post.external_id == body.external_id)
        ).first()
        if post is None or post.author != author or post.state is not PostState.PUBLISHED:
            raise NotFound("no published post of this author", field="/external_id")
    changed = voices.join(
        session,
        demand,
        source=source,
        author=author,
        post_id=post.id if post else None,
        actor=principal.actor,
        now=now,
    )
    session.flush()
    people = rounded_down(voices.people_of(session, demand))
    return VoiceOut(demand_id=demand.id, people=people, changed=changed)


@router.post("/{demand_id}/voices:withdraw")
def leave(
    *,
    demand_id: Identifier,
    body: LeaveBody,
    principal: Platform,
    session: Transaction,
    service: TheService,
    now: Now,
) -> VoiceOut:
    """Let an author leave: that they had joined is forgotten, also where the demand is told of no more."""
    demand = _near(principal, session.get(Demand, facts.follow(session, demand_id)))
    author = author_hash(service.keys, principal.source or "", body.author)
    changed = voices.leave(session, demand, author=author, actor=principal.actor, now=now)
    people = voices.people_of(session, demand)
    if people == 0 and not changed:
        raise NotFound("no such demand, or none that you may see")
    return VoiceOut(demand_id=demand.id, people=rounded_down(people), changed=changed)
