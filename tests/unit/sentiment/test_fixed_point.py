"""Rows of few numbers are kept without their zeros, and are the same rows."""

import numpy as np
import pytest

from sentiment.demand.fixed_point import Sparse, fixed, opened, stacked

DRAW = np.random.default_rng(3)


def rows(count: int, width: int) -> np.ndarray:
    """Return rows of which a tenth of the numbers are not zero; the second row is empty."""
    values = DRAW.uniform(-1, 1, (count, width)) * (DRAW.random((count, width)) < 0.1)
    values[1] = 0
    return values


@pytest.mark.parametrize("width", [0, 77, 256, 300])
def test_opened_rows_are_those_of_fixed_point_to_the_last_bit(width: int) -> None:
    values = rows(20, width)
    asked = DRAW.integers(0, 20, (4, 7))

    found = Sparse.of(values).opened(asked)

    assert found.shape == (4, 7, width)
    assert np.array_equal(found, opened(fixed(values))[asked])


def test_rows_taken_and_stacked_are_the_same_rows() -> None:
    values, more = rows(20, 77), rows(5, 77)
    order = np.array([3, 1, 1, 19, 0])

    found = stacked([Sparse.of(values).taken(order), Sparse.of(more)])

    assert np.array_equal(found.opened(np.arange(10)), opened(fixed(np.vstack([values[order], more]))))


def test_no_rows_are_no_rows() -> None:
    nothing = Sparse.of(np.zeros((0, 77)))

    assert len(nothing) == 0
    assert nothing.opened(np.zeros(0, dtype=np.int64)).shape == (0, 77)
