"""Set a new bundle beside the present one, on reviewed posts that taught neither.

Figures are over whole authors: the posts of one author are not independent of each other, and no
author who judges here has taught. Nothing of any text is in the report.

Neighbours: `officers` holds the posts back; `refitting` made the new bundle; the command
`tingjian train officers` writes the report next to it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from learning import measures
from learning.encoder import HARM_COLUMNS
from learning.features import FloatArray
from learning.measures import Interval, Places
from learning.training.fitting import FEWEST
from learning.training.officers import Admitted, OfficerRow
from learning.training.refitting import Refitted
from models.errors import InvalidInput

HEADS: Final = tuple(word.value for word in HARM_COLUMNS)

Figure = Callable[[Places], float]


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both bundles on the same held-back rows, and what the new one gains. Shares in [0, 1]."""

    name: str
    present: Interval
    new: Interval
    gained: Interval


def compare(
    rows: Sequence[OfficerRow], present: FloatArray, new: FloatArray, bands: Sequence[float]
) -> list[Compared]:
    """Return how both bundles do on rows that taught neither, whole authors drawn for the intervals.

    Parameters
    ----------
    rows
        Held-back rows, n > 0.
    present, new
        Probabilities with which the service would judge them. Shape (n, 10).
    bands
        For each category, the probability from which a person is asked. Length 10.

    Raises
    ------
    InvalidInput
        If there are no rows.
    """
    if not rows:
        raise InvalidInput("no reviewed post is held back")
    of: dict[int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        of[row.author].append(place)
    clusters = [np.array(places) for _, places in sorted(of.items())]
    limits = np.asarray(bands, dtype=np.float32)
    before, after = _figures(rows, present, limits), _figures(rows, new, limits)
    return [_compared(name, before[name], after[name], clusters) for name in before]


def _figures(rows: Sequence[OfficerRow], harms: FloatArray, limits: FloatArray) -> dict[str, Figure]:
    """Return, by name, what gives each figure over the rows at some places."""
    harm = np.array([row.category is not None for row in rows], dtype=bool)
    column = np.array([HEADS.index(row.category.value) if row.category else -1 for row in rows])
    none = np.logical_not(harm)
    called = np.asarray((harms >= limits).any(axis=1), dtype=bool)
    left = np.logical_not(called)
    right = called & (np.argmax(harms - limits, axis=1) == column)
    found: dict[str, Figure] = {
        "harms that ask for a person": lambda at: measures.recall(harm[at], called[at]),
        "harmless posts left alone": lambda at: measures.recall(none[at], left[at]),
        "harms under the right category": lambda at: measures.recall(harm[at], right[at]),
        "harm against none, AUROC": _ranking(harm, harms.max(axis=1)),
    }
    for place, head in enumerate(HEADS):
        truth = np.asarray(column == place, dtype=bool)
        if FEWEST <= int(truth.sum()) <= len(rows) - FEWEST:
            found[f"{head}, AUROC"] = _ranking(truth, harms[:, place])
    return found


def _ranking(truth: measures.Labels, values: FloatArray) -> Figure:
    return lambda at: measures.auroc(truth[at], values[at])


def _compared(name: str, before: Figure, after: Figure, clusters: Sequence[Places]) -> Compared:
    return Compared(
        name,
        measures.clustered_interval(before, clusters),
        measures.clustered_interval(after, clusters),
        measures.clustered_interval(lambda at: after(at) - before(at), clusters),
    )


def report(
    made: Refitted,
    present: str,
    admitted: Admitted,
    compared: Sequence[Compared],
    *,
    gate: str,
    now: datetime,
) -> str:
    """Return the report that lies next to the new bundle, in Markdown. No text of a post is in it."""
    taught_by = len({row.officer for row in admitted.teach})
    judged_by = len({row.author for row in admitted.held_back})
    made_from = (
        f"Made {now:%Y-%m-%d %H:%M} UTC from the recipe's texts and {len(admitted.teach)} reviewed posts, "
        f"decided by {taught_by} officers. It judges nothing until it is switched on."
    )
    judged_on = (
        f"{len(admitted.held_back)} reviewed posts by {judged_by} authors of whom no post taught. "
        "95 % bootstrap intervals, authors drawn whole. Reviewed posts are those that something held: these "
        "figures compare two bundles and say nothing about the stream."
    )
    lines = [
        f"# {made.name} beside {present}",
        "",
        made_from,
        "",
        f"**The gate:** {gate}",
        "",
        "## What taught",
        "",
        "| harm | reviewed posts |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in made.taught.items()),
        "",
        "| left out | posts |",
        "|---|---|",
        f"| the same words were decided differently | {admitted.contradicted} |",
        f"| words of a post that is held back | {admitted.held_back_words} |",
        f"| words that another post has said already | {admitted.repeated} |",
        f"| beyond one officer's share | {admitted.over_share} |",
        "",
        "## On posts that taught neither",
        "",
        judged_on,
        "",
        f"| figure | {present} | {made.name} | gained |",
        "|---|---|---|---|",
        *(f"| {one.name} | {one.present} | {one.new} | {_verdict(one.gained)} |" for one in compared),
        "",
    ]
    return "\n".join(lines)


def _verdict(gained: Interval) -> str:
    """Return a difference with its interval, and in bold where it is more than chance."""
    written = f"{gained.value:+.3f} ({gained.lower:+.3f} to {gained.upper:+.3f})"
    return f"**{written}**" if gained.lower > 0.0 or gained.upper < 0.0 else written
