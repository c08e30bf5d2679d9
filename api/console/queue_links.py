"""The filters of the queue as addresses: every filter is a link, and what is not a word of it asks nothing.

Neighbours: the queue's views; `moderation/filters.py` asks the database.
"""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse

from models.vocabulary import Category, PostKind
from moderation.filters import QueueFilter

WORDS_LIMIT: Final = 100
AGES: Final = (1, 4, 12, 24)
"""Hours that a filter by age offers."""


def sought_of(request: Request) -> QueueFilter:
    """Return the filter in an address. What is not a word of it asks nothing."""
    asked = request.query_params
    category, kind = asked.get("category", ""), asked.get("kind", "")
    urgency, hours = asked.get("urgency", ""), asked.get("hours", "")
    return QueueFilter(
        organisation=asked.get("organisation") or None,
        category=Category(category) if category in set(Category) else None,
        unsure=category == "none",
        urgency=int(urgency) if urgency in set("012345") else None,
        overdue=asked.get("overdue") == "1",
        rule=asked.get("rule") or None,
        older_than=timedelta(hours=int(hours)) if hours.isdecimal() and int(hours) in AGES else None,
        place=asked.get("place") or None,
        kind=PostKind(kind) if kind in set(PostKind) else None,
        post_id=asked.get("post", "").strip() or None,
        words=asked.get("words", "").strip()[:WORDS_LIMIT] or None,
    )


def query_of(sought: QueueFilter, **changes: str | None) -> str:
    """Return a filter as the query of an address, with some parts changed; empty without any part."""
    hours = int(sought.older_than.total_seconds() // 3_600) if sought.older_than else None
    parts: dict[str, Any] = {
        "organisation": sought.organisation,
        "category": "none" if sought.unsure else sought.category,
        "urgency": sought.urgency,
        "overdue": "1" if sought.overdue else None,
        "rule": sought.rule,
        "hours": hours,
        "place": sought.place,
        "kind": sought.kind,
        "post": sought.post_id,
        "words": sought.words,
    } | changes
    kept = {name: str(value) for name, value in parts.items() if value is not None and value != ""}
    return f"?{urlencode(kept)}" if kept else ""


def go_on(sought: QueueFilter, done: str, address: str = "/queue") -> RedirectResponse:
    """Send the browser on to the next post of the same filter."""
    return RedirectResponse(f"{address}{query_of(sought, done=done)}", status_code=303)
