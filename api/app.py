"""Put the web application together: routes, errors, limits, headers, logs.

Neighbours: `wiring` makes the service it runs on; `problems` turns errors into RFC 9457;
`security` decides who may do what.
"""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Route

from api import logging, problems
from api.console import console
from api.middleware import BodyLimit, QuickDoor, RequestLog, SecurityHeaders
from api.routes import (
    accounts,
    activities,
    alarms,
    appeals,
    attachments,
    cases,
    clocks,
    corrections,
    demand_sample,
    demands,
    duty,
    events,
    experts,
    feeds,
    health,
    inbox,
    keys,
    organisations,
    posts,
    public,
    public_demands,
    quality,
    ratings,
    reports,
    reviews,
    rules,
    settings,
    sign_in,
    similar,
    statements,
    stations,
    suggestions,
    trends,
    webhooks,
)
from api.routes.public import Published
from api.rules import RuleFigures
from api.settings import Settings
from api.shelf import Shelf
from api.similar import Neighbourhood
from api.wiring import Service, build_service
from api.worker import WorkerBeside
from models.database import Checkpoints
from moderation.proofs import Trees

VERSION = "0.1.0"
BATCH = "/v1/posts:batch"
UPLOAD = 10_100_000
"""Bytes of a request with an attachment: the largest file and what a form puts around it."""

GARBAGE = (20_000, 20, 50)
SWITCH_S = 0.001


def create_app(service: Service, *, with_worker: bool = False) -> FastAPI:
    """Return the application over a service; it closes the service when it ends.

    With `with_worker`, the jobs run in a process of their own for as long as this one serves.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = None
        if with_worker:
            # The address may have been filled in by the command, and then no variable names it.
            worker = WorkerBeside({"TINGJIAN_PUBLIC_URL": service.settings.public_url})
            worker.start()
        checkpoints = Checkpoints(service.database)
        checkpoints.start()
        yield
        if worker is not None:
            await run_in_threadpool(worker.stop)
        await run_in_threadpool(checkpoints.stop)
        await run_in_threadpool(service.close)

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
    app.state.rule_figures = RuleFigures()
    app.state.trees = Trees()
    app.state.neighbourhood = Neighbourhood()
    _install(app)
    # What is added first stands nearest to the routes: the limits and the log hold for it as well.
    app.add_middleware(
        QuickDoor,
        method="POST",
        route=Route("/v1/posts", posts.post_one, methods=["POST"]),
        endpoint=posts.post_one,
        refusals=problems.FORESEEN,
    )
    app.add_middleware(
        BodyLimit,
        limit=service.settings.max_body_bytes,
        larger={
            BATCH: service.settings.max_batch_bytes,
            "/v1/attachments": UPLOAD,
            "/attachments": UPLOAD,
        },
    )
    app.add_middleware(RequestLog)
    app.add_middleware(SecurityHeaders, https=service.settings.is_https)
    return app


def application() -> FastAPI:
    """Return the application over the environment's settings, as a server with several processes makes it."""
    settings = Settings.from_environment()
    logging.configure(settings.log_level)
    app = create_app(build_service(settings))
    settle()
    return app


def settle() -> None:
    """Let this process answer evenly, once all is loaded that it works with.

    The garbage collector passes over what lives as long as the process, and comes seldom. A thread
    that computes hands the interpreter over after a millisecond, not five: every answer changes
    threads more than once, and would wait so long each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    sys.setswitchinterval(SWITCH_S)


def _install(app: FastAPI) -> None:
    problems.install(app)
    app.router.routes.extend(_routes())
    console.install(app)


@cache
def _routes() -> list[BaseRoute]:
    """Return every route, worked out once however many applications a process makes.

    What 370 routes ask for takes FastAPI half a second to work out when the first request comes. None of
    it depends on the service: a route finds that through its request.
    """
    whole = APIRouter()
    for module in (
        health,
        public,
        sign_in,
        posts,
        reviews,
        quality,
        reports,
        rules,
        appeals,
        statements,
        corrections,
        demand_sample,
        demands,
        similar,
        suggestions,
        trends,
        events,
        cases,
        attachments,
        ratings,
        public_demands,
        inbox,
        clocks,
        duty,
        experts,
        stations,
        activities,
        webhooks,
        alarms,
        feeds,
        accounts,
        keys,
        organisations,
        settings,
    ):
        whole.include_router(Shelf(module.router))
    for router in console.routers():
        whole.include_router(Shelf(router))
    return whole.routes
