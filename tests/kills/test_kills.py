"""A short run of the kill test; the long one is `python -m tests.kills.kills --kills 200`."""

import pytest

from tests.kills.kills import LEAST, run


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_random_kills_lose_nothing_and_double_nothing(kind: str) -> None:
    result = run(kind, kills=6, seed=7)

    assert result.faults == []
    assert sum(result.kills.values()) == 6
    assert result.revisions_accepted >= LEAST
    assert result.messages > 0
    assert result.case_steps > 0
