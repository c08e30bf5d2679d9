"""A few invented texts and the recipe of a linear bundle over them: enough to learn something in a second."""

import gzip
from pathlib import Path

import orjson

from models.vocabulary import Domain

RECIPE = """
name = "tiny"
seed = 3
hashing = {harms = {bits = 12, orders = 3}, reads = {bits = 12, orders = 2}, grams = {bits = 16, orders = 3}}
rarest = {harms = 1, reads = 1}
[harms]
penalty = 1.0
ceiling = 0.8
[[harms.sources]]
name = "tiny harms"
file = "harms.jsonl.gz"
licence = "CC0"
use = "harms"
field = "category"
calibrates."*" = 1.0
labels."*" = ["="]
[[harms.protected]]
name = "tiny protected"
file = "protected.jsonl"
licence = "CC0"
use = "harms"
[need]
penalty = 1.0
[[need.sources]]
name = "tiny needs"
file = "needs.jsonl"
licence = "CC0"
use = "need"
field = "need"
calibrates."*" = 1.0
labels.true = ["need"]
[domain]
penalty = 1.0
[[domain.sources]]
name = "tiny needs"
file = "needs.jsonl"
licence = "CC0"
use = "domain"
field = "domain"
calibrates."*" = 1.0
labels."*" = ["="]
[tone]
penalty = 1.0
[[tone.sources]]
name = "tiny needs"
file = "needs.jsonl"
licence = "CC0"
use = "tone"
field = "tone"
calibrates."*" = 1.0
labels."*" = ["="]
[grams]
dimensions = 8
vocabulary = 200
rarest = 1
window = 3
weight_scale = 1e-3
shared = 1
[[grams.sources]]
name = "tiny needs"
file = "needs.jsonl"
licence = "CC0"
use = "vectors"
"""

NUMBERS = "零一二三四五六七八九"


def lines(rows: list[dict[str, object]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def write_tiny_lessons(tmp_path: Path) -> Path:
    """Write texts and recipe (`tiny.toml`) under `tmp_path` and return their folder."""
    words = [one + two for one in NUMBERS for two in NUMBERS[:6]]
    harms = [{"text": f"加微信买课{word}", "category": "spam"} for word in words[:30]]
    harms += [{"text": f"图书馆{word}点关门吗", "category": None} for word in words]
    domains = [domain.value for domain in Domain]
    tones = ["negative", "neutral", "positive"]
    needs: list[dict[str, object]] = [
        {
            "text": f"{domain}{tone}的事情{word}",
            "domain": domain,
            "tone": tone,
            "need": (place + step) % 2 == 0,
        }
        for place, domain in enumerate(domains)
        for step, tone in enumerate(tones)
        for word in words[:4]
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "harms.jsonl.gz").write_bytes(gzip.compress(lines(harms)))
    (folder / "needs.jsonl").write_bytes(lines(needs))
    (folder / "protected.jsonl").write_bytes(lines([{"text": "吉他社招新，加微信报名"}]))
    (folder / "tiny.toml").write_text(RECIPE)
    return folder
