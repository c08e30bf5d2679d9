"""Read labelled files, and score their texts: bare, and as the service screens them.

Bare is what a bundle answers to the text as it was written. Screened is what stands beside a
verdict: where a post is disguised the bundle reads it without the disguise as well, and the higher
probability counts. For measuring alone a bundle need not have passed the door; nothing that is
opened here ever decides about a post.

Neighbours: `commands/evaluate_scores`, `evaluate_cloaked` and `scoreboard` print what comes of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from api.commands.rows import rows_of
from learning.bundle import Bundle, FloatArray
from learning.encoder import HARM_COLUMNS
from learning.measures import Labels, Likely
from learning.training.recipe import read_cascade_recipe
from learning.training.sources import mark
from models.errors import InvalidInput
from models.vocabulary import Category
from moderation.pipeline import Outcome, Screener
from moderation.policy import load_policy
from moderation.rulebook import read_rulebook
from moderation.settings import SHIPPED_POLICY, SHIPPED_RULEBOOKS

AT_ONCE: Final = 512
ALL: Final = "all"
"""Stands for every category of the closed list."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """n texts with their labels, and whether each is one that is to be found. `truth` has shape (n,)."""

    texts: list[str]
    labels: list[str]
    truth: Labels

    def __len__(self) -> int:
        return len(self.texts)


def read_labelled(
    file: Path, *, positive: str | None, negative: str | None = None, field: str = "label", limit: int = 0
) -> Labelled:
    """Return the rows of a file: either `positive` is to be found, or all that is not `negative`.

    With a `limit`, rows are taken at even steps through the file, so that a file sorted by its labels
    is not cut to one of them.

    Raises
    ------
    InvalidInput
        If the file cannot be read, a row lacks a text or a label, both or neither label is named, or
        no row has the label that is.
    """
    if (positive is None) == (negative is None):
        raise InvalidInput("name either the label to find or the one that is not to be found")
    rows = rows_of(file, (field,))
    labels = [str(row[field]) for row in rows]
    named = positive if positive is not None else negative
    if named not in labels:
        raise InvalidInput(f"no row of {file.name} has the label {named}", field="/positive")
    if limit and limit < len(rows):
        chosen = np.linspace(0, len(rows) - 1, limit).astype(int)
        rows, labels = [rows[place] for place in chosen], [labels[place] for place in chosen]
    truth = np.array([(label == named) is (positive is not None) for label in labels], dtype=bool)
    return Labelled([row["text"] for row in rows], labels, truth)


def read_again(rows: Labelled, second: Path) -> Likely:
    """Return what the labels of `rows` and a second reading of them make likely, NaN where there is none.

    The file holds a mark and a letter on each line; what a pair of label and letter is worth stands in the
    recipe of the cascade that ships.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or reads none of the rows.
    """
    tuning = read_cascade_recipe("cascade")[0].tuning
    worth = {**tuning.readings, **tuning.worth}
    try:
        lines = second.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"no second reading can be read from {second.name}") from error
    letters = {name: letter for name, _, letter in (line.partition("\t") for line in lines)}
    result = np.array(
        [
            worth.get(f"{label}:{letters.get(mark(text), '')}", np.nan)
            for text, label in zip(rows.texts, rows.labels, strict=True)
        ]
    )
    if np.isnan(result).all():
        raise InvalidInput(f"{second.name} reads none of the rows")
    return result


def columns_of(categories: str) -> list[int]:
    """Return the columns of categories that are separated by commas; "all" stands for every one.

    Raises
    ------
    InvalidInput
        If one is not on the closed list.
    """
    if categories.strip() == ALL:
        return list(range(len(HARM_COLUMNS)))
    try:
        return [HARM_COLUMNS.index(Category(name.strip())) for name in categories.split(",")]
    except ValueError as error:
        known = ", ".join(HARM_COLUMNS)
        raise InvalidInput(f"categories must be {ALL}, or among {known}", field="/categories") from error


def measuring_screener(bundle: Bundle, *, rules: bool = True) -> Screener:
    """Return a screener that measures and decides nothing; without `rules` the bundle speaks alone."""
    packs = [SHIPPED_RULEBOOKS] if rules else []
    return Screener(read_rulebook(packs, []), load_policy(SHIPPED_POLICY), bundle, sparing=False)


def bare_harms(bundle: Bundle, texts: Sequence[str]) -> FloatArray:
    """Return what the bundle answers to the texts as they stand. Shape (n, 10)."""
    parts = [bundle.harms(texts[at : at + AT_ONCE]) for at in range(0, len(texts), AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros((0, len(HARM_COLUMNS)), dtype=np.float32)


def outcomes_of(screener: Screener, texts: Sequence[str]) -> list[Outcome]:
    """Return the outcome of each text, in batches of the size that a file is screened in."""
    return [
        outcome
        for at in range(0, len(texts), AT_ONCE)
        for outcome in screener.screen(texts[at : at + AT_ONCE])
    ]


def probabilities_of(outcomes: Sequence[Outcome]) -> FloatArray:
    """Return the probabilities beside the verdicts. Shape (n, 10)."""
    rows = [[outcome.probabilities[word] for word in HARM_COLUMNS] for outcome in outcomes]
    return np.array(rows, dtype=np.float32).reshape(len(outcomes), len(HARM_COLUMNS))


def screened_harms(screener: Screener, texts: Sequence[str]) -> FloatArray:
    """Return the probabilities with which the texts would be judged. Shape (n, 10)."""
    return probabilities_of(outcomes_of(screener, texts))


def largest(harms: FloatArray, columns: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return each row's largest probability among some columns. Shape (n,)."""
    found: npt.NDArray[np.float32] = harms[:, list(columns)].max(axis=1)
    return found
