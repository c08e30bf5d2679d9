"""How probable it is that two posts voice the same need, and out of which parts. Pure.

A small logistic scorer weighs meaning (vectors), shared rare words, shared topics, the domain,
the organisation and the time between them. Its coefficients are committed in
`sentiment/tables/grouping.json`, fitted by `scripts/fit_grouping.py` on months that the project
wrote itself; nothing is fitted where it is judged.

Neighbours: `clustering` groups by it; each join keeps its parts for the officer's card.
"""

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt
import rjieba

from sentiment.demand.traffic import Traffic

FloatArray = npt.NDArray[np.float32]
Terms = npt.NDArray[np.uint32]

TABLE: Final = Path(__file__).parent.parent / "tables" / "grouping.json"
PARTS: Final = (
    "meaning",
    "words",
    "topic",
    "no_topic",
    "domain",
    "same_organisation",
    "common_board",
    "same_organisation_topic",
    "days_apart",
    "need",
    "same_organisation_domain",
    "other_organisation_topic",
    "busy_board",
    "busy_everywhere",
)
TERM_COLUMNS: Final = 256
WORD_WEIGHT: Final = 1.0
BIGRAM_WEIGHT: Final = 0.6
_PAIRS_AT_ONCE: Final = 32
_NOT_A_WORD: Final = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Item:
    """What grouping knows of one post. No text and no name: terms, and an opaque author.

    Attributes
    ----------
    key
        Identifier of the post.
    author
        Opaque key of the author; authors are counted, never compared.
    organisation
        Path in the tree where the post stands.
    day
        When it was posted, in days since the epoch.
    terms
        Shape (m,) uint32: hashes of character bigrams and words (`terms_of`).
    topics
        Shape (t,): unit vector or zeros (`topics.Topics.profile`).
    vector
        Shape (d,): unit vector of the bundle.
    domain
        Shape (15,): probabilities, columns as in `Domain`.
    need
        Probability that something is asked.
    copy_of
        Fingerprint of the folded text; equal ones are copies.
    place
        The place that it names, or None.
    """

    key: str
    author: str
    organisation: str
    day: float
    terms: Terms
    topics: FloatArray
    vector: FloatArray
    domain: FloatArray
    need: float
    copy_of: str = ""
    place: str | None = None


def terms_of(text: str) -> Terms:
    """Return the character bigrams and words of `text` as sorted hashes, each once. Shape (m,) uint32.

    The last bit tells a word from a bigram. Hashes and not strings: grouping needs to know what two
    posts share, not what it says.
    """
    pieces = [piece for piece in _NOT_A_WORD.split(text.lower()) if piece]
    bigrams = {piece[at : at + 2] for piece in pieces for at in range(len(piece) - 1)}
    words = {word for piece in pieces for word in rjieba.cut(piece) if len(word) > 1}
    hashed = {crc32(term.encode()) & ~1 for term in bigrams} | {crc32(word.encode()) | 1 for word in words}
    return np.array(sorted(hashed), dtype=np.uint32)


@dataclass(frozen=True)
class Profiles:
    """The items as arrays, row by row. `rarity` was counted over all of them."""

    vectors: FloatArray
    terms: FloatArray
    topics: FloatArray
    domains: FloatArray
    need: FloatArray
    days: npt.NDArray[np.float64]
    organisations: npt.NDArray[np.int32]
    on_common_board: npt.NDArray[np.bool_]
    board_busy: FloatArray
    all_busy: FloatArray


def profile(items: Sequence[Item]) -> Profiles:
    """Return the arrays of `items`. A board is common if it stands at the root of the tree.

    A term counts by how rare it is among the items: log((n + 1) / (count + 1/2)). Terms are hashed
    with a sign into 256 columns, so that the size does not grow with the vocabulary.
    """
    traffic = Traffic()
    traffic.add(traffic.marks(items))
    n = len(items)
    lengths = np.array([len(item.terms) for item in items])
    every = np.concatenate([item.terms for item in items]).astype(np.uint32)
    _, kind, counts = np.unique(every, return_inverse=True, return_counts=True)
    weight = np.log((n + 1) / (counts[kind] + 0.5)) * np.where(every & 1, WORD_WEIGHT, BIGRAM_WEIGHT)
    signed = np.where(every & 0x80000000, weight, -weight)
    cell = np.repeat(np.arange(n), lengths) * TERM_COLUMNS + (every >> 1) % TERM_COLUMNS
    terms = np.bincount(cell, weights=signed, minlength=n * TERM_COLUMNS).astype(np.float32)
    terms = terms.reshape(n, TERM_COLUMNS)
    terms /= np.maximum(np.linalg.norm(terms, axis=1, keepdims=True), 1e-6)
    numbers: dict[str, int] = {}
    return Profiles(
        vectors=np.stack([item.vector for item in items]).astype(np.float32),
        terms=terms,
        topics=np.stack([item.topics for item in items]).astype(np.float32),
        domains=np.stack([item.domain for item in items]).astype(np.float32),
        need=np.array([item.need for item in items], dtype=np.float32),
        days=np.array([item.day for item in items], dtype=np.float64),
        organisations=np.array(
            [numbers.setdefault(item.organisation, len(numbers)) for item in items], dtype=np.int32
        ),
        on_common_board=np.array(["/" not in item.organisation for item in items]),
        **dict(zip(("board_busy", "all_busy"), traffic.busy(traffic.marks(items)), strict=True)),
    )


