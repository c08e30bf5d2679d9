"""Which step of a case may follow where, at which desk it is taken, and where the case then stands.

    drafted → under_review → assigned → in_progress → result_given → archived

by `submitted`, `assigned`, `accepted`, `result`, `archived`. Back lead `sent_back` and `returned`, to whoever
has to think again, and `redo`; `reopened` begins another round from a result or from the archive.

A hand-over leads back to `assigned`, because the next unit has to accept; its deadline goes on.

Neighbours: `handling` takes the steps, `desks` says who sits where. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from alerts.desks import Desk
from models.errors import Conflict
from models.vocabulary import CaseState, Step

D, U, A, P, R, X = CaseState
OPERATIONS, COORDINATION, UNIT, LEADER = Desk


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One step: whose it is, from where it leads where, and whether it takes words."""

    desks: tuple[Desk, ...]
    way: Mapping[CaseState, CaseState]
    words: bool = True


def _stays(*states: CaseState) -> Mapping[CaseState, CaseState]:
    return MappingProxyType({state: state for state in states})


def _leads(way: Mapping[CaseState, CaseState]) -> Mapping[CaseState, CaseState]:
    return MappingProxyType(dict(way))


CASE_STEPS: Final[Mapping[Step, CaseStep]] = MappingProxyType(
    {
        Step.FIRST_RESPONSE: CaseStep((OPERATIONS,), _stays(D, U, A, P)),
        Step.SUBMITTED: CaseStep((OPERATIONS,), _leads({D: U})),
        Step.SENT_BACK: CaseStep((COORDINATION,), _leads({U: D})),
        Step.ASSIGNED: CaseStep((COORDINATION,), _leads({U: A})),
        Step.RETURNED: CaseStep((UNIT,), _leads({A: U, P: U})),
        Step.ACCEPTED: CaseStep((UNIT,), _leads({A: P}), words=False),
        Step.PLANNED: CaseStep((UNIT,), _stays(P)),
        Step.INTERIM: CaseStep((UNIT,), _stays(P)),
        Step.TELL_USERS: CaseStep((OPERATIONS,), _stays(A, P, R)),
        Step.JOINED: CaseStep((COORDINATION,), _stays(A, P)),
        Step.HANDED_OVER: CaseStep((UNIT, COORDINATION), _leads({A: A, P: A})),
        Step.RESULT: CaseStep((UNIT,), _leads({P: R})),
        Step.REDO: CaseStep((COORDINATION,), _leads({R: P})),
        Step.REMARK: CaseStep((LEADER, COORDINATION), _stays(R)),
        Step.FEED_BACK_USERS: CaseStep((OPERATIONS,), _stays(R)),
        Step.ARCHIVED: CaseStep((COORDINATION,), _leads({R: X}), words=False),
        Step.REOPENED: CaseStep((OPERATIONS, COORDINATION), _leads({R: A, X: A})),
        Step.NOTE: CaseStep((OPERATIONS, COORDINATION, UNIT), _stays(D, U, A, P, R, X)),
    }
)

TO_AUTHORS: Final = (Step.FIRST_RESPONSE, Step.TELL_USERS, Step.FEED_BACK_USERS)
"""Steps whose words go to the authors."""

TAKES_UNIT: Final = (Step.ASSIGNED, Step.HANDED_OVER)
TAKES_JOINT: Final = (Step.ASSIGNED, Step.JOINED)


def led_to(state: CaseState, step: Step) -> CaseState:
    """Return where a case stands after a step.

    Raises
    ------
    Conflict
        If the step is none of a case, or may not be taken in this state.
    """
    known = CASE_STEPS.get(step)
    if known is None or state not in known.way:
        raise Conflict(
            f"{step.value} may not follow while the case is {state.value}", code="move_not_allowed"
        )
    return known.way[state]


def open_to(state: CaseState, desks: Iterable[Desk]) -> list[Step]:
    """Return the steps that somebody at these desks may take now, in the official order."""
    sitting = set(desks)
    return [step for step, one in CASE_STEPS.items() if state in one.way and sitting & set(one.desks)]
