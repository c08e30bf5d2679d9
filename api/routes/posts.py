"""Posts in, verdicts out: one, a batch, an edit, a deletion, and where a post stands.

A batch answers every item for itself. The body is read as bytes and checked by the room that
takes it, the same for one post, a batch and a file.

Neighbours: `moderation/intake.py` takes, `moderation/deletion.py` deletes, `api/bodies.py` parses.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool

from api import bodies, sessions
from api.bodies import RawBody, raw_body
from api.dependencies import (
    Now,
    Reading,
    TheService,
    Transaction,
    bearer,
    current_principal,
    get_service,
    refuse_unless,
    require,
    sent_csrf,
    signed_in,
)
from api.problems import problem_of
from api.schemas.posts import PROBLEMS, BatchAnswer, DeletionProof, PostAnswer, PostEdit, PostIn
from api.security import Permission, Principal, authorise_source, scopes
from api.sessions import principal_of_key
from api.wiring import Service
from models.errors import InvalidInput, NotPermitted, TingjianError, TooLarge, Unavailable
from models.post import Post
from moderation import deletion, intake, review
from moderation.drafts import Draft, draft
from moderation.group_commit import Introduction
from moderation.intake import BATCH_LIMIT, Caller, Taken

router = APIRouter(prefix="/v1", tags=["posts"])

Writer = Annotated[Principal, Depends(require(Permission.POSTS_WRITE))]
Reader = Annotated[Principal, Depends(require(Permission.POSTS_READ))]


def _body(model: type[PostEdit], *, many: bool = False) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    one = {"schema": schema}
    content = (
        {"application/json": {"schema": {"type": "array", "items": schema, "maxItems": BATCH_LIMIT}}}
        | {"application/x-ndjson": one}
        if many
        else {"application/json": one}
    )
    return {"requestBody": {"required": True, "content": content}}


def _caller(principal: Principal) -> Caller:
    if principal.source is None:
        raise NotPermitted("posts come in by a source's key")
    return Caller(principal.source, principal.actor, tuple(scopes(principal, Permission.POSTS_WRITE)))


@dataclass(frozen=True, slots=True)
class _KeyHolder:
    """Somebody with a key, who is looked up together with the others of a group."""

    key: str = field(repr=False)

    def __call__(self, connection: Connection) -> Caller:
        return _caller(refuse_unless(principal_of_key(connection, self.key), Permission.POSTS_WRITE))


async def _sender(request: Request, service: Service, now: datetime) -> Introduction:
    """Return who sends a post: one with a key is not looked up yet, so that no thread is kept for it."""
    key = bearer(request)
    if key is not None:
        if sessions.key_use_is_due(key, now):
            await run_in_threadpool(sessions.note_key_use, service.database, key, now)
        return _KeyHolder(key)
    csrf = await sent_csrf(request)
    principal = await run_in_threadpool(signed_in, request, service, now, csrf)
    caller = _caller(refuse_unless(await current_principal(principal), Permission.POSTS_WRITE))
    return lambda _: caller


def _take(
    service: Service, principal: Principal, drafts: Sequence[Draft | TingjianError], now: datetime
) -> list[Taken]:
    if service.screener is None:
        raise Unavailable("no screener is loaded")
    return intake.take(
        service.database,
        service.screener,
        drafts,
        caller=_caller(principal),
        keys=service.keys,
        now=now,
    )


def _one(taken: Taken) -> Response:
    if taken.problem is not None:
        raise taken.problem
    assert taken.answer is not None  # noqa: S101 - a result is one or the other
    return Response(
        orjson.dumps(taken.answer.document(), option=orjson.OPT_UTC_Z),
        status_code=_status(taken),
        media_type="application/json",
    )


def _document(taken: Taken) -> dict[str, Any]:
    if taken.problem is not None:
        return problem_of(taken.problem)
    return taken.answer.document() if taken.answer else {}


def _status(taken: Taken) -> int:
    if taken.problem is not None:
        return taken.problem.status
    return int(HTTPStatus.CREATED if taken.created else HTTPStatus.OK)


@router.post(
    "/posts",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": PostAnswer}, 201: {"model": PostAnswer}, **PROBLEMS},
    openapi_extra=_body(PostIn),
)
async def post_one(request: Request) -> Response:
    """Take one revision of a post and answer with its verdict. Sent twice, the same answer."""
    # Its parts are taken from the request by hand: this is the route that must be quick, and a tree of
    # dependencies takes longer than they do.
    service = await get_service(request)
    now = service.clock()
    raw = await raw_body(request)
    who = await _sender(request, service, now)
    taken = service.intake.submit(who, lambda: draft(bodies.parse_shallow(raw), now=now), now=now)
    return _one(await asyncio.wrap_future(taken))


@router.post(
    "/posts:batch",
    responses={200: {"model": BatchAnswer}, **PROBLEMS},
    openapi_extra=_body(PostIn, many=True),
)
def post_many(request: Request, raw: RawBody, principal: Writer, service: TheService, now: Now) -> Response:
    """Take up to 1,000 posts, as a JSON array or one a line; answer for each, in their order."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    drafts = _drafts_of_lines(raw, now) if kind in bodies.NDJSON else _drafts_of_array(raw, now)
    results = [
        {"index": index, "status": _status(taken), **_document(taken)}
        for index, taken in enumerate(_take(service, principal, drafts, now))
    ]
    return Response(
        orjson.dumps({"results": results}, option=orjson.OPT_UTC_Z), media_type="application/json"
    )


