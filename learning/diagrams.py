"""Draw how far probabilities can be believed, as SVG, in nothing but text.

One panel a head: on the level what was promised, upwards what came, the diagonal where both agree,
and below it how many texts stand behind each point. Nothing of any text is drawn.

Neighbours: `measures` makes the tables; `tingjian evaluate scores --reliability` and whoever makes a
bundle write the drawing.

Source
------
DeGroot and Fienberg (1983), The comparison and evaluation of forecasters (reliability diagrams).
"""

from collections.abc import Mapping
from html import escape
from typing import Final

from learning.measures import Labels, Reliability, Scores, calibration_error, reliability

SIDE: Final = 180
"""Length of a panel's side, in pixels of the drawing."""

ACROSS: Final = 4
"""Panels in one row."""

_LEFT, _TOP, _BETWEEN, _COUNTS = 34, 26, 40, 30


def reliability_diagram(heads: Mapping[str, tuple[Labels, Scores]], bins: int = 10) -> str:
    """Return an SVG document with one reliability diagram for each head.

    Parameters
    ----------
    heads
        By name: labels of shape (n,), and probabilities of shape (n,) in [0, 1].
    bins
        Equal intervals of [0, 1]; an empty one has no point.

    Raises
    ------
    ValueError
        If there is no head, or one without a row.
    """
    if not heads or any(not len(labels) for labels, _ in heads.values()):
        raise ValueError("a reliability diagram needs heads with rows")
    across = min(ACROSS, len(heads))
    down = -(-len(heads) // ACROSS)
    width = across * (SIDE + _LEFT + 16)
    height = down * (SIDE + _TOP + _BETWEEN + _COUNTS)
    panels = [
        _panel(name, labels, probabilities, bins, place)
        for place, (name, (labels, probabilities)) in enumerate(heads.items())
    ]
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                f'width="{width}" height="{height}" font-family="sans-serif" font-size="10">'
            ),
            "<title>Reliability of each head</title>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *panels,
            "</svg>\n",
        ]
    )


def _panel(name: str, labels: Labels, probabilities: Scores, bins: int, place: int) -> str:
    """Return one head's diagram at its place of the drawing."""
    table = reliability(labels, probabilities, bins)
    error = calibration_error(labels, probabilities, bins)
    left = (place % ACROSS) * (SIDE + _LEFT + 16) + _LEFT
    top = (place // ACROSS) * (SIDE + _TOP + _BETWEEN + _COUNTS) + _TOP
    parts = [
        f'<g transform="translate({left},{top})">',
        f'<text x="0" y="-10" font-size="12">{escape(name)}: ECE {error:.3f}, n {len(labels)}</text>',
        f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#767676"/>',
        f'<path d="M0 {SIDE} L{SIDE} 0" stroke="#767676" stroke-dasharray="4 3"/>',
        *(_tick(share) for share in (0.0, 0.5, 1.0)),
        *_counts(table, bins),
        *_line(table),
        f'<text x="{SIDE / 2}" y="{SIDE + 26}" text-anchor="middle">promised</text>',
        (
            f'<text x="-24" y="{SIDE / 2}" text-anchor="middle" '
            f'transform="rotate(-90 -24 {SIDE / 2})">came</text>'
        ),
        "</g>",
    ]
    return "\n".join(parts)


def _tick(share: float) -> str:
    along = round(share * SIDE, 1)
    return (
        f'<text x="{along}" y="{SIDE + 13}" text-anchor="middle">{share:g}</text>'
        f'<text x="-5" y="{round(SIDE - along + 3, 1)}" text-anchor="end">{share:g}</text>'
    )


def _line(table: list[Reliability]) -> list[str]:
    """Return the points, joined; each says on request what it stands for."""
    spots = [(round(row.promised * SIDE, 1), round((1.0 - row.came) * SIDE, 1)) for row in table]
    path = " L".join(f"{x} {y}" for x, y in spots)
    return [
        f'<path d="M{path}" fill="none" stroke="#0b5cad" stroke-width="1.5"/>',
        *(
            f'<circle cx="{x}" cy="{y}" r="3" fill="#0b5cad">'
            f"<title>promised {row.promised:.3f}, came {row.came:.3f}, {row.count} texts</title></circle>"
            for (x, y), row in zip(spots, table, strict=True)
        ),
    ]


def _counts(table: list[Reliability], bins: int) -> list[str]:
    """Return a bar under the panel for each interval, as long as its share of the texts."""
    most = max(row.count for row in table)
    bars = []
    for row in table:
        length = round(_COUNTS * row.count / most, 1)
        bars.append(
            f'<rect x="{round(row.lower * SIDE, 1)}" y="{SIDE + _BETWEEN - 10}" '
            f'width="{round(SIDE / bins - 1, 1)}" height="{length}" fill="#9db8d6"/>'
        )
    return bars
