"""Teach the encoder once more, above all what was read again.

The labels of the largest source are noisy: many texts that speak against prejudice count there as
attacks on those they defend. When further texts have been read again, the network need not begin anew.
It is taught every text of that source once more with what the readings make of it, beside a share of all
other lessons; for all that is not in question it listens to what it said itself before, so that the other
heads stay where they were.

Neighbours: `multitask` teaches; `encoding` says which texts and when.

Source: Li, Hoiem (2017), Learning without forgetting.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from learning.characters import Numbers
from learning.training.multitask import Disguise, Floats, Pace, Tasks, answers, teach
from learning.training.network import Reader
from learning.training.recipe import RevisionEntry

Tell = Callable[[str], None]


def revise(
    reader: Reader,
    tasks: Tasks,
    rows: Sequence[Numbers],
    *,
    read: npt.NDArray[np.bool_],
    head: int,
    entry: RevisionEntry,
    disguise: Disguise,
    seed: int,
    tell: Tell,
    newer: npt.NDArray[np.bool_] | None = None,
    taught: Floats | None = None,
) -> Reader:
    """Teach `reader` in place and return it.

    Parameters
    ----------
    read
        Shape (n,): the texts whose output `head` is taught anew; for every other text and output the
        network's own earlier answers teach beside the labels.
    newer
        Shape (n,): the texts that the network has not seen; it learns every output of theirs.
    taught
        Shape (n, outputs): logits of a network that did not see these texts, to be taught beside the labels;
        NaN where there is none.
    """
    chance = np.random.default_rng(seed)
    unknown = np.zeros_like(read) if newer is None else newer
    others = np.flatnonzero(~read & ~unknown)
    kept = chance.permutation(others)[: round(entry.others * len(others))]
    places = np.concatenate([np.flatnonzero(read | unknown), np.sort(kept)])
    mine = [rows[place] for place in places]
    soft, _ = answers(reader, mine)
    soft[read[places], head] = np.nan
    soft[unknown[places]] = np.nan if taught is None else taught[places][unknown[places]]
    weight = tasks.weight[places].copy()
    weight[read[places], head] *= entry.weight
    weight[unknown[places]] *= entry.weight
    tell(f"{len(places) - len(kept)} texts taught anew, {len(kept)} others beside them")
    part = Tasks(
        [tasks.texts[place] for place in places],
        tasks.wanted[places],
        weight,
        tasks.classes[places],
        tasks.groups,
    )
    deadline = time.monotonic() + 60.0 * entry.minutes if entry.minutes else None
    pace = Pace(entry.epochs, network=entry.pace, heads=2.0 * entry.pace, soft=entry.soft)
    return teach(reader, part, mine, pace, disguise, seed=seed, tell=tell, soft=soft, deadline=deadline)
