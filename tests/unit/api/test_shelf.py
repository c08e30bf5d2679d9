"""Shelves change nothing but how many routes are asked."""

import re
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.routing import Match
from starlette.types import Scope

from api import app
from api.shelf import Shelf, beginning


def scope(method: str, path: str) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}


class Counting(APIRouter):
    """Counts how often it was asked."""

    asked = 0

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        self.asked += 1
        return super().matches(scope)


def shelved(*paths: str) -> tuple[APIRouter, Counting]:
    router, whole = Counting(), APIRouter()
    for path in paths:
        router.add_api_route(path, lambda: None, methods=["GET"])
    whole.include_router(Shelf(router))
    return whole, router


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ("/", ""),
        ("", ""),
        ("/queue/{task_id}", "queue"),
        ("/v1", "v1"),
        ("/v1/posts:batch", "v1/posts:batch"),
        ("/v1/posts/{source}/{external_id:path}", "v1/posts"),
        ("/{anything}/at/all", None),
        ("/v1/{anything}", None),
    ],
)
def test_a_path_begins_with_what_no_parameter_stands_in(path: str, begins: str | None) -> None:
    assert beginning(path) == begins


def test_a_router_is_not_asked_for_what_begins_otherwise() -> None:
    whole, router = shelved("/v1/posts", "/v1/posts/{name}")
    (shelf,) = whole.routes

    assert shelf.matches(scope("GET", "/v1/cases/7"))[0] is Match.NONE
    assert router.asked == 0
    assert shelf.matches(scope("GET", "/v1/posts/7"))[0] is Match.FULL
    assert shelf.matches(scope("PUT", "/v1/posts/7"))[0] is Match.PARTIAL


def test_a_router_that_begins_with_a_parameter_is_asked_for_everything() -> None:
    whole, _ = shelved("/v1/posts", "/{anything}/at/all")
    (shelf,) = whole.routes

    assert shelf.matches(scope("GET", "/whatever/at/all"))[0] is Match.FULL


def test_every_route_of_the_service_is_found_on_its_shelf() -> None:
    routes = app._routes()
    paths = {
        (method, context.path)
        for context in iter_route_contexts(routes)
        for method in context.methods or ()
        if context.path
    }

    def found(method: str, path: str) -> bool:
        asked = scope(method, re.sub(r"\{[^}]*\}", "x1", path))
        return any(route.matches(asked)[0] is Match.FULL for route in routes)

    assert len(paths) > 300
    assert [path for method, path in paths if not found(method, path)] == []
