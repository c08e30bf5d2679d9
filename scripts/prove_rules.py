"""Measure the precision of every acting rule on labelled texts, and say which are proven.

    scripts/prove_rules.py FILE... [--harmless LABEL] [--level 0.98]

Each row of a file has a text and a label; every label but the harmless one is a harm. A rule is
proven where the lower 95 % bound of its precision (Clopper and Pearson) reaches the level, and then
may stand under `proven` in a policy. Prints counts only, never a text.
"""

import argparse
from collections import Counter
from pathlib import Path

from api.commands.rows import lines, open_rows
from moderation.evaluation import lower_bound
from moderation.normalise import fold
from moderation.rulebook import read_rulebook
from moderation.settings import SHIPPED_RULEBOOKS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--harmless", default="normal")
    parser.add_argument("--level", type=float, default=0.98)
    chosen = parser.parse_args()
    rulebook = read_rulebook([SHIPPED_RULEBOOKS])
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    texts = 0
    for file in chosen.files:
        with open_rows(file) as stream:
            for line in lines(stream):
                if line.row is None:
                    continue
                texts += 1
                for hit in rulebook.hits(fold(line.row["text"])):
                    total[hit.rule.id] += 1
                    right[hit.rule.id] += line.row["label"] != chosen.harmless
    print(f"{texts} texts, {rulebook.revision}; harmless: {chosen.harmless}")
    for rule, count in total.most_common():
        bound = lower_bound(right[rule], count)
        proven = "proven" if bound >= chosen.level else ""
        print(f"{rule:40} {right[rule]:6}/{count:<6} bound {bound:.4f} {proven}")


if __name__ == "__main__":
    main()
