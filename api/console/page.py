"""Render pages: templates, the reader's language, the navigation, times in Shanghai.

Posts are hostile input: every value is escaped, and texts stand in their own bidirectional
isolate (see `templates/parts.html`). Nothing here reads a database.

Neighbours: `views` bring the values; `words` the sentences; `passages` the marked texts.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.console import passages, words
from api.security import Permission, Principal, holds
from models.vocabulary import CLAUSES, HARMS, Category, Domain
from moderation.outcomes import subject_of

FOLDER: Final = Path(__file__).parent
STATIC: Final = FOLDER / "static"
LANGUAGE_COOKIE: Final = "tingjian-language"
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
LONG_TEXT: Final = 1_200

NAVIGATION: Final = (
    ("queue", "/queue", (Permission.REVIEW_READ,)),
    ("appeals", "/appeals", (Permission.APPEALS_READ,)),
    ("second", "/second", (Permission.REVIEW_DECIDE,)),
    ("quality", "/quality", (Permission.QUALITY_READ,)),
    ("demands", "/demands", (Permission.DEMANDS_READ,)),
    ("events", "/events", (Permission.EVENTS_READ,)),
    ("cases", "/cases", (Permission.CASES_READ,)),
    ("inbox", "/inbox", (Permission.INBOX_READ,)),
    ("clocks", "/clocks", (Permission.CLOCKS_READ,)),
    ("duty", "/duty", (Permission.DUTY_READ,)),
    ("experts", "/experts", (Permission.EXPERTS_READ,)),
    ("stations", "/stations", (Permission.STATIONS_READ,)),
    ("alarms", "/alarms", (Permission.ALARMS_READ,)),
    ("rulebook", "/rulebook", (Permission.RULES_READ,)),
    ("deliveries", "/deliveries", (Permission.DELIVERY_READ,)),
    ("audit", "/audit", (Permission.AUDIT_READ,)),
    ("accounts", "/accounts", (Permission.ACCOUNTS_READ,)),
    ("keys", "/keys", (Permission.KEYS_READ,)),
    ("webhooks", "/webhooks", (Permission.WEBHOOKS_READ, Permission.WEBHOOKS_OWN)),
    ("settings", "/settings", (Permission.SETTINGS_READ,)),
)
OVERSIGHT: Final = frozenset(
    {"quality", "rulebook", "deliveries", "audit", "accounts", "keys", "webhooks", "settings"}
)
"""What is looked at now and then; it folds into one entry for those who have more than fits in a line."""

ONE_LINE: Final = 12


@cache
def environment() -> Environment:
    """Return the templates. A value that a view forgot is an error, not an empty place."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(clauses=CLAUSES, segments=passages.segments, long_text=LONG_TEXT)
    made.globals.update(Category=Category, domain=Domain, harms=HARMS)
    made.filters.update(excerpt=passages.excerpt, iso=datetime.isoformat)
    made.filters.update(lang=getattr)
    made.globals.update(visible=passages.pieces, subject_of=subject_of)
    return made


def language_of(request: Request, principal: Principal | None = None) -> str:
    """Return the language of this reader: the cookie, or the account's own, or Chinese."""
    for wanted in (request.cookies.get(LANGUAGE_COOKIE), principal.language if principal else None):
        if wanted in words.LANGUAGES:
            return str(wanted)
    return words.DEFAULT


def moment(value: datetime | None, language: str) -> str:
    """Return a time as people in Shanghai write it; a dash for none."""
    if value is None:
        return "–"
    local = value.astimezone(SHANGHAI)
    pattern = "%Y年%-m月%-d日 %H:%M" if language == "zh" else "%-d %b %Y, %H:%M"
    return local.strftime(pattern)


def day(value: datetime | None, language: str) -> str:
    """Return a day as people in Shanghai write it."""
    if value is None:
        return "–"
    return value.astimezone(SHANGHAI).strftime("%-m月%-d日" if language == "zh" else "%-d %b")


def clock(value: datetime, language: str) -> str:
    """Return a day and an hour of about now, without the year."""
    return value.astimezone(SHANGHAI).strftime("%-m月%-d日 %H:%M" if language == "zh" else "%-d %b %H:%M")


def owes_nothing(principal: Principal) -> bool:
    """Return whether a session sees more than the page of what comes first."""
    return not (principal.must_change_password or principal.owes_code or principal.owes_enrolment)


def home(principal: Principal) -> str:
    """Return the first page that a person may see."""
    for _, address, permissions in NAVIGATION:
        if any(holds(principal, permission) for permission in permissions):
            return address
    return "/help"


def render(
    request: Request,
    template: str,
    *,
    principal: Principal | None = None,
    status: int = 200,
    **context: Any,  # noqa: ANN401 - what the template shows
) -> HTMLResponse:
    """Return a page."""
    language = language_of(request, principal)
    entries = [
        (name, address)
        for name, address, permissions in NAVIGATION
        if principal is not None
        and owes_nothing(principal)
        and any(holds(principal, permission) for permission in permissions)
    ]
    folds = len(entries) > ONE_LINE
    shared: Mapping[str, Any] = {
        "t": partial(_text, language),
        "word": lambda member: words.word(member, language),
        "rule": lambda category: words.rule(category, language),
        "moment": lambda value: moment(value, language),
        "clock": lambda value: clock(value, language),
        "day": lambda value: day(value, language),
        "language": language,
        "principal": principal,
        "navigation": [one for one in entries if not (folds and one[0] in OVERSIGHT)],
        "overseeing": [one for one in entries if folds and one[0] in OVERSIGHT],
        "path": request.url.path,
        "may": lambda permission: principal is not None and holds(principal, Permission(permission)),
        "done": _done(request),
    }
    text = environment().get_template(template).render({**shared, **context})
    answer = HTMLResponse(text, status_code=status)
    answer.headers["vary"] = "cookie, hx-request"
    return answer


def _text(language: str, key: str, **values: object) -> str:
    return words.phrase(key, language, **values)


def _done(request: Request) -> str | None:
    """Return the key of what the request before this one did, if it is one that we know."""
    sent = request.query_params.get("done", "")
    return sent if words.has(f"done.{sent}") else None


def go(address: str, done: str | StrEnum | None = None) -> RedirectResponse:
    """Send the browser on after a change, so that reloading does not repeat it."""
    return RedirectResponse(f"{address}?done={done}" if done else address, status_code=303)
