"""Turn the fields that a platform sent into a draft of a post, or into what is wrong with them.

Pure: no database and no clock, `now` is an argument. Every fault has a stable code and names its
field as a JSON pointer, and none repeats the value: a text never stands in an error.

Refuses: fields that it does not know, so that nobody sends data about people that nobody asked for.

Neighbours: `intake` takes drafts in; `api/routes/posts.py` and `api/commands/import_.py` bring the
fields.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from models.errors import InvalidInput
from models.organisation import PATH_PATTERN
from models.vocabulary import PostKind

TEXT_LIMIT: Final = 20_000
NUMBER_LIMIT: Final = 2**31 - 1
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)

_MISSING: Final = object()
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# A carriage return is let through before a line feed: every HTML form writes its lines so.
_CONTROL_IN_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_NOTHING_TO_READ: Final = re.compile("[\\s\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]*")
_FIELD_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_PATH: Final = re.compile(PATH_PATTERN)
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(?P<offset>[Zz]|[+-]\d\d(:?\d\d)?)?"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one field."""

    code: str
    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class Draft:
    """One revision of a post as its platform sent it, checked. `author` is still the platform's key."""

    source: str
    external_id: str
    revision: int
    kind: PostKind
    organisation: str
    author: str
    text: str
    created_at: datetime
    parent: str | None = None
    place: str | None = None
    likes: int = 0


FIELDS: Final = frozenset(Draft.__dataclass_fields__)
REQUIRED: Final = ("source", "external_id", "kind", "organisation", "author", "text", "created_at")


def text_fault(value: Any, field: str, limit: int = TEXT_LIMIT) -> Fault | None:  # noqa: ANN401 - whatever came
    """Return what is wrong with a text that a person wrote, or None. Length in code points."""
    if not isinstance(value, str):
        return Fault("wrong_type", field, "must be a string")
    if len(value) > limit:
        return Fault("too_long", field, f"must have at most {limit} characters")
    if _SURROGATE.search(value):
        return Fault("lone_surrogate", field, "must be well-formed Unicode, without lone surrogates")
    if _CONTROL_IN_TEXT.search(value):
        return Fault("control_character", field, "must have no control characters but line feed and tab")
    if _NOTHING_TO_READ.fullmatch(value):
        return Fault("empty", field, "must not be empty or blank")
    return None


def can_be_key(value: str) -> bool:
    """Return whether `value` could be the id of a post. One that could not is never looked up."""
    return bool(value.strip()) and not _CONTROL.search(value) and not _SURROGATE.search(value)


def draft(fields: Any, *, now: datetime) -> Draft:  # noqa: ANN401 - whatever came
    """Return the draft that `fields` describe.

    Raises
    ------
    InvalidInput
        With the first fault's code and field; `errors` lists every fault.
    """
    if not isinstance(fields, Mapping):
        raise InvalidInput("a post must be an object", code="wrong_type", field="")
    reader = _Reader(fields)
    found = Draft(
        source=reader.key("source", 64),
        external_id=reader.key("external_id", 200),
        revision=reader.number("revision", least=1, default=1),
        kind=reader.kind("kind"),
        organisation=reader.organisation("organisation"),
        author=reader.key("author", 200),
        text=reader.text("text"),
        created_at=reader.time("created_at", now),
        parent=reader.optional_key("parent", 200),
        place=reader.optional_key("place", 120),
        likes=reader.number("likes", least=0, default=0),
    )
    reader.unknown()
    if reader.faults:
        first = reader.faults[0]
        raise InvalidInput(
            f"{first.field.removeprefix('/')}: {first.detail}",
            code=first.code,
            field=first.field,
            errors=[{"code": one.code, "field": one.field, "detail": one.detail} for one in reader.faults],
        )
    return found


