"""Objections over HTTP: a platform hands on an author's, somebody else than the remover decides.

An author without the platform's help objects on the statement's own page.

Neighbours: `moderation/appeals.py` does the work; `statements` shows what is objected to.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.bodies import RawBody, parse_shallow, validated
from api.dependencies import Now, Transaction, require
from api.schemas.appeals import (
    AppealDecisionIn,
    AppealIn,
    AppealOut,
    FreshLookIn,
    FreshLookOut,
    FreshLookSettled,
    OpenAppealOut,
)
from api.security import Permission, Principal, authorise_source, scopes
from models.errors import NotFound, NotPermitted
from models.post import Post
from moderation import appeals, fresh_looks, statements

router = APIRouter(prefix="/v1/appeals", tags=["appeals"])

Platform = Annotated[Principal, Depends(require(Permission.APPEALS_WRITE))]
Viewer = Annotated[Principal, Depends(require(Permission.APPEALS_READ))]
Decider = Annotated[Principal, Depends(require(Permission.APPEALS_DECIDE))]


@router.post(
    "",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": AppealIn.model_json_schema()}},
        }
    },
)
def submit(raw: RawBody, principal: Platform, session: Transaction, now: Now) -> AppealOut:
    """Hand an author's objection on, by the token of the statement."""
    sent = validated(AppealIn, parse_shallow(raw))
    statement = statements.find(session, sent.token)
    try:
        authorise_source(principal, session.get_one(Post, statement.post_id).source)
    except NotPermitted:
        raise NotFound("there is no such statement") from None
    return AppealOut.of(appeals.submit(session, sent.token, sent.text, now=now))


@router.get("")
def listing(
    *,
    principal: Viewer,
    session: Transaction,
    now: Now,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> list[OpenAppealOut]:
    """List the open objections with the posts that they are about; each look is on the audit log."""
    scope = scopes(principal, Permission.APPEALS_READ)
    found = appeals.waiting(session, scope, principal.id, limit=limit, offset=offset)
    appeals.note_looks(session, found, actor=principal.actor, now=now)
    return [OpenAppealOut.of(one) for one in found]


@router.post(
    "/{appeal_id}/decision",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": AppealDecisionIn.model_json_schema()}},
        }
    },
)
def decide(appeal_id: str, raw: RawBody, principal: Decider, session: Transaction, now: Now) -> AppealOut:
    """Uphold the removal or reverse it."""
    sent = validated(AppealDecisionIn, parse_shallow(raw))
    appeal = appeals.decide(
        session,
        appeal_id,
        principal.id,
        sent.outcome,
        answer=sent.answer,
        scope=scopes(principal, Permission.APPEALS_DECIDE),
        now=now,
    )
    return AppealOut.of(appeal)


@router.get("/fresh-looks")
def looks(
    *,
    principal: Viewer,
    session: Transaction,
    now: Now,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[FreshLookOut]:
    """List the removals that granted objections put in doubt; each look at a post is on the audit log."""
    found = fresh_looks.waiting(
        session, scopes(principal, Permission.APPEALS_READ), principal.id, limit=limit
    )
    fresh_looks.note_looks(session, found, actor=principal.actor, now=now)
    return [FreshLookOut.of(one) for one in found]


@router.post(
    "/fresh-looks/{look_id}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": FreshLookIn.model_json_schema()}},
        }
    },
)
def settle(
    look_id: str, raw: RawBody, principal: Decider, session: Transaction, now: Now
) -> FreshLookSettled:
    """Put the post back, or leave its removal as it is."""
    sent = validated(FreshLookIn, parse_shallow(raw))
    scope = scopes(principal, Permission.APPEALS_DECIDE)
    look = fresh_looks.settle(session, look_id, principal.id, restore=sent.restore, scope=scope, now=now)
    return FreshLookSettled.model_validate(look)
