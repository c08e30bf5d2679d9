"""Cut the text of a post at its marked passages, so that a page can show exactly what was found.

Offsets are code points of the original text. Spans may overlap, repeat, or reach past the end (an
edit may have shortened the text): they are joined and clipped, never refused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the text, marked or plain."""

    text: str
    marked: bool


def segments(text: str, spans: Iterable[Sequence[int]]) -> list[Segment]:
    """Return the text as segments in order; their texts joined are the text again."""
    found: list[Segment] = []
    position = 0
    for start, end in _joined(spans, len(text)):
        if start > position:
            found.append(Segment(text[position:start], marked=False))
        found.append(Segment(text[start:end], marked=True))
        position = end
    if position < len(text):
        found.append(Segment(text[position:], marked=False))
    return found


def _joined(spans: Iterable[Sequence[int]], length: int) -> list[tuple[int, int]]:
    clipped = sorted((max(0, int(one[0])), min(length, int(one[1]))) for one in spans)
    joined: list[tuple[int, int]] = []
    for start, end in clipped:
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def excerpt(text: str, limit: int = 60) -> str:
    """Return the beginning of a text in one line, for a list."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
