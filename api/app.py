"""Put the web application together: routes, errors, limits, headers, logs.

Neighbours: `wiring` makes the service it runs on; `problems` turns errors into RFC 9457;
`security` decides who may do what.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import logging, problems
from api.console import console
from api.middleware import BodyLimit, RequestLog, SecurityHeaders
from api.routes import (
    accounts,
    appeals,
    cases,
    demands,
    events,
    health,
    inbox,
    keys,
    organisations,
    posts,
    public,
    reviews,
    settings,
    sign_in,
    statements,
    webhooks,
)
from api.routes.public import Published
from api.settings import Settings
from api.timetable import Timetable, jobs_of
from api.wiring import Service, build_service

VERSION = "0.1.0"
BATCH = "/v1/posts:batch"


def create_app(service: Service, *, with_worker: bool = False) -> FastAPI:
    """Return the application over a service; it closes the service when it ends.

    With `with_worker`, the jobs run in threads of this process for as long as it serves.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        timetable = Timetable(jobs_of(service), service.clock) if with_worker else None
        if timetable is not None:
            timetable.start()
        yield
        if timetable is not None:
            await run_in_threadpool(timetable.stop)
        service.close()

    app = FastAPI(
        title="听见 Tingjian",
        version=VERSION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # they load scripts from elsewhere, which the content security policy refuses
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.published = Published()
    _install(app)
    app.add_middleware(
        BodyLimit,
        limit=service.settings.max_body_bytes,
        larger={BATCH: service.settings.max_batch_bytes},
    )
    app.add_middleware(RequestLog)
    app.add_middleware(SecurityHeaders, https=service.settings.is_https)
    return app


def application() -> FastAPI:
    """Return the application over the environment's settings, as a server with several processes makes it."""
    settings = Settings.from_environment()
    logging.configure(settings.log_level)
    return create_app(build_service(settings))


def _install(app: FastAPI) -> None:
    problems.install(app)
    for module in (
        health,
        public,
        sign_in,
        posts,
        reviews,
        appeals,
        statements,
        demands,
        events,
        cases,
        inbox,
        webhooks,
        accounts,
        keys,
        organisations,
        settings,
    ):
        app.include_router(module.router)
    console.install(app)
