"""A network that is taught once more changes its mind about what was read again, and keeps the rest."""

import numpy as np
import pytest
import torch

from learning.characters import Numbers
from learning.training.multitask import Disguise, Tasks, answers
from learning.training.network import Network, Reader, Shape
from learning.training.recipe import RevisionEntry
from learning.training.revising import revise

# Torch warns about its own parts while it is imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.xdist_group("learning"),
]

ENTRY = RevisionEntry(epochs=12, minutes=0, others=1.0, weight=3.0, pace=3e-3, soft=0.5)
COUNT = 96


def rows() -> list[Numbers]:
    """Return rows of six characters; the first half begins with one character, the other with another."""
    chance = np.random.default_rng(3)
    made = chance.integers(8, 30, (COUNT, 6))
    made[: COUNT // 2, 0], made[COUNT // 2 :, 0] = 6, 7
    return [np.stack([row, np.zeros(6, np.int64)]) for row in made]


def test_the_head_in_question_learns_and_the_others_stay_near() -> None:
    torch.manual_seed(2)
    reader = Reader(Network(Shape(32, 2, width=16, layers=1, attention=2, inner=32)), heads=3, vector=4)
    read = np.arange(COUNT) < COUNT // 2
    wanted = np.full((COUNT, 2), np.nan, dtype=np.float32)
    wanted[read, 1] = 1.0
    tasks = Tasks(
        [str(place) for place in range(COUNT)],
        wanted,
        np.ones((COUNT, 2), dtype=np.float32),
        np.full((COUNT, 0), -1, dtype=np.int64),
        (),
    )
    before, _ = answers(reader, rows())

    told: list[str] = []
    revise(
        reader,
        tasks,
        rows(),
        read=read,
        head=1,
        entry=ENTRY,
        disguise=Disguise(np.zeros(32, np.int64), [8, 9], 4),
        seed=4,
        tell=told.append,
    )

    after, _ = answers(reader, rows())
    assert (after[read, 1] > before[read, 1] + 1.0).all()
    assert after[read, 1].mean() > after[~read, 1].mean() + 0.5
    assert np.abs(after[:, [0, 2]] - before[:, [0, 2]]).mean() < 0.2
    assert told[0] == "48 texts taught anew, 48 others beside them"
