"""Name the steps that are missing or late on a disposal record.

A step is owed from the moment of the one before it, and has a time. While it has not been taken and the time
has passed it is *late*; when something that follows it was taken instead, or the event or case came to its
end without it, it is *missing*. Findings are computed each time from the record; nothing keeps them.

Neighbours: `events` and `cases` have the records; docs/reference/disposal-record.md shows the times. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from models.event import Case, DisposalEntry, Event
from models.vocabulary import CaseState, EventKind, EventState, Step

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One step that is missing or late: owed since `since`, and to be there by `due`."""

    code: str
    step: Step | None
    since: datetime
    due: datetime


CHAIN: Final = (
    Step.VERIFY,
    Step.REPORT_UP,
    Step.ACT,
    Step.TELL_USERS,
    Step.FEED_BACK_UP,
    Step.FEED_BACK_USERS,
)
"""The official order of an event's steps."""

_USUAL: Final = {
    Step.VERIFY: 2 * DAY,
    Step.REPORT_UP: DAY,
    Step.ACT: 3 * DAY,
    Step.TELL_USERS: 2 * DAY,
    Step.FEED_BACK_UP: 30 * DAY,
    Step.FEED_BACK_USERS: 3 * DAY,
}
_INCIDENT: Final = {
    Step.VERIFY: 2 * HOUR,
    Step.REPORT_UP: HOUR,
    Step.ACT: 2 * HOUR,
    Step.TELL_USERS: 4 * HOUR,
    Step.FEED_BACK_UP: 3 * DAY,
    Step.FEED_BACK_USERS: DAY,
}
TIMES: Final[Mapping[EventKind, Mapping[Step, timedelta]]] = MappingProxyType(
    {
        EventKind.COLLECTIVE_DEMAND: MappingProxyType(_USUAL),
        EventKind.NEED_SURGE: MappingProxyType(_USUAL),
        EventKind.SAFETY_INCIDENT: MappingProxyType(_INCIDENT),
        EventKind.PLATFORM_INTEGRITY: MappingProxyType({**_USUAL, Step.VERIFY: DAY, Step.ACT: DAY}),
    }
)
"""How long each step may take after the one before it."""

FIRST_RESPONSE: Final = DAY
REVIEW: Final = 3 * DAY
ACCEPTANCE: Final = 3 * DAY
INTERIM: Final = 14 * DAY
RESULT_TOLD: Final = 3 * DAY


def of_event(
    event: Event, record: Sequence[DisposalEntry], now: datetime, also: Sequence[DisposalEntry] = ()
) -> list[Finding]:
    """Return what is missing or late of an event; `also` is the record of its case, which counts too."""
    if any(entry.step is Step.DROPPED for entry in record):
        return []
    taken: dict[Step, datetime] = {}
    for entry in sorted([*record, *also], key=lambda one: one.at):
        taken.setdefault(entry.step, entry.at)
    found: list[Finding] = []
    since = event.created_at
    reached = max((place for place, step in enumerate(CHAIN) if step in taken), default=-1)
    for place, step in enumerate(CHAIN):
        due = since + TIMES[event.kind][step]
        at = taken.get(step)
        if at is not None:
            if at > due:
                found.append(Finding("late", step, since, due))
            since = max(since, at)
        elif place < reached or event.state is EventState.CLOSED:
            found.append(Finding("missing", step, since, due))
        else:
            if now > due:
                found.append(Finding("late", step, since, due))
            break
    return found


def of_case(case: Case, record: Sequence[DisposalEntry], now: datetime) -> list[Finding]:
    """Return what is missing or late of a case in its present round."""
    mine = [one for one in record if one.details.get("round", 1) == case.round]
    begun = mine[0].at if mine else case.opened_at
    steps: dict[Step, datetime] = {}
    for one in mine:
        steps[one.step] = one.at
    owed: list[Finding] = []
    if case.round == 1 and Step.FIRST_RESPONSE not in steps:
        code = "missing" if case.state is CaseState.ARCHIVED else "late"
        owed.append(Finding(code, Step.FIRST_RESPONSE, begun, begun + FIRST_RESPONSE))
    waits = {
        CaseState.UNDER_REVIEW: (Step.ASSIGNED, REVIEW),
        CaseState.ASSIGNED: (Step.ACCEPTED, ACCEPTANCE),
        CaseState.IN_PROGRESS: (Step.INTERIM, INTERIM),
        CaseState.RESULT_GIVEN: (Step.FEED_BACK_USERS, RESULT_TOLD),
    }
    if case.state in waits:
        step, time = waits[case.state]
        since = max((one.at for one in mine), default=begun)
        if not (step is Step.FEED_BACK_USERS and step in steps):
            owed.append(Finding("late", step, since, since + time))
    if case.due_at is not None and case.state in {
        CaseState.ASSIGNED,
        CaseState.IN_PROGRESS,
        CaseState.UNDER_REVIEW,
    }:
        owed.append(Finding("overdue", Step.RESULT, case.assigned_at or case.opened_at, case.due_at))
    return [one for one in owed if one.code == "missing" or now > one.due]
