"""What happens to every request before and after its route: size, identity, headers, log, counts.

Plain ASGI, because Starlette's own middleware classes hold whole bodies and hide exceptions.

Refuses: a body larger than its limit, announced or not, before a route reads it to the end.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping

import orjson
import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from models.base import new_id

log = structlog.get_logger("http")

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
NOT_KEPT = (b"cache-control", b"no-store")


class SecurityHeaders:
    """Adds the headers that a browser needs to keep other sites out. Answers are not stored by caches."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        headers = dict(SECURITY_HEADERS)
        if https:
            headers["strict-transport-security"] = "max-age=31536000"
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the answer's headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                there = {name for name, _ in given}
                added = [header for header in self.headers if header[0] not in there]
                if b"cache-control" not in there and not scope["path"].startswith("/static/"):
                    added.append(NOT_KEPT)
                message["headers"] = [*given, *added]
            await send(message)

        await self.app(scope, receive, complete)


class QuickDoor:
    """Answers one route itself, before the router looks for it; whatever else comes passes.

    The framework's way to a route costs more than all that the route does with a single post. The route
    stays declared there as well, for the description of the interface, and both call one function.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        method: str,
        route: Route,
        endpoint: Callable[[Request], Awaitable[Response]],
        refusals: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]],
    ) -> None:
        self.app = app
        self.method, self.route, self.endpoint, self.refusals = method, route, endpoint, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if (
            scope["type"] != "http"
            or scope["path"] != self.route.path
            or scope["method"] != self.method
            or scope.get("root_path")
        ):
            await self.app(scope, receive, send)
            return
        scope["route"] = self.route
        request = Request(scope, receive)
        try:
            response = await self.endpoint(request)
        except tuple(self.refusals) as error:
            kind = next(kind for kind in type(error).__mro__ if kind in self.refusals)
            response = await self.refusals[kind](request, error)
        await response(scope, receive, send)


class BodyLimit:
    """Refuses a body over its limit: by its announced length, and by counting what arrives in chunks."""

    def __init__(self, app: ASGIApp, *, limit: int, larger: Mapping[str, int]) -> None:
        self.app = app
        self.limit = limit
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.larger.get(scope["path"], self.limit)
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdigit() or int(announced) > limit:
            await _too_large(send, limit)
            return
        counted = _Counted(receive, send, limit)
        try:
            await self.app(scope, counted.receive, counted.send)
        except Exception:
            if not counted.refused:
                raise
        if counted.refused:
            await _too_large(send, limit)


class _Counted:
    """One request whose body is counted. Over the limit, the route sees its client go away."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self.limit = receive, send, limit
        self.seen = 0
        self.started = False

    @property
    def refused(self) -> bool:
        """Whether the body is too large and nothing has been answered yet."""
        return self.seen > self.limit and not self.started

    async def receive(self) -> Message:
        """Hand a part of the body on, as long as it fits."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.seen += len(message.get("body", b""))
            if self.seen > self.limit:
                return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Hand a part of the answer on, unless 413 takes its place."""
        if not self.refused:
            self.started = True
            await self._send(message)


async def _too_large(send: Send, limit: int) -> None:
    body = orjson.dumps(
        {
            "type": "about:blank",
            "title": "Content Too Large",
            "status": 413,
            "code": "too_large",
            "detail": f"the body is larger than {limit} bytes",
        }
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class RequestLog:
    """Names each request, counts it and writes one line about it. The line has the route, not the path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on between two looks at the clock."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("x-request-id", "")
        request_id = sent if REQUEST_ID.fullmatch(sent) else new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        begun, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            seconds = time.perf_counter() - begun
            route = route_template(scope)
            metrics.REQUESTS.labels(scope["method"], route, str(status)).inc()
            metrics.REQUEST_SECONDS.labels(scope["method"], route).observe(seconds)
            log.info(
                "request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1)
            )
            structlog.contextvars.unbind_contextvars("request_id")


def route_template(scope: Scope) -> str:
    """Return the path as its route is written, or `-` for a path that no route serves."""
    route = scope.get("route")
    return str(getattr(route, "path", None) or "-")
