"""Measure screening on a suite of texts with known answers.

A suite's row says what must happen to its text: `allow` it, `act` on it, or `refer` it; and for the
last two under which category. The figures are counts, and shares between 0 and 1, as `tingjian
evaluate screening` prints them. Nothing here learns from a suite, and a text is never printed.

Neighbours: `pipeline` screens; `api/commands/evaluate_screening.py` prints.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from models.errors import InvalidInput
from models.vocabulary import Category, Verdict
from moderation.pipeline import Outcome

PLAIN: Final = frozenset(
    {"plain", "implicit", "pile_on", "solicit", "emotional", "repeat_offtopic", "unwanted_comment"}
)
"""Variants of a function that are written openly; the others disguise something."""

_PUBLISHED: Final = {
    Verdict.PUBLISH: "published",
    Verdict.HOLD: "held",
    Verdict.REMOVE: "removed",
    Verdict.REFER: "referred",
}


class Expectation(StrEnum):
    """What must happen to a text."""

    ALLOW = "allow"
    ACT = "act"
    REFER = "refer"


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """One text of a suite, without its text: what must happen to it, and what it stands for."""

    id: str
    function: str
    expect: Expectation
    category: Category | None

    def is_right(self, outcome: Outcome) -> bool:
        """Tell whether an outcome is what must happen."""
        if self.expect is Expectation.ALLOW:
            return outcome.verdict is Verdict.PUBLISH
        if self.expect is Expectation.REFER:
            return outcome.verdict is Verdict.REFER
        return outcome.verdict is not Verdict.PUBLISH


def suite_row(row: dict[str, Any], number: int) -> SuiteRow:
    """Return what a row of a suite expects.

    Raises
    ------
    InvalidInput
        If the row says nothing that can be expected of a text.
    """
    try:
        category = Category(row["category"]) if row.get("category") else None
        return SuiteRow(
            str(row.get("id", number)), str(row["function"]), Expectation(row["expect"]), category
        )
    except (KeyError, ValueError) as error:
        raise InvalidInput(
            f"row {number} needs function, expect (allow, act, refer) and a category of the closed list"
        ) from error


def figures(rows: Sequence[SuiteRow], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return counts of verdicts by expectation, and acted and right by category.

    `published`, `held`, `removed` and `referred` are shares of n, `acted` the share that was not
    published, `right` the share of n that was acted upon under the row's own category. All in
    [0, 1]; 0 where n is 0.
    """
    verdicts: dict[Expectation, Counter[Verdict]] = {expect: Counter() for expect in Expectation}
    acted: Counter[Category] = Counter()
    right: Counter[Category] = Counter()
    total: Counter[Category] = Counter()
    for row, outcome in zip(rows, outcomes, strict=True):
        verdicts[row.expect][outcome.verdict] += 1
        if row.expect is Expectation.ALLOW or row.category is None:
            continue
        total[row.category] += 1
        if outcome.verdict is not Verdict.PUBLISH:
            acted[row.category] += 1
            right[row.category] += outcome.category is row.category
    return {
        "expect": {
            expect.value: {
                "n": counts.total(),
                **{word: _share(counts[verdict], counts.total()) for verdict, word in _PUBLISHED.items()},
            }
            for expect, counts in verdicts.items()
        },
        "category": {
            category.value: {
                "n": total[category],
                "acted": _share(acted[category], total[category]),
                "right": _share(right[category], total[category]),
            }
            for category in Category
            if total[category]
        },
    }


@dataclass(frozen=True, slots=True)
class FunctionFigures:
    """How one function went: rows, rows that went right, and under which verdicts."""

    function: str
    expect: Expectation
    n: int
    right: int
    verdicts: dict[Verdict, int]
    is_disguised: bool


def by_function(rows: Sequence[SuiteRow], outcomes: Sequence[Outcome]) -> list[FunctionFigures]:
    """Return the figures of each function, by name."""
    groups: dict[tuple[str, Expectation], list[tuple[SuiteRow, Outcome]]] = defaultdict(list)
    for row, outcome in zip(rows, outcomes, strict=True):
        groups[row.function, row.expect].append((row, outcome))
    return [
        FunctionFigures(
            function=function,
            expect=expect,
            n=len(group),
            right=sum(row.is_right(outcome) for row, outcome in group),
            verdicts=dict(Counter(outcome.verdict for _, outcome in group)),
            is_disguised=expect is Expectation.ACT and function.partition(":")[2] not in PLAIN,
        )
        for (function, expect), group in sorted(groups.items())
    ]


def missed(rows: Sequence[SuiteRow], outcomes: Sequence[Outcome]) -> Iterable[tuple[SuiteRow, Outcome]]:
    """Give the rows that went wrong, a wrong category included."""
    for row, outcome in zip(rows, outcomes, strict=True):
        wrong_category = row.category is not None and outcome.category is not row.category
        if not row.is_right(outcome) or wrong_category:
            yield row, outcome


def lower_bound(right: int, total: int, confidence: float = 0.95) -> float:
    """Return the lower bound of a share, one-sided, in [0, 1].

    Parameters
    ----------
    right
        Trials that came out right, 0 <= right <= total.
    total
        Trials. With none, nothing is known and the bound is 0.
    confidence
        How sure the bound is, in (0, 1).

    Source
    ------
    Clopper and Pearson (1934), Biometrika 26, 404-413; found by halving, to within 1e-9.
    """
    if not 0 <= right <= total or not 0.0 < confidence < 1.0:
        raise ValueError(
            f"need 0 <= right <= total and 0 < confidence < 1, got {right}, {total}, {confidence}"
        )
    if right == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        if _at_least(right, total, middle) < 1.0 - confidence:
            low = middle
        else:
            high = middle
    return low


def _at_least(right: int, total: int, share: float) -> float:
    """Return the chance of at least `right` successes in `total` trials at a given share."""
    if share <= 0.0:
        return 0.0
    log, rest = math.log(share), math.log1p(-share)
    return sum(
        math.exp(
            math.lgamma(total + 1)
            - math.lgamma(k + 1)
            - math.lgamma(total - k + 1)
            + k * log
            + (total - k) * rest
        )
        for k in range(right, total + 1)
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
