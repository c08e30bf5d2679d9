"""Read JSON that comes from outside, and refuse what would hurt or can mean two things.

Fast for what is well-formed. What the fast parser refuses goes to a tolerant one, so that one post
with a lone surrogate or a wrong byte spoils itself and not the batch it came in: such a place
becomes a lone surrogate, which the check of the field then refuses.

Refuses: nesting deeper than 32, numbers that are none (NaN), anything after the value.

Neighbours: `middleware` bounds the size before; `moderation/drafts.py` and `schemas` check fields.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from api.problems import faults
from models.errors import InvalidInput, MalformedBody, TooLarge

DEPTH_LIMIT: Final = 32
NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
PARSER_DEPTH: Final = 1_000
"""What the fast parser bears. A post nested deeper than 32 but not than this spoils only itself."""
VALUES_LIMIT: Final = 100_000
# Possessive, so that a string of any length costs no memory to pass over.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[,\[{\]}]', re.DOTALL)
_BOM: Final = b"\xef\xbb\xbf"

Model = TypeVar("Model", bound=BaseModel)


def too_deep(field: str | None = None) -> MalformedBody:
    """Return the error for nesting beyond the limit."""
    return MalformedBody(f"nested deeper than {DEPTH_LIMIT}", code="too_deep", field=field, limit=DEPTH_LIMIT)


def is_deep(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a parsed value is nested deeper than the limit. Walks without recursion."""
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [
            inner
            for outer in level
            if isinstance(outer, (list, dict))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (list, dict))
        ]
        if not level:
            return False
    return True


def _refuse_many_values(raw: bytes) -> None:
    """Count what parts values, outside strings; a text may have as many commas as it likes."""
    seen = depth = 0
    for token in _TOKEN.finditer(raw):
        mark = token[0]
        seen += mark in b",[{"
        depth += (mark in b"[{") - (mark in b"]}")
        if depth > PARSER_DEPTH:
            raise too_deep()
        if seen > VALUES_LIMIT:
            raise TooLarge("too many values", code="too_many_values", limit=VALUES_LIMIT)


def _refuse_deep(raw: bytes) -> None:
    depth = 0
    for token in _TOKEN.finditer(raw):
        depth += (token[0] in b"[{") - (token[0] in b"]}")
        if depth > DEPTH_LIMIT:
            raise too_deep()


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def parse(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return the value that `raw` writes in JSON, whatever its depth up to what the parser bears.

    Raises
    ------
    MalformedBody
        If it is not JSON (`malformed_body`) or nested too deep to be read (`too_deep`).
    TooLarge
        If it holds more values than any batch needs (`too_many_values`): a small body of empty
        lists would fill the memory.
    """
    raw = raw.removeprefix(_BOM)
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > VALUES_LIMIT:
        _refuse_many_values(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    _refuse_deep(raw)
    try:
        return json.loads(raw.decode("utf-8", "surrogateescape"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedBody("the body is not JSON") from None


def parse_shallow(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return the value that `raw` writes; refuse it if any of it is nested too deep.

    Raises
    ------
    MalformedBody
        As `parse` does, and `too_deep`.
    """
    value = parse(raw)
    if is_deep(value):
        raise too_deep()
    return value


def lines(raw: bytes) -> list[bytes]:
    """Return the lines of NDJSON that hold anything."""
    return [line for line in raw.removeprefix(_BOM).split(b"\n") if line.strip()]


def validated(model: type[Model], value: Any) -> Model:  # noqa: ANN401 - any JSON
    """Return `value` as a `model`.

    Raises
    ------
    InvalidInput
        With the code and the field of the first fault; `errors` lists them all.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput("the body must be an object", code="wrong_type", field="")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found: Sequence[dict[str, str]] = faults(error.errors(include_input=False, include_url=False))
    first = found[0]
    raise InvalidInput(
        f"{first['field'].removeprefix('/')}: {first['detail']}",
        code=first["code"],
        field=first["field"],
        errors=found,
    )


async def raw_body(request: Request) -> bytes:
    """Return the whole body; its size is bounded before it comes here.

    Raises
    ------
    MalformedBody
        If the client went away before its end.
    """
    try:
        return await request.body()
    except ClientDisconnect:
        raise MalformedBody("the body ended early") from None


RawBody = Annotated[bytes, Depends(raw_body)]