class _Reader:
    """Reads field after field and gathers the faults. What a faulty field returns is never used."""

    def __init__(self, fields: Mapping[Any, Any]) -> None:
        self.fields = fields
        self.faults: list[Fault] = []

    def _fault(self, code: str, name: str, detail: str) -> None:
        self.faults.append(Fault(code, f"/{name}", detail))

    def _get(self, name: str) -> Any:  # noqa: ANN401 - whatever came
        value = self.fields.get(name)
        if value is None and name in REQUIRED:
            self._fault("required", name, "is required")
            return _MISSING
        return value

    def _short(self, name: str, value: Any, limit: int) -> str:  # noqa: ANN401 - whatever came
        if not isinstance(value, str):
            self._fault("wrong_type", name, "must be a string")
        elif not value.strip():
            self._fault("empty", name, "must not be empty")
        elif len(value) > limit:
            self._fault("too_long", name, f"must have at most {limit} characters")
        elif _SURROGATE.search(value):
            self._fault("lone_surrogate", name, "must be well-formed Unicode, without lone surrogates")
        elif _CONTROL.search(value):
            self._fault("control_character", name, "must have no control characters")
        else:
            return value
        return ""

    def key(self, name: str, limit: int) -> str:
        value = self._get(name)
        return "" if value is _MISSING else self._short(name, value, limit)

    def optional_key(self, name: str, limit: int) -> str | None:
        value = self._get(name)
        return None if value is None else self._short(name, value, limit)

    def text(self, name: str) -> str:
        value = self._get(name)
        if value is _MISSING:
            return ""
        fault = text_fault(value, f"/{name}")
        if fault:
            self.faults.append(fault)
            return ""
        return str(value)

    def number(self, name: str, *, least: int, default: int) -> int:
        value = self._get(name)
        if value is None:
            return default
        if type(value) is not int:  # True is an int in Python, and no number here
            self._fault("wrong_type", name, "must be a whole number")
        elif not least <= value <= NUMBER_LIMIT:
            self._fault("out_of_range", name, f"must be between {least} and {NUMBER_LIMIT}")
        else:
            return value
        return default

    def kind(self, name: str) -> PostKind:
        value = self._get(name)
        if value is not _MISSING:
            if isinstance(value, str) and value in set(PostKind):
                return PostKind(value)
            code = "unknown_word" if isinstance(value, str) else "wrong_type"
            self._fault(code, name, f"must be one of {', '.join(PostKind)}")
        return PostKind.QUESTION

    def organisation(self, name: str) -> str:
        value = self._get(name)
        if value is _MISSING:
            return ""
        if not isinstance(value, str):
            self._fault("wrong_type", name, "must be a string")
        elif not _PATH.fullmatch(value) or len(value) > 200:  # noqa: PLR2004 - the column's length
            self._fault("unknown_organisation", name, "must be a path in the tree, such as gd/dongguan")
        else:
            return value
        return ""

    def time(self, name: str, now: datetime) -> datetime:
        value = self._get(name)
        if value is _MISSING:
            return EARLIEST
        if not isinstance(value, str):
            self._fault("wrong_type", name, "must be a string")
            return EARLIEST
        written = _TIME.fullmatch(value)
        try:
            moment = datetime.fromisoformat(value.upper().replace(",", ".")) if written else None
            moment = moment.astimezone(UTC) if moment and moment.tzinfo else moment
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            self._fault("not_a_time", name, "must be an ISO 8601 time, such as 2026-03-16T12:00:00+08:00")
        elif moment.tzinfo is None:
            self._fault("time_without_offset", name, "must name its offset from UTC")
        elif moment > now + CLOCK_TOLERANCE:
            self._fault("time_in_future", name, "must not lie in the future")
        elif moment < EARLIEST:
            self._fault("time_too_old", name, "must not lie before the year 2000")
        else:
            return moment
        return EARLIEST

    def unknown(self) -> None:
        for name in self.fields:
            if name not in FIELDS:
                # A name is repeated only if it looks like one: a table without a header has texts there.
                self._fault(
                    "unknown_field",
                    name if isinstance(name, str) and _FIELD_NAME.fullmatch(name) else "",
                    "is not a field that this service knows",
                )
