"""The board by which a kill is aimed, and by which is known where it fell."""

import os
import signal
from collections.abc import Callable

from tests.kills.phases import Board, Mark, Phase


def end_of(life: Callable[[], None]) -> int:
    """Fork a life and return the signal that ended it, or 0 if it came to its own end."""
    child = os.fork()
    if not child:
        life()
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def test_a_life_ends_at_the_entry_it_is_aimed_at_and_leaves_where_it_stood() -> None:
    board = Board()
    board.aim(Phase.COMMIT, 2)

    def life() -> None:
        other, step = Mark(board), Mark(board)
        other.at(Phase.COMMIT)
        other.at(Phase.ANSWER)
        step.at(Phase.COMMIT)
        other.at(None)

    assert end_of(life) == signal.SIGKILL
    assert board.standing() == [Phase.COMMIT, Phase.ANSWER]


def test_a_life_that_is_not_aimed_at_leaves_an_empty_board() -> None:
    board = Board()
    board.aim(Phase.COMMIT, 2)
    board.clear()

    def life() -> None:
        for _ in range(3):
            step = Mark(board)
            step.at(Phase.COMMIT)
            step.at(None)

    assert end_of(life) == 0
    assert board.standing() == []
