"""Let a request ask only those routers whose paths begin as its own does.

FastAPI asks one route after the other, each with a regular expression: with 370 of them that is half of
what a small request costs. A shelf holds one router and knows how its paths begin, so most routers are
passed over by one look into a set. What a path is answered, and by which route, stays the same.

Neighbour: `app` puts every router on a shelf of its own.
"""

from typing import Final

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.routing import Match
from starlette.types import Scope

INTERFACE: Final = "v1"
"""Paths of the interface for programs all begin with it, so their second word tells them apart."""


def beginning(path: str) -> str | None:
    """Return the word that a path begins with, behind `v1` the first two; None if a parameter is in it."""
    words = path.split("/", 3)[1:3]
    begins = "/".join(words if words[:1] == [INTERFACE] else words[:1])
    return None if "{" in begins else begins


class Shelf(APIRouter):
    """The routes of one router, asked only for paths that begin as one of them does."""

    def __init__(self, router: APIRouter) -> None:
        super().__init__()
        self.include_router(router)
        self.beginnings = {beginning(context.path or "/{}") for context in iter_route_contexts(router.routes)}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return how well a route fits; a path that begins otherwise fits none."""
        if None not in self.beginnings:
            begins = beginning(get_route_path(scope))
            if begins is not None and begins not in self.beginnings:
                return Match.NONE, {}
        return super().matches(scope)
