"""Structured logs, one JSON object a line on standard error.

A line holds names, numbers and identifiers. It never holds a post's text, a query string, a path
with a secret in it (the route's template is logged instead), a password or a key. An exception is
told by its type and the places it passed, without its message, because a database repeats values
in its messages.
"""

import logging
import sys
import traceback
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from models.errors import TingjianError

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
FRAMES = 12


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as type and places; the message only if it is one of ours."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    found: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "at": [
            f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}"
            for frame in frames
        ],
    }
    if isinstance(error, TingjianError):
        found["detail"] = error.detail
    return found


def _without_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = describe(error)
    return event


class _ToStructlog(logging.Handler):
    """Carries records of libraries over: the first line of their format string, no values put into it.

    What comes after the first line may repeat an exception with its message, as asyncio's does.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        log = structlog.get_logger("library")
        error = record.exc_info[1] if record.exc_info else None
        log.log(record.levelno, str(record.msg).partition("\n")[0], library=record.name, exc_info=error)


def configure(level: str = "info") -> None:
    """Send every log of this process to standard error as JSON."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_message,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
