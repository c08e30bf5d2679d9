"""Compile the gazetteer that ships in `sentiment/tables/divisions.tsv.gz`.

Usage: `scripts/compile_places.py LEXICON_FOLDER`, where the folder holds `divisions/` (modood,
WTFPL) and `jieba/dict.small.txt.gz` (MIT). One line for each division: level, path of official
names from the province down, and whether its short name is also an ordinary word, which the
word list decides: frequent there and not only as a place.
"""

import csv
import gzip
import sys
from pathlib import Path

TARGET = Path(__file__).parent.parent / "sentiment" / "tables" / "divisions.tsv.gz"
LEVELS = ("provinces", "cities", "areas", "streets")
NOT_A_NAME = {"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"}
"""Rows that stand in the list for the structure and that nobody calls a place."""

sys.path.insert(0, str(Path(__file__).parent.parent))

from sentiment.place import short_name  # noqa: E402 - the package is found only now

FREQUENT = 150
"""Occurrences in the word list from which a word counts as ordinary."""


EVERYDAY = frozenset(
    {
        *("天水", "大同", "三明", "白银", "安康", "长治", "黄山", "宝鸡", "百色", "万宁", "平凉", "和田"),
        *("中卫", "自贡", "东方"),
    }
)
"""Cities whose names turn up inside other words: 今天水逆, 三明治, 白银."""


def ordinary_words(lexicon: Path) -> tuple[set[str], set[str]]:
    """Return all words of the list, and those that mean more than a place or are too common to tell."""
    known, words = set(), set()
    with gzip.open(lexicon / "jieba" / "dict.small.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            word, count, tag = line.split()
            known.add(word)
            if (not tag.startswith("ns") and int(count) > 2) or int(count) >= 100 * FREQUENT:  # noqa: PLR2004
                words.add(word)
    return known, words


def main(lexicon: Path) -> None:
    """Write the table."""
    known, words = ordinary_words(lexicon)
    names: dict[str, str] = {}
    rows = []
    for level, file in enumerate(LEVELS):
        with gzip.open(lexicon / "divisions" / f"{file}.csv.gz", "rt", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                names[row["code"]] = row["name"]
                # Cities without districts stand in the list of districts once more.
                if row["name"] in NOT_A_NAME or row["name"] == names.get(row.get("cityCode", "")):
                    continue
                codes = [row.get(key) for key in ("provinceCode", "cityCode", "areaCode")] + [row["code"]]
                path = [names[code] for code in codes if code and names[code] not in NOT_A_NAME]
                path = list(dict.fromkeys(path))
                short = short_name(row["name"], level)
                common = short in (EVERYDAY if level == 1 else words) or (
                    level == len(LEVELS) - 1 and short in known
                )
                rows.append(f"{level}\t{'/'.join(path)}\t{int(common)}\n")
    with (
        TARGET.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=9, mtime=0, filename="") as packed,
    ):
        packed.write("".join(rows).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
