"""Measure classifiers on every visible set, always beside the protected suite.

Each is judged twice: alone, where its probabilities meet the policy's bands and nothing else speaks, and
in the whole screening with the rules. On labelled sets a threshold is chosen on the dev file, never on
the file that is judged. Nothing learns here but the baselines, from the lessons of the linear recipe.

Refuses: to judge on a set that is not there; it is named as missing.

Neighbours: `labelled` reads and scores; `commands/scoreboard` writes the page; `moderation/evaluation`
counts verdicts; `sentiment/pipeline` reads needs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from api.commands.evaluate_cloaked import SCREENED, Loss, losses
from api.commands.evaluate_needs import measured as needs_measured
from api.commands.rows import rows_of
from api.labelled import (
    Labelled,
    columns_of,
    largest,
    measuring_screener,
    outcomes_of,
    probabilities_of,
    read_labelled,
)
from learning import measures
from learning.bundle import Bundle
from learning.measures import Interval, Labels, Places
from models.vocabulary import Domain, Tone, Verdict
from moderation.evaluation import Expectation, SuiteRow, suite_row
from moderation.pipeline import Outcome, Screener
from sentiment.pipeline import load_reader
from sentiment.place import load_gazetteer

Tell = Callable[[str], None]

OFFENCE: Final = "harassment,hate"
SUITES: Final = ("protected", "violations", "refer")


@dataclass(frozen=True, slots=True)
class Sets:
    """Where the sets lie, which half judges, and how many rows of each are taken (0: all)."""

    data: Path
    suites: Path
    half: str = "test"
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A classifier under its name. `reads` tells whether it reads needs itself."""

    name: str
    bundle: Bundle
    reads: bool = True


@dataclass(frozen=True, slots=True)
class Suite:
    """Verdicts on a suite, each a share of its texts with its interval."""

    acted: Interval
    right: Interval
    referred: Interval
    near_misses_left_alone: Interval
    removed: int
    held: int
    referred_wrongly: int
    protected: int


@dataclass(slots=True)
class Result:
    """Everything measured of one classifier. What could not be measured is None or empty."""

    name: str
    posts_a_second: float | None = None
    cold: dict[str, Interval] = field(default_factory=dict)
    swsr: dict[str, Interval] = field(default_factory=dict)
    harm: dict[str, Interval] = field(default_factory=dict)
    harm_acted: dict[str, Interval] = field(default_factory=dict)
    harm_of_all: float | None = None
    alone: Suite | None = None
    whole: Suite | None = None
    needs: dict[str, Any] | None = None
    cloaked: list[Loss] = field(default_factory=list)


def missing(sets: Sets) -> list[str]:
    """Return the sets that are not there."""
    wanted = [sets.suites / f"{name}.jsonl" for name in (*SUITES, "needs")]
    wanted += [
        sets.data / name / f"{half}.jsonl.gz"
        for name in ("cold", "swsr", "chineseharm")
        for half in dict.fromkeys(("dev", sets.half))
    ]
    return [str(path) for path in wanted if not path.is_file()]


def judged(contestant: Contestant, sets: Sets, tell: Tell) -> Result:
    """Return what one classifier does on every set.

    Raises
    ------
    InvalidInput
        If a set that is there cannot be read.
    """
    result = Result(contestant.name)
    whole = measuring_screener(contestant.bundle)
    alone = measuring_screener(contestant.bundle, rules=False)
    for name, positive, negative, columns in (
        ("cold", "offensive", None, OFFENCE),
        ("swsr", "sexist", None, f"{OFFENCE},sexual"),
        ("chineseharm", None, "normal", "all"),
    ):
        folder = sets.data / name
        if not all((folder / f"{half}.jsonl.gz").is_file() for half in ("dev", sets.half)):
            continue
        rows, other = (
            read_labelled(folder / f"{half}.jsonl.gz", positive=positive, negative=negative, limit=sets.limit)
            for half in (sets.half, "dev")
        )
        _judge_labelled(result, name, whole, (rows, other), columns_of(columns))
        tell(f"{contestant.name}: {name}")
        if name == "cold":
            result.cloaked = losses(contestant.bundle, rows, other, columns_of(columns), ways=(SCREENED,))
            tell(f"{contestant.name}: cloaked copies")
    if all((sets.suites / f"{name}.jsonl").is_file() for name in SUITES):
        result.alone = suite_of(alone, sets)
        result.whole = suite_of(whole, sets)
        tell(f"{contestant.name}: suites")
    needs = sets.suites / "needs.jsonl"
    if contestant.reads and needs.is_file():
        result.needs = _needs(contestant.bundle, needs, sets.limit)
    return result


