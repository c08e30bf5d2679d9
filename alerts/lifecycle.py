"""Which step may follow on the disposal record, and where an event then stands.

The order is the official one: verify, report up, act and tell the users, feed the result back up,
feed it back to the users. A note may stand anywhere. Nothing goes back: a mistake is corrected by
another entry, because entries are only ever added.

Neighbours: `events` and `cases` record what this module allows. Pure.
"""

from types import MappingProxyType
from typing import Final

from models.errors import Conflict
from models.vocabulary import CaseState, EventState, Step

V, R, A, F, C = (
    EventState.VERIFIED,
    EventState.REPORTED,
    EventState.ACTING,
    EventState.FED_BACK,
    EventState.CLOSED,
)
NEXT: Final = MappingProxyType(
    {
        Step.REPORT_UP: {V: R, R: R, A: A, F: F},
        Step.ACT: {R: A, A: A},
        Step.TELL_USERS: {A: A, F: F},
        Step.FEED_BACK_UP: {A: F},
        Step.FEED_BACK_USERS: {F: C},
        Step.NOTE: {V: V, R: R, A: A, F: F, C: C},
        Step.FORM_OPENED: {V: V, R: R, A: A, F: F},
        Step.DELIVERED: {R: R, A: A, F: F, C: C},
    }
)
"""For each step, the states in which it may be taken and the state it leads to."""

BY_HAND: Final = (Step.ACT, Step.TELL_USERS, Step.FEED_BACK_UP, Step.FEED_BACK_USERS, Step.NOTE)
"""Steps that an officer takes by writing what was done."""

CASE_NEXT: Final = MappingProxyType(
    {
        CaseState.DRAFTED: (CaseState.UNDER_REVIEW,),
        CaseState.UNDER_REVIEW: (CaseState.ASSIGNED, CaseState.DRAFTED),
        CaseState.ASSIGNED: (CaseState.IN_PROGRESS,),
        CaseState.IN_PROGRESS: (CaseState.RESULT_GIVEN,),
        CaseState.RESULT_GIVEN: (CaseState.ARCHIVED, CaseState.IN_PROGRESS),
        CaseState.ARCHIVED: (),
    }
)
"""Where a case may go: forward by one, or back to whoever has to do it again."""


def after(state: EventState, step: Step) -> EventState:
    """Return where an event stands after a step.

    Raises
    ------
    Conflict
        If the step may not be taken in this state.
    """
    try:
        return NEXT[step][state]
    except KeyError:
        raise Conflict(
            f"{step.value} may not follow while the event is {state.value}", code="step_out_of_order"
        ) from None


def open_steps(state: EventState) -> list[Step]:
    """Return the steps that an officer may take by hand now, in the official order."""
    return [step for step in BY_HAND if state in NEXT[step]]


def moved(state: CaseState, to: CaseState) -> CaseState:
    """Return `to` if a case may go there.

    Raises
    ------
    Conflict
        If it may not.
    """
    if to not in CASE_NEXT[state]:
        raise Conflict(f"a case that is {state.value} cannot become {to.value}", code="move_not_allowed")
    return to
