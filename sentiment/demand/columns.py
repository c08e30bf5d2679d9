"""Hold a large window of posts in columns, a few hundred bytes a post, and compare rows of it.

A post as an `Item` costs a kilobyte or two, and as a row of `scoring.profile` another. A window of a
million needs neither: `Columns` takes items one by one and keeps numbers, and `Compact` is what
`scoring.Profiles` is, in 16-bit fixed point, opened into 32-bit floats only for the rows that are compared.

It refuses to know better: `logits` gives what `Scorer.between` gives, to within 0.01, and is held to it by
`tests/unit/sentiment/test_large_windows.py`.

Neighbours: `scoring` owns the formula; `edges`, `joining` and `homing` work on rows; `territory` searches.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt

from sentiment.demand.fixed_point import Fixed, Sparse, fixed, opened, stacked
from sentiment.demand.scoring import (
    BIGRAM_WEIGHT,
    PARTS,
    TERM_COLUMNS,
    WORD_WEIGHT,
    FloatArray,
    Item,
    Profiles,
    Scorer,
    Terms,
)
from sentiment.demand.traffic import Marks, Traffic

Rows = npt.NDArray[np.int64]
Rarity = Callable[[Terms], FloatArray]

AT_ONCE: Final = 16_384
"""Rows that are turned into columns in one step."""

_SMALLEST: Final = 1e-6


class Columns(Sequence[Item]):
    """Posts in columns. It can be read like a list of items, which are made when they are asked for.

    Unit vectors are kept in fixed point, to within 2e-5. Equal strings are kept once. Organisations are
    numbered in the order in which they come, going on with `numbers` if they are given.
    """

    def __init__(self, items: Iterable[Item], numbers: dict[str, int] | None = None) -> None:
        self.keys: list[str] = []
        self.authors: list[str] = []
        self.copies: list[str] = []
        self.places: list[str | None] = []
        number = {} if numbers is None else numbers
        copied: dict[str, str] = {}
        parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _COLUMNS}
        topics: list[Sparse] = []
        waiting: list[Item] = []
        for item in items:
            self.keys.append(item.key)
            self.authors.append(item.author)
            self.copies.append(copied.setdefault(item.copy_of, item.copy_of))
            self.places.append(item.place)
            number.setdefault(item.organisation, len(number))
            waiting.append(item)
            if len(waiting) == AT_ONCE:
                _pack(waiting, number, parts, topics)
                waiting = []
        if waiting:
            _pack(waiting, number, parts, topics)
        self.paths = list(number)
        held = {name: _joined(parts, name) for name in _COLUMNS}
        self.days, self.need, self.organisations = held["days"], held["need"], held["organisations"]
        self.vectors, self.domains, self.terms = held["vectors"], held["domains"], held["terms"]
        self.topics = stacked(topics) if topics else Sparse.of(np.zeros((0, 0)))
        self.starts = np.concatenate([[0], np.cumsum(held["lengths"], dtype=np.int64)])

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> list[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | list[Item]:
        if isinstance(at, slice):
            return [self._item(row) for row in range(*at.indices(len(self)))]
        return self._item(range(len(self))[at])

    def __iter__(self) -> Iterator[Item]:
        return (self._item(row) for row in range(len(self)))

    def _item(self, row: int) -> Item:
        return Item(
            key=self.keys[row],
            author=self.authors[row],
            organisation=self.paths[self.organisations[row]],
            day=float(self.days[row]),
            terms=self.terms[self.starts[row] : self.starts[row + 1]],
            topics=self.topics.opened(np.array([row]))[0],
            vector=opened(self.vectors[row]),
            domain=self.domains[row],
            need=float(self.need[row]),
            copy_of=self.copies[row],
            place=self.places[row],
        )

    def marks(self) -> Marks:
        """Return what `traffic` counts of each post."""
        return Marks.of(self.paths, self.organisations, self.domains, self.days)

    @property
    def in_order(self) -> bool:
        """Whether the rows stand in the order of time, and of keys within it."""
        if not np.all(np.diff(self.days) >= 0):
            return False
        same = np.flatnonzero(np.diff(self.days) == 0).tolist()
        return all(self.keys[row] < self.keys[row + 1] for row in same)


_COLUMNS: Final = ("days", "need", "organisations", "vectors", "domains", "terms", "lengths")


def _pack(
    items: Sequence[Item],
    number: dict[str, int],
    parts: dict[str, list[npt.NDArray[Any]]],
    topics: list[Sparse],
) -> None:
    parts["days"].append(np.array([item.day for item in items], dtype=np.float64))
    parts["need"].append(np.array([item.need for item in items], dtype=np.float32))
    parts["organisations"].append(np.array([number[item.organisation] for item in items], dtype=np.int32))
    parts["vectors"].append(fixed(np.stack([item.vector for item in items])))
    topics.append(Sparse.of(np.stack([item.topics for item in items])))
    parts["domains"].append(np.stack([item.domain for item in items]).astype(np.float32))
    parts["terms"].append(np.concatenate([item.terms for item in items]).astype(np.uint32))
    parts["lengths"].append(np.array([len(item.terms) for item in items], dtype=np.int32))


def _joined(parts: dict[str, list[npt.NDArray[Any]]], name: str) -> npt.NDArray[Any]:
    """Return one column of its pieces, which are let go."""
    pieces = parts.pop(name)
    return np.concatenate(pieces) if pieces else np.zeros(0)


@dataclass(frozen=True)
class Side:
    """Some rows, opened: arrays whose leading axes are those of the rows, and one of columns."""

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

    def first(self, count: int) -> "Side":
        """Return the first rows."""
        return Side(*(getattr(self, one.name)[:count] for one in fields(Side)))


@dataclass(frozen=True)
class Compact:
    """The window as `scoring.profile` has it, in fixed point; without topics if no post has any."""

    vectors: Fixed
    terms: Sparse
    topics: Sparse
    domains: FloatArray
    need: FloatArray
    days: npt.NDArray[np.float64]
    organisations: npt.NDArray[np.int32]
    on_common_board: npt.NDArray[np.bool_]
    board_busy: FloatArray
    all_busy: FloatArray

    def __len__(self) -> int:
        return len(self.days)

    @property
    def placed(self) -> npt.NDArray[np.int32]:
        """For each row its organisation, -1 on the common board."""
        return np.where(self.on_common_board, np.int32(-1), self.organisations)

    def side(self, rows: npt.NDArray[np.integer[Any]]) -> Side:
        """Return rows as floats. `rows` may have any shape."""
        return Side(
            opened(self.vectors[rows]),
            self.terms.opened(rows),
            self.topics.opened(rows),
            self.domains[rows],
            self.need[rows],
            self.days[rows],
            self.organisations[rows],
            self.on_common_board[rows],
            self.board_busy[rows],
            self.all_busy[rows],
        )

    def taken(self, rows: Rows) -> "Compact":
        """Return some rows as a window of their own; rarity stays that of the whole window."""
        return Compact(
            self.vectors[rows], self.terms.taken(rows), self.topics.taken(rows), self.domains[rows],
            self.need[rows], self.days[rows], self.organisations[rows], self.on_common_board[rows],
            self.board_busy[rows], self.all_busy[rows],
        )  # fmt: skip

    def joined(self, other: "Compact") -> "Compact":
        """Return the rows of both, whose organisations are numbered alike."""
        dense = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _DENSE}
        return replace(
            self,
            **dense,
            terms=stacked([self.terms, other.terms]),
            topics=stacked([self.topics, other.topics]),
        )

    def profiles(self, rows: Rows) -> Profiles:
        """Return rows as `scoring.profile` gives them; rarity stays that of the whole window."""
        side = self.side(rows)
        topics = side.topics if side.topics.shape[1] else np.zeros((len(rows), 1), dtype=np.float32)
        return Profiles(
            side.vectors, side.terms, topics, side.domains, side.need, side.days, side.organisations,
            side.on_common_board, side.board_busy, side.all_busy,
        )  # fmt: skip


_DENSE: Final = (
    "vectors", "domains", "need", "days", "organisations", "on_common_board", "board_busy", "all_busy",
)  # fmt: skip


def compact(columns: Columns, rarity: Rarity | None = None, traffic: Traffic | None = None) -> Compact:
    """Return the window ready to be compared. Work grows with the posts times the log of their terms.

    `rarity` says how rare each of some terms is in a window of which these posts are a part; by default
    they are the window, and if none of them has a topic, there are no topics. `traffic` says how busy that
    window is; by default these posts are counted.
    """
    marks = columns.marks()
    if traffic is None:
        traffic = Traffic()
        traffic.add(marks)
    board_busy, all_busy = traffic.busy(marks)
    return Compact(
        vectors=columns.vectors,
        terms=_weighed(columns, rarity or _rarity(columns)),
        topics=columns.topics if rarity or len(columns.topics.values) else replace(columns.topics, width=0),
        domains=columns.domains,
        need=columns.need,
        days=columns.days,
        organisations=columns.organisations,
        on_common_board=np.array(["/" not in path for path in columns.paths])[columns.organisations],
        board_busy=board_busy,
        all_busy=all_busy,
    )


def _rarity(columns: Columns) -> Rarity:
    """Return what counts how rare terms are among the posts, as `scoring.profile` does."""
    kinds, counts = np.unique(columns.terms, return_counts=True)

    def rarity(terms: Terms) -> FloatArray:
        found = counts[np.searchsorted(kinds, terms)]
        return np.log((len(columns) + 1) / (found + 0.5)).astype(np.float32)

    return rarity


def _weighed(columns: Columns, rarity: Rarity) -> Sparse:
    """Return the terms as `scoring.profile` hashes and weighs them, some rows at a time."""
    n = len(columns)
    pieces = [Sparse.of(np.zeros((0, TERM_COLUMNS)))]
    for start in range(0, n, AT_ONCE):
        stop = min(start + AT_ONCE, n)
        part = columns.terms[columns.starts[start] : columns.starts[stop]]
        lengths = np.diff(columns.starts[start : stop + 1])
        told, kind = np.unique(part, return_inverse=True)
        weight = rarity(told) * np.where(told & 1, WORD_WEIGHT, BIGRAM_WEIGHT)
        signed = np.where(told & 0x80000000, weight, -weight)
        cell = np.repeat(np.arange(stop - start), lengths) * TERM_COLUMNS + (part >> 1) % TERM_COLUMNS
        summed = np.bincount(cell, weights=signed[kind], minlength=(stop - start) * TERM_COLUMNS)
        dense = summed.astype(np.float32).reshape(-1, TERM_COLUMNS)
        length = np.linalg.norm(dense, axis=1, keepdims=True)
        pieces.append(Sparse.of(dense / np.maximum(length, _SMALLEST)))
    return stacked(pieces)


def logits(scorer: Scorer, left: Side, right: Side) -> FloatArray:
    """Return the logit of every pair. Shape (…, rows of `left`, rows of `right`).

    What is a product of one number of each side is one product of matrices; what is left is the words,
    the lesser need, the days between, and what only posts of one organisation have.
    """
    weight = {name: np.float32(value) for name, value in zip(PARTS, scorer.weights, strict=True)}
    here, there = _signs(left), _signs(right)
    one, other = np.ones_like(here[0]), np.ones_like(there[0])
    away = weight["other_organisation_topic"]
    board, none = weight["common_board"], weight["no_topic"]
    result = np.concatenate(
        [
            left.vectors * weight["meaning"], left.domains * weight["domain"], left.topics * weight["topic"],
            left.topics * (away * (1 - here[0])), board * here[0], board * one, -board * here[0],
            -none * here[1], (np.float32(scorer.bias) + none) * one,
        ], axis=-1,
    ) @ _turned(
        np.concatenate(
            [
                right.vectors, right.domains, right.topics, right.topics * (1 - there[0]),
                other, there[0], there[0], there[1], other,
            ], axis=-1,
        )
    )  # fmt: skip
    words = left.terms @ _turned(right.terms)
    np.maximum(words, 0, out=words)
    np.sqrt(words, out=words)
    words *= weight["words"]
    result += words
    near = np.minimum(left.need[..., :, None], right.need[..., None, :], out=words)
    near *= weight["need"]
    result += near
    apart = np.subtract(left.days[..., :, None], right.days[..., None, :]).astype(np.float32)
    np.abs(apart, out=apart)
    np.log1p(apart, out=apart)
    apart *= weight["days_apart"]
    result += apart
    within = weight["same_organisation_topic"] - away
    same = _same(left, right)
    if same.any():
        together = np.concatenate(
            [
                left.domains * weight["same_organisation_domain"],
                left.topics * within,
                weight["same_organisation"] * one,
            ],
            axis=-1,
        ) @ _turned(np.concatenate([right.domains, right.topics, other], axis=-1))
        together *= same
        result += together
    # How busy it is: of the board that both share, else of everything.
    share, whole = weight["busy_board"] / 2, weight["busy_everywhere"] / 2
    if share or whole:
        result += whole * (left.all_busy[..., :, None] + right.all_busy[..., None, :])
        one_side, other_side = (share * side.board_busy - whole * side.all_busy for side in (left, right))
        if same.any():
            result += same * (one_side[..., :, None] + other_side[..., None, :])
    return np.asarray(result, dtype=np.float32)


def probability(logit: FloatArray) -> FloatArray:
    """Return the probability of each logit."""
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float32)


def _same(left: Side, right: Side) -> npt.NDArray[np.bool_]:
    one = np.where(left.on_common_board, -1, left.organisations)
    other = np.where(right.on_common_board, -2, right.organisations)
    return np.asarray(one[..., :, None] == other[..., None, :], dtype=np.bool_)


def _signs(side: Side) -> tuple[FloatArray, FloatArray]:
    """Return, as a column each, whether rows are on the common board, and whether they have a topic."""
    known = np.any(side.topics, axis=-1, keepdims=True)
    return side.on_common_board[..., None].astype(np.float32), np.asarray(known, dtype=np.float32)


def _turned(values: FloatArray) -> FloatArray:
    return np.swapaxes(values, -1, -2)
