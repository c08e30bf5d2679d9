"""Learn the vectors of matters anew, and write their table.

Usage: `scripts/fit_matters.py`. Reads `learning/training/texts/matters*.txt` and the demands of our own
months; takes seconds. Run it when the first stage changes, and `scripts/fit_grouping.py` after it.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from learning.bundle import MATTERS, SHIPPED, load_bundle  # noqa: E402 - the package is found only now
from learning.linear import LinearBundle  # noqa: E402
from learning.manifest import CascadeManifest, read_manifest  # noqa: E402
from learning.training.matters import read_written, taught, write_matters  # noqa: E402

TEXTS = ROOT / "learning" / "training" / "texts"
MONTHS = ("needs_demands.jsonl", "demands_november.jsonl")


def first_stage() -> LinearBundle:
    """Return the first stage of the shipped cascade."""
    manifest = read_manifest(SHIPPED)
    if not isinstance(manifest, CascadeManifest):
        raise TypeError("the shipped bundle is no cascade")
    opened = load_bundle(SHIPPED.parent / manifest.first.name)
    if not isinstance(opened, LinearBundle):
        raise TypeError("a cascade begins with a linear bundle")
    return opened


def lessons() -> list[tuple[str, str, str]]:
    """Return every text that teaches, with its matter and the month it is of, or an empty month."""
    written = [(text, matter.title, "") for matter in read_written() for text in matter.texts]
    rows = [json.loads(line) for name in MONTHS for line in (TEXTS / name).read_text("utf-8").splitlines()]
    return written + [(row["text"], row["demand"], row["month"]) for row in rows if row["demand"]]


def main() -> None:
    """Fit on every text and write the table that ships."""
    opened = first_stage()
    texts, matters, _ = zip(*lessons(), strict=True)
    table = taught(MATTERS.name, texts, matters, opened.vectors.hashing.folded, opened.encode)
    write_matters(table, MATTERS)
    sys.stdout.write(f"{len(texts)} texts of {len(set(matters))} matters, {len(table.keys)} n-grams\n")


if __name__ == "__main__":
    main()
