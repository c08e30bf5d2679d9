"""Measure the normaliser's cheap views and the matching of very many terms, on one core.

    python -m tests.benchmark.normalising [FILE] [--rounds 5]

Prints posts a second with no terms, 10,000 and 100,000, by the process's own time and by the clock:
on a busy machine the first tells what the code costs. FILE is JSONL with a `text` in each row; without
one, the project's own training texts are read. The terms are made up from two words each and are looked
for in all cheap views (plain, squeezed, joined, drawn). Asserts nothing about time.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from api.commands.rows import lines, open_rows
from moderation.lexicon import Lexicon, Term
from moderation.normalise import ViewName, fold, words

VIEWS = frozenset({ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED, ViewName.DRAWN})
OWN_TEXTS = Path(__file__).parents[2] / "learning" / "training" / "texts"


def made_up_terms(count: int) -> list[Term]:
    """Return so many terms of two words each, the same on every run."""
    drawn = random.Random(7)  # noqa: S311 - variety, not secrecy
    known = sorted(words())
    return [Term(drawn.choice(known) + drawn.choice(known), VIEWS) for _ in range(count)]


def read(files: list[Path]) -> list[str]:
    """Return the texts of some files."""
    found: list[str] = []
    for file in files:
        with open_rows(file) as stream:
            found += [line.row["text"] for line in lines(stream) if line.row]
    return found


def report(name: str, texts: list[str], rounds: int, work: Callable[[], object]) -> None:
    """Print the best round, in posts a second of processor time and of the clock."""
    by_process, by_clock = [], []
    for _ in range(rounds):
        began = time.process_time(), time.perf_counter()
        work()
        by_process.append(time.process_time() - began[0])
        by_clock.append(time.perf_counter() - began[1])
    rates = [f"{len(texts) / min(seconds):12,.0f}" for seconds in (by_process, by_clock)]
    sys.stdout.write(f"{name:40}{rates[0]}{rates[1]}\n")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    texts = read([given.file] if given.file else sorted(OWN_TEXTS.glob("*.jsonl")))
    mean = sum(map(len, texts)) / len(texts)
    sys.stdout.write(f"{len(texts)} posts, mean {mean:.1f} characters\n")
    sys.stdout.write(f"{'posts/s':40}{'process':>12}{'clock':>12}\n")
    report("plain view", texts, given.rounds, lambda: [fold(text).plain for text in texts])
    for count in (0, 10_000, 100_000):
        lexicon = Lexicon(made_up_terms(count))

        def match(lexicon: Lexicon = lexicon) -> list[object]:
            folded = [fold(text) for text in texts]
            return [(view.joined, view.drawn, list(lexicon.find(view))) for view in folded]

        report(f"cheap views, {count:,} terms", texts, given.rounds, match)


if __name__ == "__main__":
    main()
