"""Every error as RFC 9457: `application/problem+json` with a stable `code` and the `field`.

The one reader of the status of an error. A problem repeats no value that came in, so no text of a
post leaves here; what nobody foresaw is told as `internal_error` and nothing more.

Members: `type` (about:blank), `title` (the status in words), `status`, `code`, `detail`, `field`
where one is at fault (a JSON pointer), `errors` where several are, and what the error itself adds.

Neighbours: `models/errors.py` is the tree; `middleware` refuses bodies before a route sees them;
the console shows the same errors as pages.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, IntegrityError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from models.database import is_repeat
from models.errors import TingjianError

MEDIA_TYPE: Final = "application/problem+json"
CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}

log = structlog.get_logger("problem")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the members of a problem."""
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field is not None:
        found["field"] = field
    return {**(extra or {}), **found}


def problem_of(error: TingjianError) -> dict[str, Any]:
    """Return an error of the tree as a problem."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # An operator reads the details in the log; whoever asks is told no paths and no addresses.
        return problem(error.status, error.problem_code, "the service cannot answer this now")
    return problem(error.status, error.problem_code, error.detail, field=error.field, extra=error.extra)


def answer(found: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as an answer."""
    return Response(
        orjson.dumps(dict(found), default=str),
        status_code=found["status"],
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def pointer(parts: Sequence[int | str]) -> str:
    """Return the JSON pointer (RFC 6901) to a place in a request."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


WORDS: Final = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "enum": "unknown_word",
    "literal_error": "unknown_word",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "string_too_short": "empty",
    "too_short": "empty",
    "string_type": "wrong_type",
    "int_type": "wrong_type",
    "int_parsing": "wrong_type",
    "int_from_float": "wrong_type",
    "bool_type": "wrong_type",
    "bool_parsing": "wrong_type",
    "list_type": "wrong_type",
    "dict_type": "wrong_type",
    "model_type": "wrong_type",
    "model_attributes_type": "wrong_type",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
}
"""pydantic's names of what is wrong, in the words of this interface. Others are `invalid_input`."""


def faults(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> list[dict[str, str]]:
    """Return pydantic's errors as code, field and detail, without the values."""
    return [
        {
            "code": WORDS.get(one["type"], "invalid_input"),
            "field": pointer(one["loc"][skip:]),
            "detail": one["msg"],
        }
        for one in errors
    ]


async def _known(_: Request, error: Exception) -> Response:
    assert isinstance(error, TingjianError)  # noqa: S101 - registered for these alone
    headers = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if "retry_after" in error.extra:
        headers["retry-after"] = str(error.extra["retry_after"])
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("unavailable", exc_info=error)
    return answer(problem_of(error), headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for these alone
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return answer(problem(400, "malformed_body", "the body is not JSON"))
    # pydantic's places begin with where a value stood: body, query, path.
    found = faults(error.errors(), skip=1)
    first = found[0]
    return answer(
        problem(
            422,
            first["code"],
            f"{first['field'].removeprefix('/')}: {first['detail']}",
            field=first["field"],
            extra={"errors": found},
        )
    )


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these alone
    code = CODES.get(error.status_code, HTTPStatus(error.status_code).name.lower())
    detail = HTTPStatus(error.status_code).description or HTTPStatus(error.status_code).phrase
    return answer(problem(error.status_code, code, detail), error.headers)


async def _unstorable(_: Request, error: Exception) -> Response:
    """Answer for a value that a database takes in no column, such as a NUL in an address."""
    log.warning("unstorable", exc_info=error)
    return answer(problem(422, "invalid_input", "a value has characters that cannot be looked up"))


async def _overtaken(request: Request, error: Exception) -> Response:
    """Answer whoever wrote what another request wrote in the same moment; any other breach is unforeseen."""
    assert isinstance(error, IntegrityError)  # noqa: S101 - registered for these alone
    if is_repeat(error):
        log.warning("overtaken", exc_info=error)
        return answer(problem(409, "stale_version", "somebody else did this in the same moment; look again"))
    return await _unforeseen(request, error)


async def _unforeseen(_: Request, error: Exception) -> Response:
    log.error("unforeseen", exc_info=error)
    return answer(problem(500, "internal_error", "the service met something that it did not foresee"))


FORESEEN: Final = {
    TingjianError: _known,
    RequestValidationError: _invalid,
    HTTPException: _http,
    DataError: _unstorable,
    IntegrityError: _overtaken,
}


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""
    for kind, told in FORESEEN.items():
        app.add_exception_handler(kind, told)
    app.add_exception_handler(Exception, _unforeseen)
