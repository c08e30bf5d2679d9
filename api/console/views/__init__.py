"""The pages, one module for each kind of thing; each is thin: permission, a room's function, a template."""

import importlib
from typing import Final

from fastapi import APIRouter

NAMES: Final = (
    "entrance",
    "quality",
    "queue_list",
    "queue",
    "queue_alike",
    "statements",
    "appeals",
    "demands",
    "corrections",
    "suggestions",
    "trends",
    "demand_sample",
    "events",
    "cases",
    "authors",
    "inbox",
    "clocks",
    "dispatch",
    "duty",
    "experts",
    "stations",
    "activities",
    "records",
    "audit",
    "rulebook",
    "provider",
    "second_factor",
    "sessions",
    "accounts",
    "keys",
    "webhooks",
    "alarms",
    "quiet",
    "settings",
    "help",
)


def routers() -> list[APIRouter]:
    """Return the router of every module of pages."""
    return [importlib.import_module(f"{__name__}.{name}").router for name in NAMES]
