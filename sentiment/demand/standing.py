"""Keep a large window at hand between two rounds of the grouping, to see what a new post is near to.

A round of a large window must not read the window: it reads what is new, looks here for the posts that
are near to it, and reads those. So what stands here only says *where to look*. Whether a post is still
published, and in which words, is asked of the records every time; a post that is gone here costs a look
in vain, and nothing else.

It holds numbers, no text: vectors, hashed terms, and for each word how many posts use it, without whose.
It lives in the process that groups, is filled by one reading of the window when that begins, and is lost
with it. Posts that the window leaves behind fall out.

Neighbours: `columns` compares; `windows` reads the records; `grouping` asks.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.columns import Columns, Compact, compact, logits
from sentiment.demand.scoring import FloatArray, Item, Scorer, Terms
from sentiment.demand.traffic import Marks, Traffic

PIECE: Final = 16_384
"""Posts of one piece of the window, which are compared, and fall out, together."""

NEAREST: Final = 24
"""Posts that one new post touches at most, the nearest."""

NEAR: Final = 0.1
"""Least probability with a new post to be touched by it."""

BUCKETS: Final = 1 << 22
"""Counts of terms; two of four million hashes may share one."""

Told = tuple[Item, tuple[str, ...]]
"""A post and the words of it that a title could use."""


@dataclass(frozen=True)
class _Piece:
    """Some posts, and how often their terms and words come."""

    keys: list[str]
    window: Compact
    buckets: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.uint32]
    words: Counter[str]
    newest: float


class Standing:
    """The posts of a window by what they are near to. Not for two threads at a time."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []
        self._held: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._counts = np.zeros(BUCKETS, dtype=np.uint32)
        self.traffic = Traffic()

    def __len__(self) -> int:
        return sum(len(piece.keys) for piece in self._pieces)

    def knows(self, key: str, revision: int) -> bool:
        """Return whether that revision of a post stands here."""
        return self._held.get(key) == revision

    def take(self, posts: Iterable[tuple[Told, int]]) -> int:
        """Take in posts with their revisions, and return how many; an older revision stays, for nothing."""
        waiting: list[tuple[Told, int]] = []
        taken = 0
        for one in posts:
            waiting.append(one)
            taken += 1
            if len(waiting) == PIECE:
                self._add(waiting)
                waiting = []
        if waiting:
            self._add(waiting)
        self._melt()
        return taken

    def leave(self, since: float) -> None:
        """Let go of pieces of which every post is older than `since`, in days since the epoch."""
        for piece in [one for one in self._pieces if one.newest < since]:
            self._pieces.remove(piece)
            self._counts[piece.buckets] -= piece.counts
            self.traffic.add(self._marks(piece.window), -1)
            for key in piece.keys:
                self._held.pop(key, None)

    def rarity(self, terms: Terms) -> FloatArray:
        """Return how rare each term is among the posts that stand here, as `scoring.profile` counts it."""
        counts = np.maximum(self._counts[_bucket(terms)], 1)
        return np.log((len(self._held) + 1) / (counts + 0.5)).astype(np.float32)

    def everywhere(self, words: Collection[str]) -> Mapping[str, int]:
        """Return for each word how many posts use it."""
        return {word: sum(piece.words[word] for piece in self._pieces) for word in words}

    def near(self, items: Collection[Item], scorer: Scorer, since: float) -> set[str]:
        """Return the keys of the posts that are nearest to `items`, and near enough; exact."""
        if not items or not self._pieces:
            return set()
        asked = compact(Columns(items, self._numbers), self.rarity, self.traffic)
        side = asked.side(np.arange(len(asked)))
        least = np.log(NEAR / (1 - NEAR))
        rows, scores, places = [], [], []
        for number, piece in enumerate(self._pieces):
            every = np.arange(len(piece.keys), dtype=np.int64)
            close = logits(scorer, side, piece.window.side(every))
            close[:, piece.window.days < since] = -np.inf
            row, at = np.nonzero(close >= least)
            rows.append(row)
            scores.append(close[row, at])
            places.append(number * PIECE + at)
        row, place = np.concatenate(rows), np.concatenate(places)
        order = np.lexsort((place, -np.concatenate(scores), row))
        row = row[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        found = np.unique(place[order[rank <= NEAREST]])
        return {self._pieces[place // PIECE].keys[place % PIECE] for place in found.tolist()}

    def _add(self, posts: list[tuple[Told, int]]) -> None:
        columns = Columns((item for (item, _), _ in posts), self._numbers)
        buckets, counts = np.unique(_bucket(columns.terms), return_counts=True)
        self._counts[buckets] += counts.astype(np.uint32)
        self.traffic.add(columns.marks())
        self._held |= {item.key: revision for (item, _), revision in posts}
        self._pieces.append(
            _Piece(
                columns.keys,
                compact(columns, self.rarity, self.traffic),
                buckets.astype(np.uint32),
                counts.astype(np.uint32),
                Counter(word for (_, said), _ in posts for word in said),
                float(columns.days.max()),
            )
        )

    def _marks(self, window: Compact) -> Marks:
        """Return what `traffic` has counted of posts that stand here."""
        return Marks.of(list(self._numbers), window.organisations, window.domains, window.days)

    def _melt(self) -> None:
        """Make one piece of the last two as long as they fit, so that small rounds leave few pieces."""
        while len(self._pieces) > 1:
            one, two = self._pieces[-2:]
            if len(one.keys) + len(two.keys) > PIECE or len(one.keys) > 2 * len(two.keys) + PIECE // 64:
                return
            self._pieces[-2:] = [_melted(one, two)]


def _melted(one: _Piece, two: _Piece) -> _Piece:
    buckets, at = np.unique(np.concatenate([one.buckets, two.buckets]), return_inverse=True)
    counts = np.bincount(at, weights=np.concatenate([one.counts, two.counts])).astype(np.uint32)
    return _Piece(
        one.keys + two.keys,
        one.window.joined(two.window),
        buckets,
        counts,
        one.words + two.words,
        max(one.newest, two.newest),
    )


def _bucket(terms: Terms) -> npt.NDArray[np.uint32]:
    """Return the place of each term's count: the last bit, which tells a word from a bigram, counts too."""
    return np.asarray(terms % np.uint32(BUCKETS), dtype=np.uint32)
