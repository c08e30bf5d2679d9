"""Read, narrow and export the audit log, for auditors: who, what, about what, where and when.

What is asked for is narrowed to the places that the reader may audit. An export has every field, so that
its reader can follow the chain and lead a proof without this service; an export is itself on the log.

The log holds no text of a post and no author (charter, 5 and 7). Should an entry's details ever name a
person by a login, a name, an address or a number, the export leaves that value out and says which it was.

Neighbours: `commands/audit.py` and the console's audit page show; `models/audit.py` keeps.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from sqlmodel import Session, col, select

from api.security import Permission, Principal, scopes
from models import audit
from models.audit import AuditEntry
from models.errors import InvalidInput
from models.organisation import under

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
NAMING: Final = frozenset({"author", "login", "name", "email", "phone", "ip", "address", "text"})
"""Words under which details could name a person or quote one."""

COLUMNS: Final = (
    "sequence",
    "at",
    "actor",
    "action",
    "subject",
    "organisation",
    "reason",
    "details",
    "redacted",
    "previous",
    "hash",
)
LONGEST: Final = 120


class ExportFormat(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What is looked for. `action` and `subject` hold from their beginning; days are days in Shanghai."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    organisation: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> "AuditFilter":
        """Return the filter that somebody sent as plain words.

        Raises
        ------
        InvalidInput
            If a day is no day, or a word is longer than anything on the log.
        """
        words = {name: sent.get(name, "").strip() for name in ("actor", "action", "subject", "organisation")}
        for name, value in words.items():
            if len(value) > LONGEST or not value.isprintable():
                raise InvalidInput("is too long or not fit to be looked for", field=f"/{name}")
        return cls(**words, since=_day(sent, "since"), until=_day(sent, "until"))

    @property
    def asked(self) -> dict[str, str]:
        """What was asked for, as it stands in an address."""
        days = {name: day.isoformat() for name in ("since", "until") if (day := getattr(self, name))}
        words = ("actor", "action", "subject", "organisation")
        return {name: getattr(self, name) for name in words if getattr(self, name)} | days

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return what must hold for an entry."""
        found: list[sa.ColumnElement[bool]] = []
        if self.actor:
            found.append(col(AuditEntry.actor) == self.actor)
        if self.action:
            found.append(col(AuditEntry.action).startswith(self.action, autoescape=True))
        if self.subject:
            found.append(col(AuditEntry.subject).startswith(self.subject, autoescape=True))
        if self.organisation:
            found.append(under(col(AuditEntry.organisation), self.organisation))
        if self.since is not None:
            found.append(col(AuditEntry.at) >= _midnight(self.since))
        if self.until is not None:
            found.append(col(AuditEntry.at) < _midnight(self.until + timedelta(days=1)))
        return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


def _day(sent: Mapping[str, str], name: str) -> date | None:
    value = sent.get(name, "").strip()
    if not value:
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError:
        raise InvalidInput("must be a day such as 2026-03-16", field=f"/{name}") from None
    if not 2000 <= found.year <= 2200:  # noqa: PLR2004 - the years that a clock of this service can show
        raise InvalidInput("must be a day such as 2026-03-16", field=f"/{name}")
    return found


def seen_by(principal: Principal) -> sa.ColumnElement[bool]:
    """Return the condition that somebody may read an entry."""
    roots = scopes(principal, Permission.AUDIT_READ)
    seen = [under(col(AuditEntry.organisation), root) for root in roots]
    if any("/" not in root for root in roots):
        # What belongs to no place, such as the operator's own commands, is looked after at the top.
        seen.append(col(AuditEntry.organisation) == "")
    return sa.or_(sa.false(), *seen)


def newest(
    session: Session,
    sought: AuditFilter,
    *,
    seen: sa.ColumnElement[bool],
    before: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """Return the newest entries that are sought, before a number."""
    query = select(AuditEntry).where(seen, *sought.conditions())
    if before is not None:
        query = query.where(col(AuditEntry.sequence) < before)
    return list(session.exec(query.order_by(col(AuditEntry.sequence).desc()).limit(limit)))


def export_rows(
    session: Session, sought: AuditFilter, *, seen: sa.ColumnElement[bool] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the entries that are sought in the order of the log, as an export has them."""
    bounds = [] if seen is None else [seen]
    for entry in audit.entries(session, *bounds, *sought.conditions()):
        yield row_of(entry)


def row_of(entry: AuditEntry) -> dict[str, Any]:
    """Return one entry as an export has it."""
    details = {name: value for name, value in entry.details.items() if name not in NAMING}
    return {
        "sequence": entry.sequence,
        "at": entry.at.isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "organisation": entry.organisation,
        "reason": details.get("reason", ""),
        "details": details,
        "redacted": sorted(entry.details.keys() - details.keys()),
        "previous": entry.previous,
        "hash": entry.hash,
    }


def written(rows: Iterable[Mapping[str, Any]], kind: ExportFormat) -> Iterator[bytes]:
    """Yield the lines of an export."""
    if kind is ExportFormat.JSONL:
        for row in rows:
            yield orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
        return
    yield _csv_line(COLUMNS)
    for row in rows:
        yield _csv_line([_cell(row[name]) for name in COLUMNS])


def _cell(value: object) -> str:
    if isinstance(value, dict | list):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    text = str(value)
    # A table program would take such a cell for a formula and run it.
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text


def _csv_line(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(list(cells))
    return line.getvalue().encode()