def _refuse_many(count: int) -> None:
    if count > BATCH_LIMIT:
        raise TooLarge(
            f"a batch has at most {BATCH_LIMIT} posts", limit=BATCH_LIMIT, received=count, field=""
        )


def _drafts_of_array(raw: bytes, now: datetime) -> list[Draft | TingjianError]:
    items = bodies.parse(raw)
    if not isinstance(items, list):
        raise InvalidInput("a batch must be an array", code="wrong_type", field="")
    _refuse_many(len(items))
    return [_checked(item, now) for item in items]


def _drafts_of_lines(raw: bytes, now: datetime) -> list[Draft | TingjianError]:
    lines = bodies.lines(raw)
    _refuse_many(len(lines))
    found: list[Draft | TingjianError] = []
    for line in lines:
        try:
            found.append(_checked(bodies.parse(line), now))
        except InvalidInput as error:
            found.append(error)
    return found


def _checked(item: Any, now: datetime) -> Draft | TingjianError:  # noqa: ANN401 - any JSON
    try:
        return bodies.too_deep() if bodies.is_deep(item) else draft(item, now=now)
    except InvalidInput as error:
        return error


@router.put(
    "/posts/{source}/{external_id:path}",
    responses={200: {"model": PostAnswer}, 201: {"model": PostAnswer}, **PROBLEMS},
    openapi_extra=_body(PostEdit),
)
def put(
    *, source: str, external_id: str, raw: RawBody, principal: Writer, service: TheService, now: Now
) -> Response:
    """Take a new revision of a post, screened anew. 201 if the revision is new, 200 if it is a repeat."""
    fields = bodies.parse_shallow(raw)
    if isinstance(fields, dict):
        for name, value in (("source", source), ("external_id", external_id)):
            if fields.setdefault(name, value) != value:
                raise InvalidInput(
                    f"{name}: must be as in the address", code="address_mismatch", field=f"/{name}"
                )
    return _one(service.intake.take(draft(fields, now=now), caller=_caller(principal), now=now))


@router.get("/posts/{source}/{external_id:path}", responses=PROBLEMS)
def get(source: str, external_id: str, principal: Reader, session: Reading, now: Now) -> PostAnswer:
    """Answer where a post stands now; for its platform, what can still be undone has not happened."""
    authorise_source(principal, source)
    found = intake.current(session, source, external_id, scope=scopes(principal, Permission.POSTS_READ))
    document = found.document()
    if principal.is_key:
        document["state"] = review.state_outside(session, session.get_one(Post, found.id), now)
    return PostAnswer.model_validate(document)


@router.delete("/posts/{source}/{external_id:path}", responses=PROBLEMS)
def delete(source: str, external_id: str, principal: Writer, session: Transaction, now: Now) -> DeletionProof:
    """Delete a post wherever it has come to; answer with the proof, the same if asked again."""
    authorise_source(principal, source)
    proof = deletion.delete(
        session,
        source,
        external_id,
        scope=scopes(principal, Permission.POSTS_WRITE),
        deleted_by=principal.actor,
        now=now,
    )
    return DeletionProof(
        source=proof.source,
        external_id=proof.external_id,
        deleted_at=proof.deleted_at,
        reached=proof.reached,
    )