def parts(profiles: Profiles, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> FloatArray:
    """Return what speaks for each pair. Shape (rows, columns, 14) float32, last axis as in `PARTS`."""
    meaning = profiles.vectors[rows] @ profiles.vectors[columns].T
    words = np.sqrt(np.maximum(profiles.terms[rows] @ profiles.terms[columns].T, 0))
    topic = profiles.topics[rows] @ profiles.topics[columns].T
    known: npt.NDArray[np.bool_] = np.any(profiles.topics, axis=1, keepdims=True)[:, 0]
    no_topic = ~(known[rows, None] & known[None, columns])
    domain = profiles.domains[rows] @ profiles.domains[columns].T
    board = profiles.on_common_board[rows, None] | profiles.on_common_board[None, columns]
    same = (profiles.organisations[rows, None] == profiles.organisations[None, columns]) & ~board
    apart = np.log1p(np.abs(profiles.days[rows, None] - profiles.days[None, columns]))
    need = np.minimum(profiles.need[rows, None], profiles.need[None, columns])
    here, everywhere = busy_of(profiles, rows, columns, same)
    values = (
        meaning, words, topic, no_topic, domain, same, board, same * topic, apart, need, same * domain,
        (~same & ~board) * topic, here, everywhere,
    )  # fmt: skip
    return np.stack([np.asarray(value, dtype=np.float32) for value in values], axis=-1)


def same_board(
    profiles: Profiles, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return for each pair whether both stand on one board that is not the common one."""
    board = profiles.on_common_board[rows, None] | profiles.on_common_board[None, columns]
    return np.asarray(
        (profiles.organisations[rows, None] == profiles.organisations[None, columns]) & ~board, dtype=np.bool_
    )


def busy_of(
    profiles: Profiles,
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    same: npt.NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
    """Return how busy the common board of each pair is, and everything where they share none."""
    here = (profiles.board_busy[rows, None] + profiles.board_busy[None, columns]) * np.float32(0.5)
    everywhere = (profiles.all_busy[rows, None] + profiles.all_busy[None, columns]) * np.float32(0.5)
    here *= same
    everywhere *= ~same
    return here, everywhere


def pair_parts(profiles: Profiles, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> FloatArray:
    """Return what speaks for the pairs (left[i], right[i]). Shape (n, 14) float32, columns as in `PARTS`."""
    values = [
        parts(profiles, left[at : at + _PAIRS_AT_ONCE], right[at : at + _PAIRS_AT_ONCE])
        for at in range(0, len(left), _PAIRS_AT_ONCE)
    ]
    return np.concatenate([block[np.arange(len(block)), np.arange(len(block))] for block in values])


@dataclass(frozen=True, slots=True)
class Scorer:
    """Fixed coefficients of the logistic scorer, and the bounds that were chosen with them.

    Attributes
    ----------
    bias, weights
        Of the logistic model; `weights` follow `PARTS`.
    join
        Mean probability between two groups from which they are one demand.
    need
        Least probability of a need with which a post may stand in a demand.
    """

    bias: float
    weights: tuple[float, ...]
    join: float
    need: float

    def probabilities(self, values: FloatArray) -> FloatArray:
        """Return the probability of each pair. Shape of `values` without its last axis."""
        logits = values @ np.array(self.weights, dtype=np.float32) + np.float32(self.bias)
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)

    def between(
        self, profiles: Profiles, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
    ) -> FloatArray:
        """Return what `probabilities(parts(profiles, rows, columns))` does, for less work.

        Shape (rows, columns).
        """
        weight = dict(zip(PARTS, self.weights, strict=True))
        topics, others = profiles.topics[rows], profiles.topics[columns]
        topic = topics @ others.T
        domain = profiles.domains[rows] @ profiles.domains[columns].T
        board = profiles.on_common_board[rows, None] | profiles.on_common_board[None, columns]
        same = (profiles.organisations[rows, None] == profiles.organisations[None, columns]) & ~board
        known: npt.NDArray[np.bool_] = np.any(topics, axis=1, keepdims=True)[:, 0]
        also: npt.NDArray[np.bool_] = np.any(others, axis=1, keepdims=True)[:, 0]
        logits = weight["meaning"] * (profiles.vectors[rows] @ profiles.vectors[columns].T)
        words = profiles.terms[rows] @ profiles.terms[columns].T
        np.maximum(words, 0, out=words)
        logits += weight["words"] * np.sqrt(words, out=words)
        logits += weight["no_topic"] * ~(known[:, None] & also[None])
        logits += weight["common_board"] * board
        apart = np.abs(profiles.days[rows, None] - profiles.days[None, columns]).astype(np.float32)
        logits += weight["days_apart"] * np.log1p(apart, out=apart)
        logits += weight["need"] * np.minimum(profiles.need[rows, None], profiles.need[None, columns])
        logits += topic * (
            weight["topic"]
            + weight["same_organisation_topic"] * same
            + weight["other_organisation_topic"] * (~same & ~board)
        )
        logits += weight["domain"] * domain
        logits += same * (weight["same_organisation"] + weight["same_organisation_domain"] * domain)
        here, everywhere = busy_of(profiles, rows, columns, same)
        logits += weight["busy_board"] * here
        logits += weight["busy_everywhere"] * everywhere
        logits += np.float32(self.bias)
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)

    def shares(self, values: FloatArray) -> dict[str, float]:
        """Return what each part of one pair adds to the logit, rounded, largest first."""
        added = {
            name: round(float(weight * value), 2)
            for name, weight, value in zip(PARTS, self.weights, values, strict=True)
        }
        return dict(sorted(added.items(), key=lambda entry: -abs(entry[1])))


@functools.cache
def load_scorer() -> Scorer:
    """Return the committed scorer."""
    return read_scorer(TABLE)


def read_scorer(path: Path) -> Scorer:
    """Return the scorer of the table at `path`."""
    table = json.loads(path.read_text(encoding="utf-8"))["pair"]
    return Scorer(
        bias=table["bias"],
        weights=tuple(table["weights"][name] for name in PARTS),
        join=table["join"],
        need=table["need"],
    )
