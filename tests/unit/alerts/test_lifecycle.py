"""The order of the steps on the disposal record."""

from itertools import product

import pytest

from alerts.lifecycle import after, open_steps
from models.errors import Conflict
from models.vocabulary import EventState, Step

WAY = [
    (Step.REPORT_UP, EventState.REPORTED),
    (Step.ACT, EventState.ACTING),
    (Step.TELL_USERS, EventState.ACTING),
    (Step.FEED_BACK_UP, EventState.FED_BACK),
    (Step.FEED_BACK_USERS, EventState.CLOSED),
]


def test_the_official_order_leads_from_verified_to_closed() -> None:
    state = EventState.VERIFIED
    for step, expected in WAY:
        state = after(state, step)
        assert state is expected


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (EventState.VERIFIED, Step.ACT),
        (EventState.VERIFIED, Step.FEED_BACK_UP),
        (EventState.REPORTED, Step.TELL_USERS),
        (EventState.REPORTED, Step.FEED_BACK_USERS),
        (EventState.ACTING, Step.FEED_BACK_USERS),
        (EventState.CLOSED, Step.ACT),
        (EventState.CLOSED, Step.REPORT_UP),
        (EventState.REPORTED, Step.COLLECT),
        (EventState.REPORTED, Step.VERIFY),
    ],
)
def test_a_step_out_of_order_is_refused(state: EventState, step: Step) -> None:
    with pytest.raises(Conflict) as refused:
        after(state, step)

    assert refused.value.problem_code == "step_out_of_order"


def test_no_step_leads_back() -> None:
    order = list(EventState)
    for state, step in product(EventState, Step):
        try:
            following = after(state, step)
        except Conflict:
            continue
        assert order.index(following) >= order.index(state)


def test_a_note_may_stand_anywhere() -> None:
    assert all(after(state, Step.NOTE) is state for state in EventState)
    assert open_steps(EventState.CLOSED) == [Step.NOTE]