def _judge_labelled(
    result: Result,
    name: str,
    screener: Screener,
    files: tuple[Labelled, Labelled],
    columns: Sequence[int],
) -> None:
    """Judge one labelled set, as the service screens it, and write the figures into `result`."""
    rows, other = files
    outcomes_of(screener, rows.texts[:1])  # The first text compiles the rules, which is no part of the speed.
    begun = time.perf_counter()
    outcomes = outcomes_of(screener, rows.texts)
    seconds = time.perf_counter() - begun
    values = largest(probabilities_of(outcomes), columns)
    chosen = largest(probabilities_of(outcomes_of(screener, other.texts)), columns)
    # On a set of which most rows are harms, accuracy would choose to call everything one.
    threshold = measures.best_threshold(other.truth, chosen, balanced=name == "chineseharm")
    found = _labelled(rows.truth, values >= threshold)
    found["auroc"] = measures.interval(lambda at: measures.auroc(rows.truth[at], values[at]), len(rows))
    if name == "cold":
        result.cold, result.posts_a_second = found, len(rows) / max(seconds, 1e-9)
    elif name == "swsr":
        result.swsr = found
    else:
        acted = np.array([outcome.verdict is not Verdict.PUBLISH for outcome in outcomes], dtype=bool)
        result.harm, result.harm_acted = found, _labelled(rows.truth, acted)
        result.harm_of_all = measures.f1(rows.truth, np.ones_like(rows.truth))


def _labelled(truth: Labels, called: Labels) -> dict[str, Interval]:
    """Return the figures of calls against labels, with intervals."""
    of: dict[str, Callable[[Any, Any], float]] = {
        "accuracy": measures.accuracy,
        "balanced_accuracy": measures.balanced_accuracy,
        "precision": measures.precision,
        "recall": measures.recall,
        "f1": measures.f1,
        "macro_f1": measures.macro_f1,
    }
    found = {name: _interval(measure, truth, called) for name, measure in of.items()}
    found["called"] = _share(called)
    return found


def _interval(measure: Callable[[Any, Any], float], truth: Labels, called: Labels) -> Interval:
    return measures.interval(lambda at: measure(truth[at], called[at]), len(truth))


def _share(right: Labels) -> Interval:
    """Return the share of rows that are right. Of no rows, nothing is known."""
    if not len(right):
        return Interval(0.0, 0.0, 1.0)

    def share(at: Places) -> float:
        return float(right[at].mean())

    return measures.interval(share, len(right))


def suite_of(screener: Screener, sets: Sets) -> Suite:
    """Return the verdicts on the three functional suites."""
    rows: list[SuiteRow] = []
    texts: list[str] = []
    kept = 0
    for name in SUITES:
        found = rows_of(sets.suites / f"{name}.jsonl", ("function", "expect"))
        chosen = found[:: max(1, len(found) // sets.limit)] if sets.limit else found
        rows += [suite_row(row, number) for number, row in enumerate(chosen, start=1)]
        texts += [row["text"] for row in chosen]
        kept = len(chosen) if name == "protected" else kept
    outcomes = outcomes_of(screener, texts)
    protected = outcomes[:kept]
    pairs = list(zip(rows[kept:], outcomes[kept:], strict=True))
    act = [pair for pair in pairs if pair[0].expect is Expectation.ACT]
    refer = [pair for pair in pairs if pair[0].expect is Expectation.REFER]
    near = [pair for pair in pairs if pair[0].expect is Expectation.ALLOW]
    return Suite(
        acted=_share(np.array([row.is_right(outcome) for row, outcome in act], dtype=bool)),
        right=_share(np.array([_is_right_category(row, outcome) for row, outcome in act], dtype=bool)),
        referred=_share(np.array([row.is_right(outcome) for row, outcome in refer], dtype=bool)),
        near_misses_left_alone=_share(np.array([row.is_right(outcome) for row, outcome in near], dtype=bool)),
        removed=sum(outcome.verdict is Verdict.REMOVE for outcome in protected),
        held=sum(outcome.verdict is Verdict.HOLD for outcome in protected),
        referred_wrongly=sum(outcome.verdict is Verdict.REFER for outcome in protected),
        protected=kept,
    )


def _is_right_category(row: SuiteRow, outcome: Outcome) -> bool:
    return outcome.verdict is not Verdict.PUBLISH and outcome.category is row.category


def _needs(bundle: Bundle, file: Path, limit: int) -> dict[str, Any]:
    """Return how needs, domains and tones are read."""
    rows = rows_of(file, ("text", "domain", "tone", "need", "place"))
    rows = rows[:: max(1, len(rows) // limit)] if limit else rows
    words = [(Domain(row["domain"]), Tone(row["tone"])) for row in rows]
    reader = load_reader(bundle, load_gazetteer())
    return needs_measured(
        rows, words, reader.read([row["text"] for row in rows], [row.get("org") for row in rows])
    )
