"""A short run of the kill test; the long one is `python -m tests.kills`."""

import pytest

from tests.kills.kills import LEAST, run

KILLS = 20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_kills_lose_nothing_and_double_nothing(database_url: str) -> None:
    kind = database_url.partition(":")[0]
    # A command itself is killed on one database only: what it imports is the same for both.
    cold = 1 if kind == "sqlite" else 0

    result = run(kind, KILLS, seed=7, cold=cold, url=database_url)

    assert result.faults == []
    assert sum(result.kills.values()) == KILLS
    assert result.kills_in_delivery >= 2
    assert result.kills_in_steps >= 2
    assert result.revisions_accepted >= LEAST
    assert result.messages > 0
    assert result.case_steps > 0
