"""Which step may follow on the disposal record, and where an event then stands.

The order is the official one: verify, report up, act and tell the users, feed the result back up,
feed it back to the users. A note may stand anywhere. Nothing goes back: a mistake is corrected by
another entry, because entries are only ever added.

An event that no demand stands behind begins proposed: an officer verifies it, or drops it.

Neighbours: `events` and `incidents` record what this module allows; `case_steps` is its like for cases. Pure.
"""

from types import MappingProxyType
from typing import Final

from models.errors import Conflict
from models.vocabulary import EventState, Step

P, V, R, A, F, C = EventState
NEXT: Final = MappingProxyType(
    {
        Step.VERIFY: {P: V},
        Step.DROPPED: {P: C},
        Step.REPORT_UP: {V: R, R: R, A: A, F: F},
        Step.ACT: {R: A, A: A},
        Step.TELL_USERS: {A: A, F: F},
        Step.FEED_BACK_UP: {A: F},
        Step.FEED_BACK_USERS: {F: C},
        Step.NOTE: {P: P, V: V, R: R, A: A, F: F, C: C},
        Step.FORM_OPENED: {V: V, R: R, A: A, F: F},
        Step.DELIVERED: {R: R, A: A, F: F, C: C},
    }
)
"""For each step, the states in which it may be taken and the state it leads to."""

BY_HAND: Final = (Step.ACT, Step.TELL_USERS, Step.FEED_BACK_UP, Step.FEED_BACK_USERS, Step.NOTE)
"""Steps that an officer takes by writing what was done."""


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
