"""Measure screening: posts a second on one core, stage by stage, over a JSONL file of texts.

    python tests/benchmark/screening.py ../shared/data/cold/test.jsonl.gz [--terms 100000]

Prints a table; asserts nothing about time. With `--terms`, so many made-up terms are matched in
all views beside the rulebook, to see what a large lexicon costs.
"""

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path

from api.commands.rows import lines, open_rows
from learning.bundle import load_bundle
from moderation.lexicon import Lexicon, Term
from moderation.normalise import ViewName, fold, words
from moderation.pipeline import load_screener
from moderation.settings import ModerationSettings

VIEWS = frozenset({ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED})


def rate(name: str, texts: list[str], work: Callable[[], object]) -> None:
    """Print the best of three runs."""
    best = min(_timed(work) for _ in range(3))
    print(f"{name:32} {len(texts) / best:12,.0f} posts/s")  # noqa: T201 - a benchmark prints


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def made_up_terms(count: int) -> list[Term]:
    """Return so many terms of two words each, the same on every run."""
    drawn = random.Random(7)  # noqa: S311 - no secret
    known = sorted(words())
    return [Term(drawn.choice(known) + drawn.choice(known), VIEWS) for _ in range(count)]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--terms", type=int, default=0)
    chosen = parser.parse_args()
    with open_rows(chosen.file) as stream:
        texts = [line.row["text"] for line in lines(stream) if line.row]
    print(f"{len(texts)} posts, mean {sum(map(len, texts)) / len(texts):.1f} characters")  # noqa: T201 - as above
    screener = load_screener(ModerationSettings(), load_bundle())
    rate("plain view", texts, lambda: [fold(text).plain for text in texts])
    rate("plain, squeezed, joined, drawn", texts, lambda: [(f.joined, f.drawn) for f in map(fold, texts)])
    rate("all views", texts, lambda: [(f.joined, f.drawn, f.digits, f.pinyin) for f in map(fold, texts)])
    if chosen.terms:
        lexicon = Lexicon(made_up_terms(chosen.terms))
        rate(
            f"cheap views, {chosen.terms:,} terms",
            texts,
            lambda: [list(lexicon.find(fold(text))) for text in texts],
        )
    rate("rules", texts, lambda: [screener.rulebook.hits(fold(text)) for text in texts])
    rate("whole screening", texts, lambda: screener.screen(texts))


if __name__ == "__main__":
    main()
