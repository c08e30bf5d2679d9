"""The pages, one module for each kind of thing; each is thin: permission, a room's function, a template."""

import importlib
from typing import Final

from fastapi import APIRouter

NAMES: Final = (
    "entrance",
    "queue",
    "statements",
    "appeals",
    "demands",
    "events",
    "cases",
    "inbox",
    "records",
    "help",
)


def routers() -> list[APIRouter]:
    """Return the router of every module of pages."""
    return [importlib.import_module(f"{__name__}.{name}").router for name in NAMES]
