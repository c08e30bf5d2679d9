"""Write what the scoreboard measured as a page of Markdown.

Every table ends with what the classifier does to texts that the charter protects. Figures stand with
their intervals; what was not measured is a dash and never a zero.

Neighbours: `scoreboard` measures; `commands/scoreboard` says when and where.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from api.scoreboard import Result, Suite
from learning.measures import Interval
from moderation.cloaking import Cloak

NOTHING: Final = "–"
_HOW: Final = (
    "Shares are between 0 and 1, with 95 % bootstrap intervals. Thresholds are chosen on the dev half. "
    "Texts are scored as the service screens them: a disguise is taken off first. The suites are visible and "
    "guided the work, so they flatter our rules. The baselines learn the lessons of our linear recipe, so "
    "they are no straw men. The bag of subwords stands where fastText would, which comes as no ready wheel."
)
_ALONE: Final = (
    "*Alone* is the classifier under the policy's bands; *with rules* is the service. The last column is "
    "texts that the charter protects: removed, held, referred."
)
_SPEED: Final = (
    "Whole screening of COLD in one process. The ratio to a 12-layer model stands in "
    "[measurements](measurements.md)."
)


def page(results: Sequence[Result], absent: Sequence[str], head: str) -> str:
    """Return the page in Markdown."""
    parts = [
        "# Scoreboard",
        head,
        _HOW,
        "## Offence, sexism, harm",
        _labelled_table(results),
        _harm_note(results),
        "## Functional suites",
        _ALONE,
        _suite_table(results),
        "## Cloaked copies of COLD",
        "Points of accuracy lost, over the same texts plain and cloaked (wanted: at most 3 each).",
        _cloaked_table(results),
        "## Needs",
        _needs_table(results),
        "## Speed",
        _SPEED,
        _table(
            ("classifier", "posts/s"),
            [(one.name, f"{one.posts_a_second:,.0f}" if one.posts_a_second else NOTHING) for one in results],
        ),
    ]
    if absent:
        names = ", ".join(f"`{Path(path).parent.name}/{Path(path).name}`" for path in absent)
        parts.insert(2, f"Not there, and left out: {names}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(figures: Mapping[str, Interval], name: str) -> str:
    return str(figures[name]) if name in figures else NOTHING


def _protected(suite: Suite | None) -> str:
    if suite is None:
        return NOTHING
    return f"{suite.removed}, {suite.held}, {suite.referred_wrongly} of {suite.protected}"


def _labelled_table(results: Sequence[Result]) -> str:
    head = (
        "classifier",
        "COLD accuracy",
        "COLD macro F1",
        "COLD AUROC",
        "SWSR macro F1",
        "chineseharm F1",
        "precision",
        "recall",
        "balanced accuracy",
        "AUROC",
        "called harm",
        "F1 of acting, with rules",
        "protected, with rules",
    )
    rows = [
        (
            one.name,
            *(_cell(one.cold, name) for name in ("accuracy", "macro_f1", "auroc")),
            _cell(one.swsr, "macro_f1"),
            *(
                _cell(one.harm, name)
                for name in ("f1", "precision", "recall", "balanced_accuracy", "auroc", "called")
            ),
            _cell(one.harm_acted, "f1"),
            _protected(one.whole),
        )
        for one in results
    ]
    return _table(head, rows)


def _harm_note(results: Sequence[Result]) -> str:
    """Return what calling everything a harm would get, so that nobody is fooled by a high F1."""
    known = [one.harm_of_all for one in results if one.harm_of_all is not None]
    if not known:
        return ""
    return (
        f"Calling every text of chineseharm a harm gets F1 **{known[0]:.3f}**, balanced accuracy 0.500: most "
        "of its rows are harms. A classifier says something there only with a balanced accuracy above it."
    )


def _suite_table(results: Sequence[Result]) -> str:
    head = (
        "classifier",
        "judged",
        "violations acted on",
        "under the right category",
        "referred to help",
        "near misses left alone",
        "protected: removed, held, referred",
    )
    rows = []
    for one in results:
        for name, suite in (("alone", one.alone), ("with rules", one.whole)):
            if suite is None:
                continue
            shares = (suite.acted, suite.right, suite.referred, suite.near_misses_left_alone)
            rows.append((one.name, name, *map(str, shares), _protected(suite)))
    return _table(head, rows)


def _cloaked_table(results: Sequence[Result]) -> str:
    kinds = [kind.value for kind in Cloak]
    rows = []
    for one in results:
        lost = {loss.kind: loss.lost for loss in one.cloaked}
        cells = [
            f"{lost[kind].value:+.2f} ({lost[kind].lower:+.2f} to {lost[kind].upper:+.2f})"
            if kind in lost
            else NOTHING
            for kind in kinds
        ]
        rows.append((one.name, *cells, _protected(one.whole)))
    return _table(("classifier", *kinds, "protected, with rules"), rows)


def _needs_table(results: Sequence[Result]) -> str:
    rows = [
        (
            one.name,
            f"{one.needs['domain']['accuracy']:.3f}",
            f"{one.needs['need']['f1']:.3f}",
            f"{one.needs['tone']['macro_f1']:.3f}",
            f"{one.needs['place']['exact']:.3f}",
            _protected(one.whole),
        )
        for one in results
        if one.needs is not None
    ]
    return _table(
        ("classifier", "domain accuracy", "need F1", "tone macro F1", "place exact", "protected, with rules"),
        rows,
    )
