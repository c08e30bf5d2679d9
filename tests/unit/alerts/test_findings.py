"""Missing and late steps, and what counts as a surge."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts import findings, responses
from alerts.case_steps import CASE_STEPS, TO_AUTHORS, led_to, open_to
from alerts.desks import Desk
from alerts.detection import burst_score, surge
from alerts.recurrence import alike
from models.errors import Conflict
from models.event import Case, DisposalEntry, Event
from models.vocabulary import CaseKind, CaseState, Domain, EventKind, EventState, Step

AT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def entry(step: Step, at: datetime, **details: int) -> DisposalEntry:
    return DisposalEntry(
        subject_id="s",
        sequence=1,
        step=step,
        actor_name="a",
        organisation="gd",
        text="t",
        details=details,
        at=at,
    )


def event(state: EventState, kind: EventKind = EventKind.COLLECTIVE_DEMAND) -> Event:
    return Event(kind=kind, organisation="gd", title="t", domain=Domain.HOUSING, state=state, created_at=AT)


def told(found: list[findings.Finding]) -> list[tuple[str, Step | None]]:
    return [(one.code, one.step) for one in found]


def test_a_step_that_waits_too_long_is_late_and_one_that_was_passed_over_is_missing() -> None:
    record = [entry(Step.VERIFY, AT), entry(Step.REPORT_UP, AT + HOUR)]
    assert findings.of_event(event(EventState.REPORTED), record, AT + DAY) == []
    assert told(findings.of_event(event(EventState.REPORTED), record, AT + 4 * DAY)) == [("late", Step.ACT)]
    record += [entry(Step.ACT, AT + 5 * DAY), entry(Step.FEED_BACK_UP, AT + 6 * DAY)]
    assert told(findings.of_event(event(EventState.FED_BACK), record, AT + 6 * DAY)) == [
        ("late", Step.ACT),
        ("missing", Step.TELL_USERS),
    ]
    by_the_case = [entry(Step.TELL_USERS, AT + 5 * DAY)]
    assert told(findings.of_event(event(EventState.FED_BACK), record, AT + 6 * DAY, by_the_case)) == [
        ("late", Step.ACT)
    ]
    closed = findings.of_event(event(EventState.CLOSED), record[:2], AT + 9 * DAY)
    assert {one.code for one in closed} == {"missing"}
    assert findings.of_event(event(EventState.CLOSED), [entry(Step.DROPPED, AT)], AT + 9 * DAY) == []


def test_an_incident_has_hours_where_a_demand_has_days() -> None:
    record = [entry(Step.VERIFY, AT)]
    late = AT + 2 * HOUR
    incident = event(EventState.VERIFIED, EventKind.SAFETY_INCIDENT)
    assert told(findings.of_event(incident, record, late)) == [("late", Step.REPORT_UP)]
    assert findings.of_event(event(EventState.VERIFIED), record, late) == []


def test_a_case_owes_a_first_response_an_answer_of_its_unit_and_a_result_by_the_day() -> None:
    case = Case(
        kind=CaseKind.COLLECTIVE_DEMAND,
        organisation="gd",
        opened_by="a",
        opened_at=AT,
        state=CaseState.DRAFTED,
    )
    opened = entry(Step.FORM_OPENED, AT, round=1)
    assert findings.of_case(case, [opened], AT + HOUR) == []
    assert told(findings.of_case(case, [opened], AT + 2 * DAY)) == [("late", Step.FIRST_RESPONSE)]
    case.state, case.due_at = CaseState.ASSIGNED, AT + 5 * DAY
    record = [opened, entry(Step.FIRST_RESPONSE, AT, round=1), entry(Step.ASSIGNED, AT, round=1)]
    assert told(findings.of_case(case, record, AT + 6 * DAY)) == [
        ("late", Step.ACCEPTED),
        ("overdue", Step.RESULT),
    ]


def test_every_case_step_is_somebodys_and_every_case_reaches_the_archive() -> None:
    assert all(step.desks and step.way for step in CASE_STEPS.values())
    for state in CaseState:
        seen, edge = {state}, [state]
        while edge:
            edge = [one.way[at] for at in edge for one in CASE_STEPS.values() if at in one.way]
            edge = [at for at in edge if at not in seen]
            seen.update(edge)
        assert CaseState.ARCHIVED in seen
    with pytest.raises(Conflict):
        led_to(CaseState.DRAFTED, Step.ASSIGNED)
    assert open_to(CaseState.ARCHIVED, [Desk.UNIT]) == [Step.NOTE]
    assert Step.ASSIGNED not in open_to(CaseState.UNDER_REVIEW, [Desk.OPERATIONS, Desk.UNIT])


def test_a_surge_stands_far_above_a_week_at_least() -> None:
    assert surge([2] * 28, 30, 10) is not None
    assert surge([2] * 28, 9, 10) is None
    assert surge([20] * 28, 30, 10) is None
    assert surge([2] * 6, 30, 10) is None
    assert burst_score(10, 10) == 0.0
    with pytest.raises(ValueError, match="finite"):
        burst_score(1, float("nan"))


def test_demands_are_alike_by_a_third_of_their_words() -> None:
    assert alike(["热水", "宿舍"], ["宿舍", "热水", "停"])
    assert not alike(["热水", "宿舍"], ["宿舍", "门禁", "晚归", "热"])
    assert not alike([], [])


def test_every_domain_has_a_text_to_begin_from_and_none_says_who() -> None:
    for domain, texts in responses.responses().items():
        assert set(texts) == set(TO_AUTHORS), domain
        shown = responses.suggested(domain, Step.TELL_USERS, demand="热水", unit=None, due=None)
        assert "热水" in shown
        assert "{" not in shown
    assert responses.suggested(Domain.NONE, Step.TELL_USERS, demand="x", unit=None, due=None) == ""
