"""Cut the text of a post at its marked passages, so that a page can show exactly what was found.

Offsets are code points of the original text. Spans may overlap, repeat, or reach past the end (an
edit may have shortened the text): they are joined and clipped, never refused.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final


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


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text as it is shown, or the name of one character that nobody could see."""

    text: str
    control: str = ""


_UNSEEN: Final = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e"
    "\\u2060-\\u2064\\u2066-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]"
)
"""What turns the direction of a text, hides in it or has no shape; not the joiner of pictures."""


def pieces(text: str) -> list[Piece]:
    """Return a text with its unseen characters named, in the order in which they were written.

    So a text that turns its own direction is read as it was written, and what hides in it is seen.
    """
    found: list[Piece] = []
    position = 0
    for match in _UNSEEN.finditer(text):
        if match.start() > position:
            found.append(Piece(text[position : match.start()]))
        found.append(Piece("", f"U+{ord(match[0]):04X}"))
        position = match.end()
    if position < len(text):
        found.append(Piece(text[position:]))
    return found


def excerpt(text: str, limit: int = 60) -> str:
    """Return the beginning of a text in one line, for a list."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
