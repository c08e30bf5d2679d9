"""Show what a text was folded to, beside what its author wrote: two rows that line up.

A rule matches the folded text, so an officer has to see what the rule saw. Only what changed is
shown, each change with the few characters around it, original above folded.

The module is pure: a text in, frozen values out. Neighbours: `normalise` folds; the console shows.
"""

from dataclasses import dataclass
from typing import Final

from moderation.normalise import Folded, ViewName

AROUND: Final = 4
"""Characters of the original before and after a change, so that one sees where it stands."""

MOST: Final = 30
"""Changes shown of one text."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One stretch that folding changed, in code points of the original, with what stands around it."""

    start: int
    end: int
    before: str
    original: str
    folded: str
    after: str


def changes(text: str, *, view: ViewName = ViewName.JOINED, most: int = MOST) -> list[Changed]:
    """Return the stretches of `text` that a view shows otherwise, in order.

    Stretches that touch are one. What the view leaves out has an empty `folded`.
    """
    folded = Folded(text)
    found: list[list[int | str]] = []
    reached = 0
    shown = folded.text(view)
    for (start, end), character in zip(folded.spans(view), shown, strict=True):
        if start > reached:
            _add(found, reached, start, "")
        replaced_as_a_whole = end <= reached  # one more character of the same passage
        if replaced_as_a_whole or text[start:end] != character:
            _add(found, start, end, character)
        reached = max(reached, end)
    if reached < len(text):
        _add(found, reached, len(text), "")
    return [
        Changed(
            start=int(start),
            end=int(end),
            before=text[max(0, int(start) - AROUND) : int(start)],
            original=text[int(start) : int(end)],
            folded=str(new),
            after=text[int(end) : int(end) + AROUND],
        )
        for start, end, new in found[:most]
        if not (text[int(start) : int(end)].isspace() and not str(new))
    ]


def _add(found: list[list[int | str]], start: int, end: int, new: str) -> None:
    if found and int(found[-1][1]) >= start:
        found[-1][1] = max(int(found[-1][1]), end)
        found[-1][2] = str(found[-1][2]) + new
    else:
        found.append([start, end, new])
